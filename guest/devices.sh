# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh
#
# A part of guest.sh: devices that come and go, and what the kernel does with their memory by itself.
# shellcheck disable=SC2154 # what other files assign

#= appear mark

_marked=

# seconds: the guest's uptime
seconds() {
	read -r _now _ <"$_proc/uptime"
	_now=${_now%%[!0-9]*}
}

# mark: note how many devices have come and gone in the guest, before a DIMM does
mark() {
	get _marked "$_sys/../../../kernel/uevent_seqnum"
}

# absent BLOCK: say so; or that the kernel has given it up: devices have come or gone since the mark, but none
# since the last look, a second ago
absent() {
	get _events "$_sys/../../../kernel/uevent_seqnum"
	_word=absent
	[ -z "$_marked" ] || [ "$_events" = "$_marked" ] || [ "$_events" != "$_noted" ] || _word=gone
	_noted=$_events
	say "$_word $1"
}

# appear SECONDS FIRST-LAST...: wait until the blocks are there
appear() {
	seconds
	_end=$((_now + $1))
	shift
	for _range; do
		_n=${_range%-*}
		while [ "$_n" -le "${_range#*-}" ]; do
			until [ -e "$_sys/memory$_n/valid_zones" ]; do
				seconds
				[ "$_now" -lt "$_end" ] || {
					absent "$_n"
					return 1
				}
				sleep 0.01 || sleep 1
			done
			_n=$((_n + 1))
		done
	done
}

#= freeze_policy

# hold: keep the kernel from bringing new memory online by itself, in a zone of its choice, where it would be
# in use at once; until this session ends, however it does: a signal would end it without that, and after a
# hangup it ends with the input. It comes after a scan, which says what the policy was.
hold() {
	case $_auto in offline | -) return ;; esac
	_held=$_auto
	trap leave EXIT
	trap exit INT TERM
	trap '' HUP
	echo offline >"$_sys/auto_online_blocks"
}

# leave: give the kernel its policy back, and the console its modes, as without a policy
leave() {
	trap - EXIT
	echo "$_held" >"$_sys/auto_online_blocks"
	[ -z "$TTY" ] || exec stty "$TTY"
}

#= scan_news

_seen=

# watch: scan, if a device has come or gone, a block gone online or offline, or a policy become another since the last
# time; the first time, too. A kernel that does not count these events cannot tell.
watch() {
	get _events "$_sys/../../../kernel/uevent_seqnum"
	get _auto "$_sys/auto_online_blocks"
	get _policy "$_params/online_policy"
	[ "$_events" = - ] || [ "$_events $_auto $_policy" != "$_seen" ] || return
	_seen="$_events $_auto $_policy"
	scan
}

#= udev

# udev: a rule of the guest's own that brings memory online
udev() {
	_rules=$(cd "$_sys/../../../.." && grep -ls -e 'SUBSYSTEM=="memory".*online' -- */udev/rules.d/* usr/lib/udev/rules.d/*)
	[ -z "$_rules" ] || say "udev ${_rules%%"$_nl"*}"
}
