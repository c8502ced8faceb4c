#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# rooms.sh: every file includes only what its room may include: the architecture, as docs/design.md has it.
set -u

failed=0
files=$(find . \( -path ./build -o -path ./tests -o -path ./.git \) -prune -o -name '*.[ch]' -print | sed 's|^\./||')

complain() {
	echo "lint: $*" >&2
	failed=1
}

# may_include ROOM: the rooms, besides itself, whose headers it may include. A source at the root is a room of its own.
may_include() {
	case $1 in
	lib) echo ;;
	cli | guest | qmp | sysfs) echo lib ;;
	qemu) echo lib qmp ;;
	vm) echo lib cli guest qmp sysfs ;;
	hotplug) echo lib guest qmp sysfs qemu ;;
	cmd) echo lib cli guest qmp sysfs qemu vm hotplug ;;
	memhp) echo lib cli guest cmd ;;
	*) complain "there is no room '$1'" ;;
	esac
}

# The room of a file: its folder, or at the root its name.
room_of() {
	room=${1%%/*}
	echo "${room%.[ch]}"
}

check_rooms() {
	for file in $files; do
		room=$(room_of "$file")
		allowed=" $room $(may_include "$room") "
		# shellcheck disable=SC2013 # names without blanks
		for header in $(sed -n 's/^#include "\(.*\)"$/\1/p' "$file"); do
			[ "$header" != guest-program.h ] || continue # made of guest/guest.sh
			[ -e "$header" ] || complain "$file includes $header, which is not named from the root"
			case $allowed in
			*" $(room_of "$header") "*) ;;
			*) complain "$file includes $header: room $room may not" ;;
			esac
		done
	done
}

check_rooms
exit "$failed"
