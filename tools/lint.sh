#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# lint.sh: static analysis, and the rules of shape: what rooms include (rooms.sh), sizes, headers that stand alone.
set -u

failed=0
sources=$(git ls-files -co --exclude-standard -- '*.c' ':!tests')
headers=$(git ls-files -co --exclude-standard -- '*.h' ':!tests')

complain() {
	echo "lint: $*" >&2
	failed=1
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

tools/rooms.sh || failed=1
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
