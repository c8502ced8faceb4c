#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# lint.sh ROW...: static analysis, and the rules of shape: rows of includes, sizes, headers that stand alone.
# ROWS come from the Makefile, lowest first: a file includes only what stands before it.
set -u

failed=0

complain() {
	echo "lint: $*" >&2
	failed=1
}

check_rows() {
	below=' '
	for row; do
		for file in "$row.c" "$row.h"; do
			[ -e "$file" ] || continue
			headers=$(sed -n 's/^#include "\(.*\)\.h"$/\1/p' "$file")
			for header in $headers; do
				case $below$row' guest-program ' in
				*" $header "*) ;;
				*) [ "$header" = "$row" ] || complain "$file includes $header.h, which is not below it" ;;
				esac
			done
		done
		below="$below$row "
	done
	for file in *.c; do
		case $below in
		*" ${file%.c} "*) ;;
		*) complain "$file stands in no row of the Makefile" ;;
		esac
	done
}

check_sizes() {
	for file in *.c; do
		lines=$(wc -l <"$file")
		[ "$lines" -le 500 ] || complain "$file has $lines lines: more than 500"
	done
	ctags -x --c-kinds=f --fields=+e --_xformat='%F %N %n %e' ./*.c |
		awk '$4 - $3 + 1 > 80 { print "lint: " $2 "() in " $1 " has more than 80 lines"; bad = 1 }
		END { exit bad }' || failed=1
}

check_headers() {
	for header in *.h; do
		${CC:-cc} -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -fsyntax-only -x c "$header" ||
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
	grep -nE '\b(strcpy|strcat|strncpy|sprintf|gets|atoi|system|popen)\(' ./*.c ./*.h &&
		complain 'the functions above are banned'
	grep -nwE 'TODO|FIXME|XXX' ./*.c ./*.h guest.sh lab/* && complain 'something is left open'
}

check_rows "$@"
check_sizes
check_headers
check_spdx
check_banned
shellcheck completions/memhp.bash guest.sh lab/memhp-lab lab/*.sh lab/init tests/*.sh tools/*.sh tools/bench/*.sh docs/recipes/*.sh || failed=1
git ls-files -co --exclude-standard -- '*.py' | xargs pyflakes3 || failed=1
cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
	-D_GNU_SOURCE -DMEMHP_VERSION='"0"' -I"$BUILD" ./*.c || failed=1
clang-tidy --quiet ./*.c -- -std=gnu11 -D_GNU_SOURCE -DMEMHP_VERSION='"0"' -I"$BUILD" 2>/dev/null || failed=1
[ "$failed" = 0 ] && echo 'lint: clean'
exit "$failed"
