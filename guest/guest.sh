#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The guest half of memhp: a POSIX sh program that memhp sends to a root shell in the guest over
# any channel, and then calls line by line: "begin 2&&{ appear 9 32-35;scan;answer;}".
# It runs under dash, bash and busybox ash, and forks only for writes that may have to be killed.
# Answers go to fd 3; stdout and stderr are /dev/null. This file comes first, then the other *.sh beside it.
#
# pack.awk packs it: on a console each byte costs time, so what only some requests need is a separate piece, begun by
# "#= VERB..." of guest/request.h. Variables are marked, as _name; pack.awk refuses what it does not understand.
#
# An answer consists of frames, each a line "@ID.EXCHANGE SEQUENCE LENGTH PAYLOAD SEQUENCE LENGTH ID@": text that the
# kernel or an echo puts between or into them is detected, and memhp asks for the same answer again. A frame with the
# sequence 0 is not part of the answer: it reports the progress of a command.
# shellcheck disable=SC2154 # get() assigns by name, and the other files use what is assigned
# shellcheck disable=SC2034

# MEMHP, set before this is read, is the session's id; it also tells a leftover session apart.
_id=$MEMHP
export LC_ALL=C
# The first argument is a directory with a recorded /sys, for tests; no environment variable can set it.
_sys=$1/sys/devices/system/memory
_params=$1/sys/module/memory_hotplug/parameters
_proc=$1/proc
# a newline without a literal one: a new shell's IFS is blank, tab, newline
_nl=${IFS#??}
_held='' _node='' _key='' _last=0 _release='' _auto='' _policy=''

# begin EXCHANGE: start an answer
begin() {
	_exchange=$1 _seq=0 _frames='' _new=
}

# say PAYLOAD: add a frame; appending copies the whole string, so the long one grows only now and then
say() {
	_seq=$((_seq + 1))
	_new="$_new@$_id.$_exchange $_seq ${#1} $1 $_seq ${#1} $_id@$_nl"
	[ $((_seq % 256)) != 0 ] || _frames=$_frames$_new _new=
}

# answer: end the answer and send it
answer() {
	say end
	again
}

# again: send the last answer once more
again() {
	printf '%s' "$_frames$_new" >&3
}

# q: memhp sends it to cancel; it runs only when there is nothing left to cancel
q() {
	:
}

# info: kernel and policies, as far as a scan has read them; whether this shell can change blocks, and whether its read
# takes a time limit (not in dash)
info() {
	_root=0 _timed=' timed' _memmap=
	[ ! -w "$_sys/uevent" ] || _root=1
	read -r _memmap <"$_params/memmap_on_memory"
	# shellcheck disable=SC3045 # this tests for it
	read -r -t 0 _ </dev/null
	[ "$?" -ne 2 ] || _timed=
	say "guest ${_release:--} $_root ${_auto:--} ${_policy:--} ${_memmap:--}$_timed"
}

# memory: the first three lines of meminfo, in KiB; the third has another name in kernels before Linux 3.14
memory() {
	_name='' _total='' _free=''
	{
		read -r _ _total _
		read -r _ _free _
		read -r _name _value _
	} <"$_proc/meminfo"
	[ "$_name" = MemAvailable: ] || _value=
	say "memory ${_total:--} ${_free:--} ${_value:--}"
}

# flush: say the blocks collected so far, and start again
flush() {
	[ -z "$_key" ] || say "blocks $_first $_last $_key"
	_key=
}

# collect DIRECTORY...: say runs of blocks that agree in everything
collect() {
	for _d; do
		_n=${_d##*/memory} _s='' _r='' _z=''
		read -r _s <"$_d/state"
		# without a state it has just gone, or is not a block
		[ -n "$_s" ] || continue
		read -r _r <"$_d/removable"
		# Linux may kill a process that reads the zones of a new block before the block has its node
		[ "$_s" != online ] || read -r _z <"$_d/valid_zones"
		# usually that of the previous block
		[ -e "$_d/node$_node" ] || for _node in "$_d"/node[0-9]*; do
			_node=${_node##*/node}
			# without a node this is the pattern itself
			_node=${_node%%[!0-9]*}
		done
		_now="$_s ${_node:--} ${_r:--} ${_z:--}"
		[ "$_n $_now" = "$((_last + 1)) $_key" ] || {
			flush
			_first=$_n _key=$_now
		}
		_last=$_n
	done
}

# facts: everything but the blocks
facts() {
	info
	memory
	_size=
	read -r _size <"$_sys/block_size_bytes"
	say "size ${_size:--}"
}

#= scan scan_news appear mark blocker

# get VARIABLE FILE: the first line of a file, or "-"
get() {
	eval "$1="
	[ ! -r "$2" ] || read -r "$1" <"$2"
	eval "$1=\${$1:--}"
}

#= scan scan_news

# scan: everything memhp needs to know; blocks ordered by number without sorting
scan() {
	get _release "$_proc/sys/kernel/osrelease"
	get _auto "$_sys/auto_online_blocks"
	get _policy "$_params/online_policy"
	facts
	_digits=
	for _ in 1 2 3 4 5 6 7; do
		_digits="${_digits}[0-9]"
		# shellcheck disable=SC2086 # a pattern
		collect "$_sys"/memory$_digits
	done
	flush
}

#= blocks blocks_at

# near UNIT FIRST-LAST...: blocks by number (UNIT is 1), or after facts by address (UNIT is 0x), if the block size is
# hexadecimal and at least 1 MiB. A shell may execute text in arithmetic: only digits from a file get there.
near() {
	_unit=$1
	case $1$_size in
	1*) ;;
	0x0* | 0x*[!0-9a-f]*) return ;;
	0x??????*) _unit=$1$_size ;;
	*) return ;;
	esac
	shift
	for _range; do
		_n=$((${_range%-*} / _unit))
		while [ "$_n" -le $((${_range#*-} / _unit)) ]; do
			collect "$_sys/memory$_n"
			_n=$((_n + 1))
		done
	done
	flush
}
