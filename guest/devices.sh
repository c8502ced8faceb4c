# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh
#
# Part of guest.sh: devices that come and go, and what the kernel does with their memory by itself.
# shellcheck disable=SC2154 # assigned in other files

#= appear mark

_marked=

# seconds: the guest's uptime
seconds() {
	read -r _now _ <"$_proc/uptime"
	_now=${_now%%[!0-9]*}
}

# mark: note the count of device events in the guest, before a DIMM comes or goes
mark() {
	get _marked "$_sys/../../../kernel/uevent_seqnum"
}

# absent BLOCK: report that it is absent, or that the kernel has given it up: there were device events since the mark,
# but none since the last check, a second ago
absent() {
	get _events "$_sys/../../../kernel/uevent_seqnum"
	_word=absent
	[ -z "$_marked" ] || [ "$_events" = "$_marked" ] || [ "$_events" != "$_noted" ] || _word=gone
	_noted=$_events
	say "$_word $1"
}

# appear SECONDS FIRST-LAST...: wait until the blocks exist
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

# hold: keep the kernel from bringing new memory online by itself, in a zone of its choice and in use at once, until
# this session ends, in whatever way: the traps restore the policy after a signal too; after a hangup the session ends
# with its input. A scan comes first: it reads the policy.
hold() {
	case $_auto in offline | -) return ;; esac
	_held=$_auto
	trap leave EXIT
	trap exit INT TERM
	trap '' HUP
	echo offline >"$_sys/auto_online_blocks"
}

# leave: restore the kernel's policy, and the console's modes, as without a policy
leave() {
	trap - EXIT
	echo "$_held" >"$_sys/auto_online_blocks"
	[ -z "$TTY" ] || exec stty "$TTY"
}

#= scan_news

_seen=

# watch: scan the first time, and if since the last time a device came or went, a block went online or offline, or a
# policy changed. Scan always if the kernel does not count these events.
watch() {
	get _events "$_sys/../../../kernel/uevent_seqnum"
	get _auto "$_sys/auto_online_blocks"
	get _policy "$_params/online_policy"
	[ "$_events" = - ] || [ "$_events $_auto $_policy" != "$_seen" ] || return
	_seen="$_events $_auto $_policy"
	scan
}

#= udev

# udev: find a udev rule of the guest that brings memory online
udev() {
	_rules=$(cd "$_sys/../../../.." && grep -ls -e 'SUBSYSTEM=="memory".*online' -- */udev/rules.d/* usr/lib/udev/rules.d/*)
	[ -z "$_rules" ] || say "udev ${_rules%%"$_nl"*}"
}
