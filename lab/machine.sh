# shellcheck shell=sh disable=SC2034,SC2154 # variables shared with memhp-lab
# SPDX-License-Identifier: GPL-3.0-or-later
# Sourced by memhp-lab.  A lab's QEMU: the binary, its hardware, how
# to run it, and the port that it forwards to the guest's ssh server.

# The differences between architectures and machines.  $devices are QEMU
# arguments without blanks; $console and $console2 are the guest's names for its
# two consoles; $cpu is the processor that is fastest to emulate.
set_arch() {
	host=$(dpkg --print-architecture 2>/dev/null) || host=amd64
	case $host in amd64 | arm64 | ppc64el) ;; *) host=amd64 ;; esac
	arch=${arch:-$host}
	firmware='' firmware_package=''
	case $arch in
	amd64)
		qemu=qemu-system-x86_64 qemu_package=qemu-system-x86
		machine=${machine:-q35} console=ttyS0 cpu=qemu64
		;;
	arm64)
		# Hotplug needs ACPI, and that needs UEFI firmware.
		firmware=/usr/share/qemu-efi-aarch64/QEMU_EFI.fd
		firmware_package="qemu-efi-aarch64"
		qemu=qemu-system-aarch64 qemu_package=qemu-system-arm
		machine=${machine:-virt} console=ttyAMA0 cpu=cortex-a57
		;;
	ppc64el)
		qemu=qemu-system-ppc64 qemu_package=qemu-system-ppc
		machine=${machine:-pseries,x-vof=on} console=hvc0 cpu=power9
		;;
	esac
	set_machine
}

set_machine() {
	devices='-serial chardev:serial0'
	second_serial='-serial chardev:serial1'
	virtconsole='virtio-serial-pci -device virtconsole,chardev=serial1'
	bus=pci console2=hvc0
	agent_port=virtserialport,bus=agent0.0,chardev=qga0,name=org.qemu.guest_agent.0
	case $machine in
	microvm*) bus=device second_serial="-device $(echo "$virtconsole" | sed s/pci/device/)" ;;
	isapc*) bus='' slots=${slots:-0} console2=ttyS1 ;;
	pseries*) console2=hvc1 ;;
	virt*) second_serial="-device $virtconsole -bios $firmware" ;;
	q35*)
		# Only to such a port can a virtio-mem device be added later.
		devices="$devices -device pcie-root-port,id=rp0"
		console2=ttyS1
		;;
	*) console2=ttyS1 ;;
	esac
	slots=${slots:-32}
	devices="$devices $second_serial"
	[ -n "$bus$agent" ] || return 0 # no virtio without PCI: no network
	[ -n "$bus" ] || usage "--agent needs virtio-serial, for which machine type '$machine' has no bus"
	devices="$devices -netdev user,id=net0,restrict=on,hostfwd=tcp:127.0.0.1:0-:22"
	[ "$bus" != pci ] || devices="$devices -device virtio-net-pci,netdev=net0,romfile="
	[ "$bus" = pci ] || devices="$devices -device virtio-net-$bus,netdev=net0"
	devices="$devices -device virtio-rng-$bus"
	[ -z "$agent" ] || devices="$devices -device virtio-serial-$bus,id=agent0"
	[ -z "$agent" ] || devices="$devices -device $agent_port"
}

# need TOOL PACKAGE
need() {
	command -v "$1" >/dev/null || missing="$missing $2"
}

check_tools() {
	missing=
	need apt-get apt
	need dpkg-deb dpkg
	need flock util-linux
	need cpio cpio
	need ssh-keygen openssh-client
	need "$qemu" "$qemu_package"
	[ -z "$firmware" ] || [ -e "$firmware" ] || missing="$missing $firmware_package"
	[ -z "$missing" ] || die start "$name" "missing on this machine:$missing" \
		"as root: apt-get install$missing"
}

# QEMU may not work with KVM even if /dev/kvm can be opened; once it has failed,
# do not try again before this machine's next boot.
choose_accel() {
	read -r boot_id </proc/sys/kernel/random/boot_id
	if [ -n "$accel" ]; then
		try=$accel
	elif [ "$arch" != "$host" ] || [ ! -w /dev/kvm ]; then
		try=tcg
	elif [ "$(cat "$cache/no-kvm" 2>/dev/null)" = "$boot_id" ]; then
		try=tcg
	else
		try=kvm
	fi
}

# True while an accelerator that the user did not choose is untested.
kvm_is_unproven() { [ -z "$accel" ] && [ "$try" = kvm ] && [ ! -s "$run/console.log" ]; }

give_up_kvm() {
	note 'KVM does not work here: emulating'
	echo "$boot_id" >"$cache/no-kvm"
	try=tcg
}

# A comma ends one of QEMU's options; a doubled one stands for a comma.
qemu_path() { echo "$1" | sed 's/,/,,/g'; }

# Run QEMU in its own session; $! is its pid.  "$@": the user's arguments.
launch() {
	q=$(qemu_path "$run")
	model=$cpu
	[ "$try" != kvm ] || model=host
	size=$memory
	[ "$slots" = 0 ] || size=$size,slots=$slots,maxmem=$maxmem
	sock=server=on,wait=off
	params="console=$console quiet panic=-1 mitigations=off memhp_lab.name=$name"
	params="$params memhp_lab.shell=$shell memhp_lab.console2=$console2"
	params="$params${login:+ memhp_lab.login=1}${agent:+ memhp_lab.agent=$agent}${append:+ $append}"
	# Without a PIT its kernel cannot always measure the emulated clock, and hangs.
	case $machine,$try in microvm*,tcg) params="$params tsc_early_khz=2000000 lpj=4000000" ;; esac
	# shellcheck disable=SC2086
	set -- -name "$name" -nodefaults -no-user-config -display none -no-reboot \
		-pidfile "$run/pid" -machine "$machine" -accel "$try" -cpu "$model" \
		-smp "$cpus" -m "$size" \
		-chardev "socket,id=qmp0,path=$q/qmp.sock,$sock" -mon chardev=qmp0,mode=control \
		-chardev "socket,id=qmp1,path=$q/qmp2.sock,$sock" -mon chardev=qmp1,mode=control \
		-chardev "socket,id=serial0,path=$q/serial.sock,$sock,logfile=$q/console.log" \
		-chardev "socket,id=serial1,path=$q/serial2.sock,$sock,logfile=$q/console2.log" \
		${agent:+-chardev "socket,id=qga0,path=$q/qga.sock,$sock"} \
		$devices -kernel "$image/vmlinuz" -initrd "$image/initrd" -append "$params" "$@"
	# QEMU must not inherit the caller's other files: an open pipe would keep the caller waiting.
	setsid "$qemu" "$@" </dev/null >"$run/qemu.log" 2>&1 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- &
	qemu_pid=$!
}

# QEMU chose the port: find its listening TCP socket, other than those in the
# user's arguments "$@".
ssh_port() {
	# shellcheck disable=SC2012 # only the links' targets are read
	sockets=$(ls -l "/proc/$qemu_pid/fd" | sed -n 's/.*socket:\[\(.*\)\]/\1/p' | xargs)
	# shellcheck disable=SC2013 # one number per line
	for port in $(awk -v sockets=" $sockets " \
		'$4 == "0A" && index(sockets, " " $10 " ") { print substr($2, 10) }' \
		"/proc/$qemu_pid/net/tcp"); do
		port=$((0x$port))
		case "$*" in *"$port"*) ;; *) echo "$port" && return ;; esac
	done
}
