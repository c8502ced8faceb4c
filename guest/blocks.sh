# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh
#
# Part of guest.sh: changing the state of memory blocks.
# shellcheck disable=SC2154 # assigned in other files
# shellcheck disable=SC2069 # only the error message is wanted

#= online move online_if_offline offline offline_fast refill

# A background job of a shell without job control has /dev/null as fd 0: keep the real one.
exec 8<&0

#= online move online_if_offline offline refill

# put BLOCK WORD: one write to a block's state; the kernel's reason goes to stdout
put() {
	echo "$2" 2>&1 >"$_sys/memory$1/state" && return
	# dash does not print errno: repeat with an external echo, which TERM must reach too
	case $(echo 2>&1 >/dev/full) in
	*' space '*) return 1 ;;
	esac
	env echo "$2" 2>&1 >"$_sys/memory$1/state" &
	trap 'kill -9 "$!";wait "$!";exit 1' INT TERM
	wait "$!"
}

# Another program may be faster: after a failed write the block's state counts.

# lower BLOCK: take a block offline
lower() {
	read -r _s <"$_sys/memory$1/state"
	[ "$_s" != offline ] || return 0
	put "$1" offline && return
	read -r _s <"$_sys/memory$1/state"
	[ "$_s" = offline ]
}

_told='' _step=1 _skip=1

# tell BLOCK: report it as done, at most once a second; the first and the last one always. Reading the clock takes a
# tenth of the time of a block: when many are done in a second, it is read for every sixteenth.
tell() {
	_skip=$((_skip - 1))
	[ "$_skip" = 0 ] || return 0
	read -r _now _ <"$_proc/uptime"
	[ "${_now%.*}" != "$_told" ] || _step=$((_step < 16 ? _step * 2 : 16)) _skip=$_step
	[ "$_skip" = 0 ] || return 0
	_told=${_now%.*} _step=1 _skip=1
	set -- "at $1"
	printf '%s\n' "@$_id.$_exchange 0 ${#1} $1 0 ${#1} $_id@" >&3
}

# each FUNCTION ZONE FROM-TO...: call it for blocks upwards or downwards, up to the first that fails; prints that one
each() {
	_call=$1 _zone=$2
	shift 2
	for _range; do
		_n=${_range%-*} _to=${_range#*-} _by=1
		[ "$_n" -le "$_to" ] || _by=-1
		while :; do
			if ! "$_call" "$_n" "$_zone"; then
				echo "$_n"
				return 1
			fi
			[ "$_n" -ne "$_to" ] || break
			tell "$_n"
			_n=$((_n + _by))
		done
	done
	_told='' _skip=1
	tell "$_n"
}

# listen OPTION: kill the parent process when memhp cancels or goes away, or is silent for longer than that option of
# read allows; when the input is not memhp's, end the session too
listen() {
	read -r _ _ _ _job _ </proc/self/stat
	# shellcheck disable=SC2229 # an option
	while read -r "$1" _line; do
		case $_line in
		*'&&q') break ;;
		*'&&again' | 'echo @'* | '') ;;
		*)
			kill "$_job" "$$"
			return
			;;
		esac
	done
	kill "$_job"
}

# alarm SECONDS: kill the parent process when time is up
alarm() {
	read -r _ _ _ _job _ </proc/self/stat
	trap 'kill -9 "$!";wait "$!";exit' TERM
	sleep "$1" &
	wait "$!" && kill "$_job"
}

# guard SECONDS COMMAND...: run it beside guards that can kill it; their pids are the first line of output. A limit on
# CPU time does not help: it takes effect on return to user space, which a write that hangs never reaches.
guard() {
	if [ "$_timed" ]; then
		_limit=-t$1
		_guards=
	else
		_limit=-r
		{ alarm "$1"; } >/dev/null &
		_guards=$!
	fi
	# in braces: for a function dash would keep the output open, and hide the end of this one
	{ listen "$_limit"; } <&8 >/dev/null &
	_guards="$! $_guards"
	echo "$_guards"
	# if the guest runs out of memory, the OOM killer must pick this process and no other
	echo 1000 >/proc/self/oom_score_adj
	shift
	"$@"
	_status=$?
	dismiss
	# shellcheck disable=SC2086 # one or two
	wait $_guards
	return "$_status"
}

# dismiss: end the guards. The one that listens has nothing to restore; it gets SIGKILL because a bash that is about to
# block in read may lose any other signal.
dismiss() {
	# shellcheck disable=SC2086 # one or two
	kill $_guards
	kill -9 "${_guards%% *}"
}

# change SECONDS FUNCTION ZONE FROM-TO...: say which block failed and why, or that it was stopped
change() {
	_limit=$1
	shift
	_output=$(guard "$_limit" each "$@") && return
	_guards=${_output%%"$_nl"*}
	_output=${_output#"$_guards"}
	_failed=${_output##*"$_nl"}
	case $_failed in
	'' | *[!0-9]*)
		# the one that is left: else the console's next line is for it
		dismiss
		say stopped
		return
		;;
	esac
	_why=${_output%"$_nl"*}
	_why=${_why##*"$_nl"}
	say "failed $_failed ${_why##*: }"
}

#= online move online_if_offline

# lies BLOCK ZONE: is the block online in that zone (movable, kernel, any)?
lies() {
	read -r _s <"$_sys/memory$1/state"
	[ "$_s" = online ] || return
	read -r _z <"$_sys/memory$1/valid_zones"
	case "$2 $_z" in
	'any '* | 'movable Movable' | 'kernel '[DHN]*) ;;
	*) return 1 ;;
	esac
}

# raise BLOCK ZONE: bring a block online, moving it if it is online in another zone
raise() {
	lies "$1" "$2" && return
	[ "$_s" != online ] || put "$1" offline || return
	_word=online_$2
	[ "$2" != any ] || _word=online
	put "$1" "$_word" || lies "$1" "$2"
}

# lift BLOCK ZONE: bring a block online in that zone, unless it is online already
lift() {
	lies "$1" any || raise "$1" "$2"
}

#= online_fast

# swift WORD FIRST-LAST...: write WORD to the state of each block, upwards; a scan shows the outcome
swift() {
	_word=$1
	shift
	for _range; do
		_n=${_range%-*}
		while [ "$_n" -le "${_range#*-}" ]; do
			echo "$_word" >"$_sys/memory$_n/state" || return
			_n=$((_n + 1))
		done
	done
}

#= offline_fast

# ease SECONDS FROM-TO...: take blocks offline downwards, up to the first that fails; the fast way: in this shell
# itself, with one guard. When time is up or input comes, the guard kills the whole session with the write that hangs;
# if the guest runs out of memory, the OOM killer must pick this shell and no other program. Not while the kernel's
# policy is changed, which would not be restored.
ease() {
	[ -z "$_held" ] || return
	_score=$_proc/$$/oom_score_adj _was=
	read -r _was <"$_score"
	{
		# shellcheck disable=SC3045 # only run where it is supported
		while read -r -t "$1" _line; do
			case $_line in *'&&again' | 'echo @'* | '') ;; *) break ;; esac
		done
		kill -9 "$$"
	} <&8 3>&- &
	echo 1000 >"$_score"
	shift
	for _range; do
		_n=${_range%-*}
		while echo offline >"$_sys/memory$_n/state"; do
			[ "$_n" -ne "${_range#*-}" ] || continue 2
			_n=$((_n - 1))
		done
		break
	done
	# a bash that is about to block in read may lose any other signal
	kill -9 "$!"
	wait "$!"
	echo "$_was" >"$_score"
}
