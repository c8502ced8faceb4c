#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# make demo: on a throw-away VM, plug 512M, use it, and unplug it. A line after "$ " is a command, its output
# follows, "#" shows the time it took. Exit 1 if the guest's MemTotal is not as expected.
set -eu

lab=$(dirname "$(readlink -f "$0")")
PATH=${MEMHP_BIN:+$(dirname "$MEMHP_BIN"):}$(dirname "$lab"):$lab:$PATH
MEMHP_LAB_DIR=$(mktemp -d /tmp/memhp-demo.XXXXXX) # short: socket paths have at most 107 bytes
export PATH MEMHP_LAB_DIR
unset MEMHP_TIMEOUT

stop() {
	trap - EXIT HUP INT PIPE TERM
	memhp-lab stop --quiet demo || :
	rmdir "$MEMHP_LAB_DIR" 2>/dev/null || :
}
trap 'status=$?; stop; exit "$status"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 141' PIPE
trap 'exit 143' TERM

fail() {
	echo "demo: FAILED: $*" >&2
	exit 1
}

centiseconds() {
	read -r up _ </proc/uptime
	echo "${up%.*}${up#*.}"
}

# show STATUS COMMAND...: print the command and run it; it must exit with STATUS
show() {
	expected=$1 status=0
	shift
	printf '$ %s\n' "$*"
	begun=$(centiseconds)
	"$@" 2>&1 || status=$?
	took=$(($(centiseconds) - begun))
	[ "$status" = 0 ] || printf '# exit %s\n' "$status"
	printf '# %s.%02d s\n\n' "$((took / 100))" "$((took % 100))"
	[ "$status" = "$expected" ] || fail "'$*' ended with $status, not $expected"
}

guest() { show 0 memhp-lab ssh demo "$@"; }

# The guest's MemTotal in KiB.
mem_total() { memhp-lab ssh demo cat /proc/meminfo | sed -n 's/^MemTotal: *\([0-9]*\) kB$/\1/p'; }
mib() { echo "$(($1 / 1024)) MiB"; }

# shellcheck disable=SC2016 # for the reader, not for the shell
echo '$ eval "$(memhp-lab start demo)"'
begun=$(memhp-lab start demo)
eval "$begun"
printf '%s\n\n' "$begun"

show 0 memhp list
guest free -m
before=$(mem_total)

show 0 memhp plug 512M
plugged=$(mem_total)
show 0 memhp list
memhp list | grep -q '^memhp0-dimm .* online ' || fail 'memhp0-dimm is not listed as online'
guest free -m
[ $((plugged - before)) = $((512 * 1024)) ] ||
	fail "MemTotal grew from $before kB to $plugged kB: not by 512 MiB"

echo '# Use it: 400 MiB would not have fitted before. While the guest needs them,'
echo '# memhp leaves everything as it is.'
guest mount -o remount,size=420m /tmp
guest dd if=/dev/zero of=/tmp/file bs=1M count=400
show 5 memhp unplug
guest rm /tmp/file

show 0 memhp unplug
show 0 memhp list
guest free -m
after=$(mem_total)
[ "$after" = "$before" ] || fail "MemTotal was $before kB and is $after kB"

echo "demo: ok: MemTotal $(mib "$before"), with the DIMM $(mib "$plugged"), then $(mib "$after")"
