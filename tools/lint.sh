#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# lint.sh: static analysis, and the rules of shape: what rooms include, sizes, headers that stand alone.
set -u

failed=0
sources=$(git ls-files -co --exclude-standard -- '*.c' ':!tests')
headers=$(git ls-files -co --exclude-standard -- '*.h' ':!tests')

complain() {
	echo "lint: $*" >&2
	failed=1
}

# may_include ROOM: the rooms, besides itself, whose headers it may include: the architecture, as docs/design.md has
# it. A source at the root is a room of its own.
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
	for file in $sources $headers; do
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

check_sizes() {
	for file in $(git ls-files -co --exclude-standard -- '*.c' '*.h' '*.py' '*.sh'); do
		[ -e "$file" ] || continue
		lines=$(wc -l <"$file")
		[ "$lines" -le 500 ] || complain "$file has $lines lines: more than 500"
	done
	# shellcheck disable=SC2086 # file names, one word each
	ctags -x --c-kinds=f --fields=+e --_xformat='%F %N %n %e' $sources |
		awk '$4 - $3 + 1 > 45 { print "lint: " $2 "() in " $1 " has more than 45 lines"; bad = 1 }
		END { exit bad }' || failed=1
}

check_headers() {
	for header in $headers; do
		${CC:-cc} -std=gnu11 -D_GNU_SOURCE -I. -Wall -Wextra -fsyntax-only -x c "$header" ||
			complain "$header does not compile by itself"
	done
}

check_spdx() {
	git ls-files -co --exclude-standard -- '*.c' '*.h' '*.sh' '*.py' '*.awk' '*.bash' '*.fish' completions/_memhp Makefile |
		while read -r file; do
			[ ! -e "$file" ] || head -n 3 "$file" | grep -q 'SPDX-License-Identifier: GPL-3.0-or-later' ||
				echo "$file"
		done | grep . && complain 'the files above have no SPDX line'
}

check_banned() {
	# shellcheck disable=SC2086
	grep -nE '\b(strcpy|strcat|strncpy|sprintf|gets|atoi|system|popen)\(' $sources $headers &&
		complain 'the functions above are banned'
	# shellcheck disable=SC2086
	grep -nwE 'TODO|FIXME|XXX' $sources $headers guest/*.sh lab/* && complain 'something is left open'
}

check_rooms
check_sizes
check_headers
check_spdx
check_banned
shellcheck completions/memhp.bash guest/*.sh lab/memhp-lab lab/*.sh lab/init tests/support/*.sh tools/*.sh tools/bench/*.sh docs/recipes/*.sh || failed=1
git ls-files -co --exclude-standard -- '*.py' | xargs pyflakes3 || failed=1
# shellcheck disable=SC2086
cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
	-D_GNU_SOURCE -DMEMHP_VERSION='"0"' -I. -I"$BUILD" $sources || failed=1
# shellcheck disable=SC2086
clang-tidy --config-file=tools/clang-tidy --quiet $sources -- -std=gnu11 -D_GNU_SOURCE -DMEMHP_VERSION='"0"' -I. -I"$BUILD" 2>/dev/null || failed=1
[ "$failed" = 0 ] && echo 'lint: clean'
exit "$failed"
