#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# by-hand.sh RUN VERB COUNT SIZE FIRST LAST: memory hotplug as scripts do it, with socat for the monitor and the
# console of the lab VM in RUN. It waits by looking again every tenth of a second, and checks only what it must.
set -eu

run=$1 verb=$2 count=$3 size=$4 first=$5 last=$6
bytes=$((${size%M} * 1024 * 1024))
memory=/sys/devices/system/memory
answer=$run/by-hand.fifo
trap 'rm -f "$answer"' EXIT
mkfifo "$answer"

# Send the requests of stdin; QEMU drops a client that has closed its end, so it gets a moment to answer.
qmp() {
	{
		echo '{"execute": "qmp_capabilities"}'
		cat
		sleep 0.1
	} | socat - "UNIX-CONNECT:$run/qmp2.sock"
}

# Type a line at the console and print what comes, up to the end of what it does. What is typed while the shell
# still makes its prompt can be lost: it gets a moment too.
guest() {
	{
		sleep 0.1
		echo "$1; echo d''one"
	} | socat -t 300 - "UNIX-CONNECT:$run/serial2.sock,shut-none" >"$answer" 2>/dev/null &
	sed '/^done/q' <"$answer"
	kill "$!"
}

each() {
	i=0
	while [ "$i" -lt "$count" ]; do
		"$1"
		i=$((i + 1))
	done
}

add() {
	echo '{"execute": "object-add", "arguments":' \
		"{\"qom-type\": \"memory-backend-ram\", \"id\": \"hand$i-mem\", \"size\": $bytes}}"
	echo '{"execute": "device_add", "arguments":' \
		"{\"driver\": \"pc-dimm\", \"id\": \"hand$i\", \"memdev\": \"hand$i-mem\"}}"
}

delete() { echo "{\"execute\": \"device_del\", \"arguments\": {\"id\": \"hand$i\"}}"; }
forget() { echo "{\"execute\": \"object-del\", \"arguments\": {\"id\": \"hand$i-mem\"}}"; }
devices() { echo '{"execute": "query-memory-devices"}' | qmp; }
change() { guest "for i in \$(seq $2 $3 $4); do echo $1 >$memory/memory\$i/state; done"; }

case $verb in
plug)
	each add | qmp
	guest "until [ -e $memory/memory$last/valid_zones ]; do sleep 0.1; done"
	change online_movable "$first" 1 "$last"
	;;
unplug)
	change offline "$last" -1 "$first"
	each delete | qmp
	while devices | grep '"id": "hand' >/dev/null; do sleep 0.1; done
	each forget | qmp
	;;
online) change online_movable "$last" 1 "$last" ;;
offline) change offline "$last" 1 "$last" ;;
list)
	devices
	guest "grep . $memory/memory*/state $memory/memory*/valid_zones"
	;;
esac
