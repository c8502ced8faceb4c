#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The guest half of memhp: a POSIX sh program that memhp feeds to a root shell in the guest, over
# whatever channel there is, and then calls line by line: "begin 2&&{ appear 9 32-35;scan;answer;}".
# It runs under dash, bash and busybox ash and forks only where a write may have to be killed.
# fd 3 takes the answers; stdout and stderr are null. pack.awk packs it: a console costs time for each
# byte, so what only some commands need is a piece of its own, begun by "#= WORD".
#
# An answer is made of frames, each a line "@ID.EXCHANGE SEQUENCE LENGTH PAYLOAD SEQUENCE LENGTH ID@":
# whatever the kernel or an echo puts between or into them shows, and memhp asks for the same answer again. A frame
# with the sequence 0 is none of the answer: it says how far a command has come.
# shellcheck disable=SC2069 # the message is wanted, the word is not
# shellcheck disable=SC2154 # get() assigns by name

# MEMHP, set before this is read, is the session's id; it also tells a left-over session apart.
id=$MEMHP
export LC_ALL=C
# The first argument is the directory that a recorded /sys lies below; no environment can set it.
sys=$1/sys/devices/system/memory
params=$1/sys/module/memory_hotplug/parameters
proc=$1/proc
# a new line without one in the text: blank, tab, and this are what IFS is in a shell that begins
nl=${IFS#??}
held='' node='' key='' last=0 release='' auto='' policy=''

# begin EXCHANGE: start an answer
begin() {
	exchange=$1 seq=0 frames='' new=
}

# say PAYLOAD: add a frame; a shell copies a string to add to it, so that the long one grows seldom
say() {
	seq=$((seq + 1))
	new="$new@$id.$exchange $seq ${#1} $1 $seq ${#1} $id@$nl"
	[ $((seq % 256)) != 0 ] || frames=$frames$new new=
}

# answer: end the answer and send it
answer() {
	say end
	again
}

# again: send the last answer once more
again() {
	printf '%s' "$frames$new" >&3
}

# q: what memhp sends to cancel; it comes here when there is nothing left to cancel
q() {
	:
}

# info: kernel and policies, as far as a scan has read them; whether blocks can be changed from here, and read knows a
# limit of time (that of dash does not)
info() {
	root=0 timed=' timed' memmap=
	[ ! -w "$sys/uevent" ] || root=1
	read -r memmap <"$params/memmap_on_memory"
	# shellcheck disable=SC3045 # that is the question
	read -r -t 0 _ </dev/null
	[ "$?" -ne 2 ] || timed=
	say "guest ${release:--} $root ${auto:--} ${policy:--} ${memmap:--}$timed"
}

# memory: the first three lines of meminfo, in KiB; the third has another name in kernels before Linux 3.14
memory() {
	name='' total='' free=''
	{
		read -r _ total _
		read -r _ free _
		read -r name value _
	} <"$proc/meminfo"
	[ "$name" = MemAvailable: ] || value=
	say "memory ${total:--} ${free:--} ${value:--}"
}

# flush: say the blocks collected so far, and start anew
flush() {
	[ -z "$key" ] || say "blocks $first $last $key"
	key=
}

# collect DIRECTORY...: say runs of blocks that have everything in common
collect() {
	for d; do
		n=${d##*/memory} s='' r='' z=''
		read -r s <"$d/state"
		# one without a state has gone meanwhile, or is none
		[ -n "$s" ] || continue
		read -r r <"$d/removable"
		# Linux may end whoever asks for the zones of a new block before that has got its node
		[ "$s" != online ] || read -r z <"$d/valid_zones"
		# mostly that of the block before
		[ -e "$d/node$node" ] || for node in "$d"/node[0-9]*; do
			node=${node##*/node}
			# without one this is the pattern
			node=${node%%[!0-9]*}
		done
		now="$s ${node:--} ${r:--} ${z:--}"
		[ "$n $now" = "$((last + 1)) $key" ] || {
			flush
			first=$n key=$now
		}
		last=$n
	done
}

# facts: all but the blocks
facts() {
	info
	memory
	size=
	read -r size <"$sys/block_size_bytes"
	say "size ${size:--}"
}

#= scan scan_news appear mark blocker

# get VARIABLE FILE: the first line of a file, or "-"
get() {
	eval "$1="
	[ ! -r "$2" ] || read -r "$1" <"$2"
	eval "$1=\${$1:--}"
}

#= scan scan_news

# scan: everything memhp wants to know, blocks in the order of their numbers without a sort
scan() {
	get release "$proc/sys/kernel/osrelease"
	get auto "$sys/auto_online_blocks"
	get policy "$params/online_policy"
	facts
	digits=
	for _ in 1 2 3 4 5 6 7; do
		digits="${digits}[0-9]"
		# shellcheck disable=SC2086 # a pattern
		collect "$sys"/memory$digits
	done
	flush
}

#= blocks blocks_at

# near UNIT FIRST-LAST...: blocks by their numbers (UNIT is 1), or behind facts (UNIT is 0x) by addresses, where the
# block size is one: hexadecimal, and at least 1 MiB. A shell may run what stands in arithmetic: what a file has said
# gets there only as digits.
near() {
	unit=$1
	case $1$size in
	1*) ;;
	0x0* | 0x*[!0-9a-f]*) return ;;
	0x??????*) unit=$1$size ;;
	*) return ;;
	esac
	shift
	for range; do
		n=$((${range%-*} / unit))
		while [ "$n" -le $((${range#*-} / unit)) ]; do
			collect "$sys/memory$n"
			n=$((n + 1))
		done
	done
	flush
}

#= online move online_if_offline offline offline_fast refill

# A background job of a shell without job control has /dev/null as fd 0: keep the real one.
exec 8<&0

#= online move online_if_offline offline refill

# put BLOCK WORD: one write to a block's state; the kernel's reason goes to stdout
put() {
	echo "$2" 2>&1 >"$sys/memory$1/state" && return
	# dash does not say errno: repeat with an external echo, which TERM has to reach too
	case $(echo 2>&1 >/dev/full) in
	*' space '*) return 1 ;;
	esac
	env echo "$2" 2>&1 >"$sys/memory$1/state" &
	trap 'kill -9 "$!"; wait "$!"; exit 1' INT TERM
	wait "$!"
}

# Somebody else may be faster than we are: after a failed write it is the block's state that counts.

# lower BLOCK: take a block offline
lower() {
	read -r s <"$sys/memory$1/state"
	[ "$s" != offline ] || return 0
	put "$1" offline && return
	read -r s <"$sys/memory$1/state"
	[ "$s" = offline ]
}

told='' step=1 skip=1

# tell BLOCK: say that it is done, at most once a second; the first and the last one always. A look at the clock takes
# as long as a tenth of a block: where many are done in a second, it is for every sixteenth.
tell() {
	skip=$((skip - 1))
	[ "$skip" = 0 ] || return 0
	read -r now _ <"$proc/uptime"
	[ "${now%.*}" != "$told" ] || step=$((step < 16 ? step * 2 : 16)) skip=$step
	[ "$skip" = 0 ] || return 0
	told=${now%.*} step=1 skip=1
	set -- "at $1"
	printf '%s\n' "@$id.$exchange 0 ${#1} $1 0 ${#1} $id@" >&3
}

# each FUNCTION ZONE FROM-TO...: upwards or downwards, to the first block that fails; prints that
each() {
	call=$1 zone=$2
	shift 2
	for range; do
		n=${range%-*} to=${range#*-} by=1
		[ "$n" -le "$to" ] || by=-1
		while :; do
			if ! "$call" "$n" "$zone"; then
				echo "$n"
				return 1
			fi
			[ "$n" -ne "$to" ] || break
			tell "$n"
			n=$((n + by))
		done
	done
	told='' skip=1
	tell "$n"
}

# listen OPTION: kill the process that has begun this one when memhp cancels or goes away, or says nothing for as
# long as the option of read has it; when somebody else is at the console, end the session too
listen() {
	read -r _ _ _ job _ </proc/self/stat
	# shellcheck disable=SC2229 # an option
	while read -r "$1" line; do
		case $line in
		*'&&q') break ;;
		*'&&again' | 'echo @'* | '') ;;
		*)
			kill "$job" "$$"
			return
			;;
		esac
	done
	kill "$job"
}

# alarm SECONDS: kill the process that has begun this one when time is up
alarm() {
	read -r _ _ _ job _ </proc/self/stat
	trap 'kill -9 "$!"; wait "$!"; exit' TERM
	sleep "$1" &
	wait "$!" && kill "$job"
}

# guard SECONDS COMMAND...: run it, and those that kill it, whose numbers are the first line of output. A limit of
# CPU time would not do: it takes effect on the return to user space, where the hanging write never gets.
guard() {
	if [ "$timed" ]; then
		limit=-t$1
		guards=
	else
		limit=-r
		{ alarm "$1"; } >/dev/null &
		guards=$!
	fi
	# in braces: dash would keep the output open for a function, and the end of this one would not show
	{ listen "$limit"; } <&8 >/dev/null &
	guards="$! $guards"
	echo "$guards"
	# where the guest runs out of memory over it, this is to end and nobody else's program
	echo 1000 >/proc/self/oom_score_adj
	shift
	"$@"
	status=$?
	dismiss
	# shellcheck disable=SC2086 # one or two
	wait $guards
	return "$status"
}

# dismiss: end the guards. The one that listens has nothing to put back, and a bash that is about to wait in its read
# may lose any other signal.
dismiss() {
	# shellcheck disable=SC2086 # one or two
	kill $guards
	kill -9 "${guards%% *}"
}

# change SECONDS FUNCTION ZONE FROM-TO...: say which block failed and why, or that it was stopped
change() {
	limit=$1
	shift
	output=$(guard "$limit" each "$@") && return
	guards=${output%%"$nl"*}
	output=${output#"$guards"}
	failed=${output##*"$nl"}
	case $failed in
	'' | *[!0-9]*)
		# the one that is left: else the console's next line is for it
		dismiss
		say stopped
		return
		;;
	esac
	why=${output%"$nl"*}
	why=${why##*"$nl"}
	say "failed $failed ${why##*: }"
}

#= online move online_if_offline

# lies BLOCK ZONE: is the block online, in that zone (movable, kernel, any)?
lies() {
	read -r s <"$sys/memory$1/state"
	[ "$s" = online ] || return
	read -r z <"$sys/memory$1/valid_zones"
	case "$2 $z" in
	'any '* | 'movable Movable' | 'kernel '[DHN]*) ;;
	*) return 1 ;;
	esac
}

# raise BLOCK ZONE: bring a block online, moving it when it is online in another zone
raise() {
	lies "$1" "$2" && return
	[ "$s" != online ] || put "$1" offline || return
	word=online_$2
	[ "$2" != any ] || word=online
	put "$1" "$word" || lies "$1" "$2"
}

# lift BLOCK ZONE: bring a block online in that zone, unless it is online already
lift() {
	lies "$1" any || raise "$1" "$2"
}

#= appear mark

marked=

# seconds: the guest's uptime
seconds() {
	read -r now _ <"$proc/uptime"
	now=${now%%[!0-9]*}
}

# mark: note how many devices have come and gone in the guest, before a DIMM does
mark() {
	get marked "$sys/../../../kernel/uevent_seqnum"
}

# absent BLOCK: say so; or that the kernel has given it up: devices have come or gone since the mark, but none
# since the last look, a second ago
absent() {
	get events "$sys/../../../kernel/uevent_seqnum"
	word=absent
	[ -z "$marked" ] || [ "$events" = "$marked" ] || [ "$events" != "$noted" ] || word=gone
	noted=$events
	say "$word $1"
}

# appear SECONDS FIRST-LAST...: wait until the blocks are there
appear() {
	seconds
	end=$((now + $1))
	shift
	for range; do
		n=${range%-*}
		while [ "$n" -le "${range#*-}" ]; do
			until [ -e "$sys/memory$n/valid_zones" ]; do
				seconds
				[ "$now" -lt "$end" ] || {
					absent "$n"
					return 1
				}
				sleep 0.01 || sleep 1
			done
			n=$((n + 1))
		done
	done
}

#= online_fast

# swift WORD FIRST-LAST...: write WORD to the state of each block, upwards; a scan shows what came of it
swift() {
	word=$1
	shift
	for range; do
		n=${range%-*}
		while [ "$n" -le "${range#*-}" ]; do
			echo "$word" >"$sys/memory$n/state" || return
			n=$((n + 1))
		done
	done
}

#= offline_fast

# ease SECONDS FROM-TO...: take blocks offline downwards, to the first that fails: the short way, in this shell itself,
# with one guard beside it. When time is up, or a word comes, that ends the whole session, with the write that hangs;
# where the guest runs out of memory over it, this shell is to end and nobody else's program. Not while it holds the
# kernel's policy, which would not be put back.
ease() {
	[ -z "$held" ] || return
	score=$proc/$$/oom_score_adj was=
	read -r was <"$score"
	{
		# shellcheck disable=SC3045 # only done where it is known
		while read -r -t "$1" line; do
			case $line in *'&&again' | 'echo @'* | '') ;; *) break ;; esac
		done
		kill -9 "$$"
	} <&8 3>&- &
	echo 1000 >"$score"
	shift
	for range; do
		n=${range%-*}
		while echo offline >"$sys/memory$n/state"; do
			[ "$n" -ne "${range#*-}" ] || continue 2
			n=$((n - 1))
		done
		break
	done
	# a bash that is about to wait in its read may lose any other signal
	kill -9 "$!"
	wait "$!"
	echo "$was" >"$score"
}

#= freeze_policy

# hold: keep the kernel from bringing new memory online by itself, in a zone of its choice, where it would be
# in use at once; until this session ends, however it does: a signal would end it without that, and after a
# hangup it ends with the input. It comes after a scan, which says what the policy was.
hold() {
	case $auto in offline | -) return ;; esac
	held=$auto
	trap leave EXIT
	trap exit INT TERM
	trap '' HUP
	echo offline >"$sys/auto_online_blocks"
}

# leave: give the kernel its policy back, and the console its modes, as without a policy
leave() {
	trap - EXIT
	echo "$held" >"$sys/auto_online_blocks"
	[ -z "$TTY" ] || exec stty "$TTY"
}

#= scan_news

seen=

# watch: scan, if a device has come or gone, a block gone online or offline, or a policy become another since the last
# time; the first time, too. A kernel that does not count these events cannot tell.
watch() {
	get events "$sys/../../../kernel/uevent_seqnum"
	get auto "$sys/auto_online_blocks"
	get policy "$params/online_policy"
	[ "$events" = - ] || [ "$events $auto $policy" != "$seen" ] || return
	seen="$events $auto $policy"
	scan
}

#= free_pages

# buddy: free pages of the kernel's zones and of Movable
buddy() {
	kernel=0 movable=0
	while read -r _ _ _ name counts; do
		pages=0 order=1
		for n in $counts; do
			case $n in *[!0-9]*) continue ;; esac
			pages=$((pages + n * order)) order=$((order * 2))
		done
		case $name in
		Movable) movable=$((movable + pages)) ;;
		*) kernel=$((kernel + pages)) ;;
		esac
	done <"$proc/buddyinfo"
	say "free $kernel $movable"
}

#= udev

# udev: a rule of the guest's own that brings memory online
udev() {
	rules=$(cd "$sys/../../../.." && grep -ls -e 'SUBSYSTEM=="memory".*online' -- */udev/rules.d/* usr/lib/udev/rules.d/*)
	[ -z "$rules" ] || say "udev ${rules%%"$nl"*}"
}

#= pools

# pool: what going offline takes from the guest, and coming online does not bring back: huge pages of pools, of each
# node and in all ("-"), and vm.min_free_kbytes, which the kernel computes anew. That has no second byte for a read
# that takes one at a time.
pool() {
	n=$(cat "$proc/sys/vm/min_free_kbytes")
	say "floor ${n:--}"
	for d in "$sys"/../node/node[0-9]*/hugepages/*kB "$sys"/../../../kernel/mm/hugepages/*kB; do
		n=0
		read -r n <"$d/nr_hugepages"
		[ "$n" != 0 ] || continue
		read -r free <"$d/free_hugepages"
		read -r s <"$d/surplus_hugepages"
		value=${d##*/../node/node}
		value=${value%%/*} d=${d##*-}
		say "pool ${value:--} ${d%kB} $n $free $s"
	done
}

#= huge_tails

# tails FIRST-LAST...: for each, how many pages are part of a huge page and not its first, and the size of a page in
# KiB. In the flags of a page, 8 bytes, COMPOUND_TAIL and HUGE make the third one 3, which no other one often is.
tails() {
	kib='' size=''
	while read -r name kib _ && [ "$name" != KernelPageSize: ]; do :; done <"$proc/self/smaps"
	read -r size <"$sys/block_size_bytes"
	case $kib/$size in /* | */ | *[!0-9]*/* | */*[!0-9a-f]*) return ;; esac
	dd "if=$proc/kpageflags" "bs=8" "count=1" || return
	size=$((0x$size / kib / 128))
	for range; do
		n=${range%-*}
		value=$((${range#*-} - n + 1))
		n=$(dd "if=$proc/kpageflags" "bs=$size" "skip=$n" "count=$value" | tr -cd '\003' | wc -c)
		say "tails ${range%-*} $((n)) $kib"
	done
}

#= refill

# fill WHERE NUMBER...: the pool of NODE-KIB, or in all of -KIB, or the floor
fill() {
	while [ $# != 0 ]; do
		case $1 in
		floor) d=$proc/sys/vm/min_free_kbytes ;;
		-*) d=$sys/../../../kernel/mm/hugepages/hugepages$1kB/nr_hugepages ;;
		*) d=$sys/../node/node${1%-*}/hugepages/hugepages-${1#*-}kB/nr_hugepages ;;
		esac
		echo "$2" >"$d"
		shift 2
	done
}

# refill SECONDS WHERE NUMBER...: the same, within that time
refill() {
	limit=$1
	shift
	guards=$(guard "$limit" fill "$@") || dismiss
}

#= cpusets recall

mems='' listed=''

# cpusets: keep in mind which nodes the groups of cgroup v1 may use, three levels down: they lose one whose memory has
# all gone, and do not get it back with that
cpusets() {
	listed=1
	while read -r _ d s n _; do
		case $s,$n, in
		cgroup,*,cpuset,*)
			for d in "$d"/*/cpuset.mems "$d"/*/*/cpuset.mems "$d"/*/*/*/cpuset.mems; do
				n=''
				read -r n <"$d"
				[ -z "$n" ] || mems="$mems$n $d$nl"
			done
			;;
		esac
	done <"$proc/mounts"
}

# lost: of "NODES FILE" lines, let each use those nodes again; prints how many cannot
lost() {
	n=0
	while read -r s d; do
		value=''
		read -r value <"$d"
		[ "$value" != "$s" ] || continue
		echo "$s" >"$d"
		read -r value <"$d"
		[ "$value" = "$s" ] || n=$((n + 1))
	done
	echo "$n"
}

# recall: let them use those again; say how many cannot, or "-" where it is not known what they could
recall() {
	n=0
	if [ "$listed" ]; then
		n=$(printf '%s' "$mems" | lost)
	else
		cpusets
		[ -z "$mems" ] || n=
	fi
	say "cpusets ${n:--}"
}

#= blocker

# dumped BLOCK PAGES: of the pages that the kernel has dumped, as it logs them: what the last one in that block is,
# behind the error that moving it met; a block has so many pages
dumped() {
	why=0 dump='' page=''
	while read -r line; do
		line=${line#*"] "}
		case $line in
		'migrating pfn '*) why=${line##*:} ;;
		page:*) pfn=${line##* pfn:} dump='' ;;
		aops:* | *'flags: '*) dump="$dump $line" ;;
		'page dumped because: '*)
			pfn=${pfn#0x}
			[ $((0x0${pfn%%[!0-9a-f]*} / $2)) -ne "$1" ] || page="$why$dump"
			;;
		esac
	done
	echo "$page"
}

# held BLOCK: what the kernel says about the last page of that block that it could not move
held() {
	[ -r "$proc/self/smaps" ] || return
	while read -r name kib _ && [ "$name" != KernelPageSize: ]; do :; done <"$proc/self/smaps"
	get size "$sys/block_size_bytes"
	case $kib in '' | 0* | *[!0-9]*) return ;; esac
	case $size in *[!0-9a-f]*) return ;; esac
	pages=$((0x$size / (kib * 1024)))
	page=$(dmesg | grep -e 'migrating pfn' -e page: -e aops: -e 'flags: ' -e 'page dumped' | tail -n 99 | dumped "$1" "$pages")
	[ -z "$page" ] || say "held $page"
}
