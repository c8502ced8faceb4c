#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# package.sh ARCHIVE DIRECTORY: make Debian packages and an RPM of the archive of `make dist` below DIRECTORY,
# check them, install the Debian ones in a fresh system, use them there and remove them again. As root.
# SUITE (that of this system) and MIRROR say what the fresh system is; it is made once.
set -eu

archive=$(readlink -f "$1")
release=$(basename "$archive" .tar.gz)
mkdir -p "$2"
work=$(readlink -f "$2")
root=$work/root
# shellcheck source=/dev/null
suite=${SUITE:-$(. /etc/os-release && echo "$VERSION_CODENAME")}
mirror=${MIRROR:-http://deb.debian.org/debian}

say() {
	echo "  PACKAGE  $*"
}

die() {
	echo "package.sh: $*" >&2
	exit 1
}

# run LOG COMMAND...: quietly, unless it fails
run() {
	log=$work/$1.log
	shift
	"$@" >"$log" 2>&1 || {
		tail -n 30 "$log" >&2
		die "failed: $*"
	}
}

build_debs() {
	rm -rf "$work/deb"
	mkdir "$work/deb"
	tar -xzf "$archive" -C "$work/deb"
	cd "$work/deb/$release"
	run dpkg-buildpackage dpkg-buildpackage -us -uc -b
	cd "$work"
	lintian --allow-root --fail-on error,warning "$work"/deb/*.changes || die 'lintian has complaints'
	say "$(cd "$work/deb" && echo memhp_*.deb memhp-lab_*.deb): built, lintian is content"
}

build_rpm() {
	run rpmbuild rpmbuild -ta --nodeps --define "_topdir $work/rpm" "$archive"
	rpm=$(find "$work/rpm/RPMS" -name "$release-*.rpm")
	for file in bin/memhp share/man/man1/memhp.1 share/man/man5/memhp.conf.5 share/fish share/zsh \
		share/bash-completion; do
		rpm -qpl "$rpm" 2>/dev/null | grep -q "/$file" || die "the RPM has no $file"
	done
	say "$(basename "$rpm"): built"
}

make_root() {
	[ -e "$root/.made" ] && return
	rm -rf "$root"
	run debootstrap debootstrap --variant=minbase "$suite" "$root" "$mirror"
	touch "$root/.made"
	say "a fresh $suite"
}

inside() {
	chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C DEBIAN_FRONTEND=noninteractive "$@"
}

check_use() {
	version=${release#memhp-}
	[ "$(inside memhp --version)" = "memhp $version" ] || die 'the program does not run'
	inside sh -c 'memhp list; [ $? = 3 ]' 2>"$work/list.log" || die 'list does not say that there is no QEMU'
	grep -q '^memhp: ' "$work/list.log" || die 'list says nothing'
	[ "$(inside memhp __complete unp | cut -d' ' -f1)" = unplug ] || die 'no completion'
	inside memhp-lab --help >/dev/null || die 'the lab does not run'
	# shellcheck disable=SC2016 # for the inner shell
	inside bash -c '. /usr/share/bash-completion/completions/memhp && COMP_LINE="memhp unp" COMP_POINT=9 &&
		_memhp memhp && [ "${COMPREPLY[*]}" = unplug ]' || die 'bash completes nothing'
	say 'installed and used'
}

check_install() {
	inside dpkg --purge memhp memhp-lab >/dev/null 2>&1 || : # of a run that has failed
	run update inside apt-get -q update
	rm -rf "$root/debs"
	mkdir "$root/debs"
	cp "$work"/deb/memhp_*.deb "$work"/deb/memhp-lab_*.deb "$root/debs"
	run install inside sh -c 'apt-get -qy --no-install-recommends install /debs/*.deb'
	check_use
	run purge inside apt-get -qy purge memhp memhp-lab
	rm -r "$root/debs"
	left=$(inside find / -xdev -name '*memhp*')
	[ -z "$left" ] || die "purging leaves behind: $left"
	say 'purged without a trace'
}

[ "$(id -u)" = 0 ] || die 'only root can make a fresh system'
build_debs
build_rpm
make_root
check_install
