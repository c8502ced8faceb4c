# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh
#
# A part of guest.sh: changing the state of memory blocks.
# shellcheck disable=SC2154 # what other files assign
# shellcheck disable=SC2069 # the message is wanted, the word is not

#= online move online_if_offline offline offline_fast refill

# A background job of a shell without job control has /dev/null as fd 0: keep the real one.
exec 8<&0

#= online move online_if_offline offline refill

# put BLOCK WORD: one write to a block's state; the kernel's reason goes to stdout
put() {
	echo "$2" 2>&1 >"$_sys/memory$1/state" && return
	# dash does not say errno: repeat with an external echo, which TERM has to reach too
	case $(echo 2>&1 >/dev/full) in
	*' space '*) return 1 ;;
	esac
	env echo "$2" 2>&1 >"$_sys/memory$1/state" &
	trap 'kill -9 "$!";wait "$!";exit 1' INT TERM
	wait "$!"
}

# Somebody else may be faster than we are: after a failed write it is the block's state that counts.

# lower BLOCK: take a block offline
lower() {
	read -r _s <"$_sys/memory$1/state"
	[ "$_s" != offline ] || return 0
	put "$1" offline && return
	read -r _s <"$_sys/memory$1/state"
	[ "$_s" = offline ]
}

_told='' _step=1 _skip=1

# tell BLOCK: say that it is done, at most once a second; the first and the last one always. A look at the clock takes
# as long as a tenth of a block: where many are done in a second, it is for every sixteenth.
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

# each FUNCTION ZONE FROM-TO...: upwards or downwards, to the first block that fails; prints that
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

# listen OPTION: kill the process that has begun this one when memhp cancels or goes away, or says nothing for as
# long as the option of read has it; when somebody else is at the console, end the session too
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

# alarm SECONDS: kill the process that has begun this one when time is up
alarm() {
	read -r _ _ _ _job _ </proc/self/stat
	trap 'kill -9 "$!";wait "$!";exit' TERM
	sleep "$1" &
	wait "$!" && kill "$_job"
}

# guard SECONDS COMMAND...: run it, and those that kill it, whose numbers are the first line of output. A limit of
# CPU time would not do: it takes effect on the return to user space, where the hanging write never gets.
guard() {
	if [ "$_timed" ]; then
		_limit=-t$1
		_guards=
	else
		_limit=-r
		{ alarm "$1"; } >/dev/null &
		_guards=$!
	fi
	# in braces: dash would keep the output open for a function, and the end of this one would not show
	{ listen "$_limit"; } <&8 >/dev/null &
	_guards="$! $_guards"
	echo "$_guards"
	# where the guest runs out of memory over it, this is to end and nobody else's program
	echo 1000 >/proc/self/oom_score_adj
	shift
	"$@"
	_status=$?
	dismiss
	# shellcheck disable=SC2086 # one or two
	wait $_guards
	return "$_status"
}

# dismiss: end the guards. The one that listens has nothing to put back, and a bash that is about to wait in its read
# may lose any other signal.
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

# lies BLOCK ZONE: is the block online, in that zone (movable, kernel, any)?
lies() {
	read -r _s <"$_sys/memory$1/state"
	[ "$_s" = online ] || return
	read -r _z <"$_sys/memory$1/valid_zones"
	case "$2 $_z" in
	'any '* | 'movable Movable' | 'kernel '[DHN]*) ;;
	*) return 1 ;;
	esac
}

# raise BLOCK ZONE: bring a block online, moving it when it is online in another zone
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

# swift WORD FIRST-LAST...: write WORD to the state of each block, upwards; a scan shows what came of it
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

# ease SECONDS FROM-TO...: take blocks offline downwards, to the first that fails: the short way, in this shell itself,
# with one guard beside it. When time is up, or a word comes, that ends the whole session, with the write that hangs;
# where the guest runs out of memory over it, this shell is to end and nobody else's program. Not while it holds the
# kernel's policy, which would not be put back.
ease() {
	[ -z "$_held" ] || return
	_score=$_proc/$$/oom_score_adj _was=
	read -r _was <"$_score"
	{
		# shellcheck disable=SC3045 # only done where it is known
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
	# a bash that is about to wait in its read may lose any other signal
	kill -9 "$!"
	wait "$!"
	echo "$_was" >"$_score"
}
