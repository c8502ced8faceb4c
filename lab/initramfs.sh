# shellcheck shell=sh disable=SC2154 # variables come from memhp-lab
# SPDX-License-Identifier: GPL-3.0-or-later
# Sourced by memhp-lab.  Fetches the distribution's own packages without root
# and turns them into a kernel and an initramfs in the cache:
#   CACHE/ssh/               the key pairs of the user and of the guests
#   CACHE/apt-ARCH/          private package lists, if the system's cannot be used
#   CACHE/debs/              packages as fetched
#   CACHE/plan-ARCH-KERNEL[-agent]   the packages for this choice, one line each
#   CACHE/image-ARCH-HASH/   vmlinuz, initrd, release
# Uses of memhp-lab: die, note; sets: $image, $release.  Reads: $arch, $kernel,
# $agent, $share.

guest_packages='busybox-static dash bash dropbear-bin libc6 libcrypt1 libgmp10
	libtinfo6 ncurses-base libtomcrypt1 libtommath1 zlib1g'
guest_libraries='ld-linux*.so.* ld64.so.* libc.so.6 libcrypt.so.1 libgmp.so.10
	libtinfo.so.6 libtomcrypt.so.1 libtommath.so.1 libz.so.1'
agent_packages='qemu-guest-agent libglib2.0-0 libpcre2-8-0 libnuma1 libudev1 liburing2'
agent_libraries='libm.so.6 libglib-2.0.so.0 libgmodule-2.0.so.0 libpcre2-8.so.0 libnuma.so.1
	libudev.so.1 liburing.so.2'

# Loaded at boot: what the lab's own devices need, and what a memory device
# plugged later needs (there is no udev to load it).
boot_modules='virtio_pci virtio_mmio virtio_net virtio_rng virtio_console
	virtio_mem virtio_balloon'
# Only there for modprobe.
spare_modules='memory_notifier_error_inject virtio_blk virtio_pmem nfit papr_scm
	of_pmem nd_pmem device_dax dax_pmem kmem ext4 crc32c_generic'

# Metapackages that may lead to the wanted kernel, best first.
kernel_metapackages() {
	# shellcheck source=/dev/null
	case $(. /etc/os-release && echo "${ID-} ${ID_LIKE-}") in
	*ubuntu*) echo linux-image-kvm linux-image-virtual linux-image-generic ;;
	*)
		case $arch in
		ppc64el) flavour=powerpc64le ;;
		*) flavour=cloud-$arch ;;
		esac
		echo ${kernel:+"linux-image-$kernel-$flavour"} "linux-image-$flavour"
		;;
	esac
}

# apt's tools without root: with the system's lists, or with private ones for a
# foreign architecture or a container without lists.
apt() {
	tool=$1
	shift
	if [ "$lists" = private ]; then
		state=$cache/apt-$arch
		mkdir -p "$state/lists/partial"
		[ -e "$state/status" ] || : >"$state/status"
		set -- -o "Dir::State=$state" -o "Dir::State::lists=$state/lists" \
			-o "Dir::State::status=$state/status" \
			-o "APT::Architecture=$arch" -o "APT::Architectures=$arch" \
			-o Acquire::Languages=none "$@"
	fi
	"apt-$tool" -q -o Debug::NoLocking=1 -o APT::Sandbox::User=root \
		-o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= "$@"
}

# The versioned kernel package behind a metapackage, e.g. linux-image-6.1.0-56-amd64.
kernel_package() {
	for meta in $(kernel_metapackages); do
		package=$(apt cache depends "$meta" 2>/dev/null |
			sed -n "s/.*Depends: \(linux-image-${kernel:-[0-9]}[.0-9].*\)/\1/p" |
			head -n 1)
		[ -z "$package" ] || break
	done
	[ -n "$package" ] || return 1
	echo "$package"
	# Ubuntu keeps the modules in a package of their own.
	modules=linux-modules-${package#linux-image-}
	! apt cache show "$modules" >/dev/null 2>&1 || echo "$modules"
}

wanted_sum() { echo "$guest_packages" | cksum | tr -dc 0-9; }

# Print the plan: the lists, the choice, then "PACKAGE FILE" per package.
resolve() {
	kernel_names=$(kernel_package) || return 1
	echo "$lists $(wanted_sum)"
	# shellcheck disable=SC2086
	apt get download --print-uris $kernel_names $guest_packages 2>/dev/null |
		sed -n "s/^'[^']*' \([^_ ]*\)\(_[^ ]*\) .*/\1 \1\2/p"
}

update_lists() {
	lists=private
	note "reading the package lists for $arch"
	apt get update >"$cache/apt-update.log" 2>&1 || :
}

# A plan is valid until the choice or the lists behind it change.
plan_is_fresh() {
	[ -e "$plan" ] || return 1
	read -r lists sum <"$plan"
	[ "${sum-}" = "$(wanted_sum)" ] || return 1
	case $lists in
	private) current=$cache/apt-$arch/lists ;;
	*) current=/var/lib/apt/lists ;;
	esac
	[ -z "$(find "$current" -prune -newer "$plan")" ]
}

# Make the plan; "$1" = update reads new lists first.
make_plan() {
	lists=system
	[ "$(dpkg --print-architecture)" = "$arch" ] || lists=private
	[ "${1-}" != update ] || update_lists
	new=$plan.$$
	if ! resolve >"$new" && [ "${1-}" != update ]; then
		update_lists
		resolve >"$new" || :
	fi
	# A complete plan has a head, the guest's packages and a kernel.
	if [ "$(wc -l <"$new")" -lt $(($(echo "$guest_packages" | wc -w) + 2)) ]; then
		rm -f "$new"
		# Without the network the old plan may still have its image.
		[ ! -e "$plan" ] || return 0
		die build "$arch${kernel:+ $kernel}" 'apt knows no such kernel and packages' \
			"see $cache/apt-update.log, or choose another --kernel"
	fi
	mv -f "$new" "$plan"
}

make_keys() {
	mkdir -p "$cache/ssh"
	for key in id host; do
		[ ! -e "$cache/ssh/$key.pub" ] || continue
		rm -f "$cache/ssh/$key"
		ssh-keygen -q -t ed25519 -N '' -C memhp-lab -f "$cache/ssh/$key"
	done
}

# dropbear's own key format: the same 64 bytes as in OpenSSH's file, which for
# an ed25519 key without passphrase are at fixed offsets (name 106, secret 157).
dropbear_key() {
	sed '/^---/d' "$1" | base64 -d >"$work/key"
	tail -c +107 "$work/key" | head -c 15
	tail -c +158 "$work/key" | head -c 68
	rm -f "$work/key"
}

missing_debs() {
	sed 1d "$plan" | while read -r package file; do
		[ -e "$cache/debs/$file" ] || echo "$package"
	done
}

# apt verifies what it fetches against the signed lists.
fetch_debs() {
	wanted=$(missing_debs)
	[ -n "$wanted" ] || return 0
	note "fetching $(echo "$wanted" | wc -l) packages for $arch"
	mkdir "$work/debs"
	read -r lists _ <"$plan"
	# shellcheck disable=SC2086
	(cd "$work/debs" && apt get download $wanted) >"$cache/apt-get.log" 2>&1 || return 1
	mkdir -p "$cache/debs"
	mv -f "$work/debs/"* "$cache/debs/"
	[ -z "$(missing_debs)" ]
}

fetch() {
	fetch_debs && return
	# Versions in old lists disappear from the archive: read new lists once.
	rm -rf "$work/debs"
	make_plan update
	fetch_debs || die fetch "packages for $arch" "$(tail -n 1 "$cache/apt-get.log")" \
		"see $cache/apt-get.log"
}

unpack_debs() {
	mkdir "$work/debian"
	sed 1d "$plan" | while read -r _ file; do
		dpkg-deb -x "$cache/debs/$file" "$work/debian" || exit 1
	done
}

unpacked() {
	case $1 in
	*.xz) xz -dc "$1" ;;
	*.zst) zstd -qdc "$1" ;;
	*) cat "$1" ;;
	esac
}

# Copy one module; print "NAME FILE DEPENDENCIES..." with _ for - in names.
copy_module() {
	file=$(grep "/$(echo "$1" | sed 's/_/[-_]/g')\.ko\(\.[a-z0-9]*\)\?$" "$work/modules") || return 0
	ko=$(basename "$file" | sed 's/\.ko\..*/.ko/')
	unpacked "$file" >"$into/$ko"
	echo "$1 $ko $(tr '\0' '\n' <"$into/$ko" | sed -n 's/^depends=//p' | tr ',-' ' _')"
}

# Copy the wanted modules and their dependencies; print copy_module's lines.
copy_modules() {
	todo="$boot_modules $spare_modules" seen=' '
	while :; do
		# shellcheck disable=SC2086
		set -- $todo
		[ $# -gt 0 ] || break
		name=$1
		shift
		todo=$*
		case $seen in *" $name "*) continue ;; esac
		seen="$seen$name "
		line=$(copy_module "$name")
		[ -n "$line" ] || continue
		echo "$line"
		# shellcheck disable=SC2086
		set -- $line
		shift 2
		todo="$todo $*"
	done
}

# modules.dep as depmod writes it: every file with its dependencies, in the
# order of unloading.  Not every host has depmod itself.
modules_dep() {
	awk '
	function needs(name,   i, n, part) {
		n = split(direct[name], part, " ")
		for (i = 1; i <= n; i++)
			if (part[i] in file && !(part[i] in seen)) {
				needs(part[i])
				seen[part[i]] = 1
				all = " " file[part[i]] all
			}
	}
	{ file[$1] = $2; n = $1; $1 = $2 = ""; direct[n] = $0 }
	END {
		for (name in file) {
			all = ""; split("", seen); needs(name)
			print file[name] ":" all
		}
	}'
}

add_modules() {
	release=$(basename "$(echo "$work"/debian/boot/vmlinu[xz]-*)" | sed 's/^vmlinu.-//')
	into=$root/lib/modules/$release
	mkdir -p "$into"
	find "$work/debian" -path "*/lib/modules/$release/*" -name '*.ko*' >"$work/modules"
	copy_modules | modules_dep >"$into/modules.dep"
	echo "$boot_modules" | xargs >"$root/etc/modules"
}

add_programs() {
	for program in busybox dash bash dropbear ${agent:+qemu-ga}; do
		cp "$(find "$work/debian" -type f -path "*bin/$program" | head -n 1)" "$root/bin/"
	done
	set -f # the patterns are for find; lib64 only has a link to the host's loader
	for library in $guest_libraries; do
		find "$work/debian" -name "$library" -not -path '*/lib64/*' -exec cp -L {} "$root/lib/" \;
	done
	set +f
}

# bash's line editor reads the terminal's properties from these.
add_terminals() {
	mkdir -p "$root/lib/terminfo"
	find "$work/debian" -path '*/terminfo/[a-z]/*' | while read -r file; do
		dir=$root/lib/terminfo/$(basename "$(dirname "$file")")
		mkdir -p "$dir"
		cp -L "$file" "$dir/"
	done
}

# The guest's root directory, world-readable: its users are not all root.
fill_root() {
	umask 022
	root=$work/root
	mkdir -p "$root"
	cd "$root" || exit
	mkdir -p bin sbin usr/bin usr/sbin lib dev etc/dropbear proc root/.ssh run sys tmp
	ln -s lib lib64
	add_programs
	add_terminals
	add_modules
	cp "$share/init" init
	chmod 755 init
	chmod 700 root root/.ssh
	cp "$cache/ssh/id.pub" root/.ssh/authorized_keys
	dropbear_key "$cache/ssh/host" >etc/dropbear/host_key
	chmod 600 etc/dropbear/host_key
	printf '%s\n' /bin/sh /bin/ash /bin/dash /bin/bash >etc/shells
	printf '%s\n' root:x:0: tty:x:5: guest:x:1000: nogroup:x:65534: >etc/group
	# Shells on the consoles start with the HOME that busybox init sets.
	echo 'HOME=/root; cd' >etc/profile
	# Not compressed: for an emulated guest unpacking is slower than copying.
	find . | LC_ALL=C sort | cpio -o -H newc -R 0:0 --quiet >"$work/initrd"
}

build() {
	work=$(mktemp -d "$cache/tmp.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	trap 'exit 130' HUP INT TERM
	fetch
	image=$cache/image-$arch-$(image_hash)
	[ ! -e "$image" ] || return 0
	note "building the $arch image"
	unpack_debs
	(fill_root)
	mkdir "$work/image"
	cp "$work"/debian/boot/vmlinu[xz]-* "$work/image/vmlinuz"
	basename "$work"/debian/boot/vmlinu[xz]-* | sed 's/^vmlinu.-//' >"$work/image/release"
	mv "$work/initrd" "$work/image/initrd"
	mv "$work/image" "$image"
	# Remove what was not used for a month.
	find "$cache" "$cache/debs" -mindepth 1 -maxdepth 1 \
		\( -name 'image-*' -o -name '*.deb' -o -name 'tmp.*' \) -mtime +30 -exec rm -rf {} +
}

image_hash() {
	cat "$plan" "$share/init" "$share/initramfs.sh" "$cache/ssh/id.pub" \
		"$cache/ssh/host.pub" | sha256sum | cut -c 1-16
}

# Set $image, $release: a directory with vmlinuz and initrd for $arch and $kernel.
# Only one process builds at a time: the others wait, then find the image.
get_image() {
	plan=$cache/plan-$arch-${kernel:-default}${agent:+-agent}
	guest_packages="$guest_packages${agent:+ $agent_packages}"
	guest_libraries="$guest_libraries${agent:+ $agent_libraries}"
	exec 9<"$cache" # a lock without a separate file
	flock 9
	rm -rf "$cache"/tmp.* # left by a killed start
	check_tree "$cache" MEMHP_LAB_CACHE
	make_keys
	plan_is_fresh || make_plan
	image=$cache/image-$arch-$(image_hash)
	[ -e "$image/initrd" ] || (build)
	image=$cache/image-$arch-$(image_hash)
	read_release
	touch -c "$image"
	exec 9>&-
}

# Set $release: the output for eval is one line of known characters.
read_release() {
	release=$(cat "$image/release")
	case $release in
	'' | *[!A-Za-z0-9._+~-]*) die use "$image" 'it has no name of a release' "remove it, and it is made again: rm -rf '$image'" ;;
	esac
}
