#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# memcheck.sh MEMHP TEST_PROGRAM...: run the unit tests, the fuzz targets on their corpus, and the tests of repair with a
# scripted QEMU, all under valgrind: what reads beyond its memory, uses what was never set or leaks a byte is a failure. The
# deadlines of the other tests do not suit a program that is twenty times slower; those run with SAN=1.
set -eu

memhp=$1
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
check='valgrind -q --error-exitcode=99 --leak-check=full --show-leak-kinds=definite,possible --errors-for-leak-kinds=definite'
for program; do
	name=$(basename "$program")
	case $name in
	fuzz_*) set -- tests/fuzz/corpus/"${name#fuzz_}"/* ;;
	*) set -- ;;
	esac
	# cmocka forks nothing; what readline keeps until the end is reachable, and no leak
	if ! $check "$program" "$@" >"$work/log" 2>&1; then
		cat "$work/log"
		exit 1
	fi
	echo "  MEMCHECK  $name"
done
printf '#!/bin/sh\nexec %s --log-file=%s/log.%%p %s "$@"\n' "$check" "$work" "$memhp" >"$work/memhp"
chmod +x "$work/memhp"
MEMHP_BIN=$work/memhp /usr/bin/python3 -m pytest -q tests/peer/test_repair.py -x
find "$work" -name 'log.*' -size +0 -exec cat {} + | grep . && exit 1
echo 'memcheck: clean'
