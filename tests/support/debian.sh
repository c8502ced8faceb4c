#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# debian.sh: make a root file system of Debian for the guest of tests/vm/test_login.py, once, and print its path.
# systemd, agetty, login with PAM, bash and sudo are the distribution's own. As root; "memhp-lab start" boots it with
# --append memhp_lab.root=/dev/vda -- -drive file=PATH,if=virtio,format=raw,snapshot=on
set -eu
umask 022

cache=${MEMHP_LAB_CACHE:-${XDG_CACHE_HOME:-${HOME:?}/.cache}/memhp-lab}
# shellcheck source=/dev/null
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
image=$cache/debian-$suite-$(sha256sum <"$0" | cut -c 1-16).ext4
mkdir -p "$cache"
exec 9>"$cache/debian.lock"
flock 9
if [ -e "$image" ]; then
	touch "$image"
	echo "$image" && exit
fi
work=$(mktemp -d "$(dirname "$cache")/memhp-debian.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' HUP INT TERM
root=$work/root

in_root() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C "$@"; }

# user NAME PASSWORD SHELL
user() {
	in_root useradd -m -s "$3" "$1"
	echo "$1:$2" | in_root chpasswd -c SHA256
}

debootstrap --variant=minbase --include=systemd,systemd-sysv,udev,sudo,tcsh "$suite" "$root" >"$cache/debian.log" 2>&1

echo root:root | in_root chpasswd -c SHA256
user admin admin /bin/bash
user csh csh /bin/tcsh
user plain plain /bin/bash
user expired expired /bin/bash
user closed closed /usr/sbin/nologin
user open open /bin/bash
in_root passwd -q -d open
in_root chage -d 0 expired
cat >"$root/etc/sudoers.d/memhp" <<'END'
admin, csh ALL=(root) NOPASSWD: /bin/sh
open ALL=(root) NOPASSWD: ALL
END
chmod 440 "$root/etc/sudoers.d/memhp"
# What people's prompts are like.
# shellcheck disable=SC2016,SC2028 # for bash
echo 'PS1="\[\e]0;\u@\h\a\e[1;32m\]\u@\h\[\e[0m\]:\[\e[34m\]\w\[\e[0m\]\$ "' |
	tee -a "$root/root/.bashrc" >>"$root/home/admin/.bashrc"
printf 'Welcome.\nTo use this machine, do not login: it is a test.\nPassword: none is asked for here.\n\n' >"$root/etc/motd"
echo guest >"$root/etc/hostname"
printf '127.0.0.1 localhost\n127.0.1.1 guest\n' >"$root/etc/hosts" # sudo looks it up

# The second console is the tests' own, without the first one's login.
cat >"$root/etc/systemd/system/console2.service" <<'END'
[Unit]
DefaultDependencies=no
[Service]
Environment=HOME=/root
ExecStart=-/bin/sh -i
Restart=always
StandardInput=tty-force
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS1
[Install]
WantedBy=sysinit.target
END
in_root systemctl -q enable console2.service serial-getty@ttyS0.service
# An emulated processor takes seconds for each of these, and nothing here needs them.
in_root systemctl -q mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer \
	e2scrub_reap.service getty@tty1.service systemd-timesyncd.service systemd-random-seed.service \
	systemd-update-utmp.service systemd-update-utmp-runlevel.service systemd-pstore.service \
	systemd-journal-flush.service systemd-binfmt.service systemd-hwdb-update.service ldconfig.service \
	systemd-firstboot.service systemd-sysusers.service systemd-logind.service proc-sys-fs-binfmt_misc.automount \
	sys-kernel-debug.mount sys-kernel-tracing.mount dev-hugepages.mount dev-mqueue.mount systemd-tmpfiles-clean.timer \
	systemd-udev-settle.service systemd-network-generator.service modprobe@drm.service
rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/doc "$root"/usr/share/man \
	"$root"/usr/share/locale "$root"/usr/share/zoneinfo
mkdir -p "$root/var/lib/apt/lists/partial"
find "$root/var/log" -type f -delete
echo 0123456789abcdef0123456789abcdef >"$root/etc/machine-id"
mke2fs -q -t ext4 -O '^has_journal,^metadata_csum' -m 0 -d "$root" "$work/image" 400M >>"$cache/debian.log" 2>&1
rm -f "$cache"/debian-*.ext4
mv "$work/image" "$image"
echo "$image"
