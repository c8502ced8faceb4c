# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh
#
# Part of guest.sh: what the guest loses with memory that goes offline, and gets back.
# shellcheck disable=SC2154 # assigned in other files

#= free_pages

# buddy: free pages in the kernel's zones and in Movable
buddy() {
	_kernel=0 _movable=0
	while read -r _ _ _ _name _counts; do
		_pages=0 _order=1
		for _n in $_counts; do
			case $_n in *[!0-9]*) continue ;; esac
			_pages=$((_pages + _n * _order)) _order=$((_order * 2))
		done
		case $_name in
		Movable) _movable=$((_movable + _pages)) ;;
		*) _kernel=$((_kernel + _pages)) ;;
		esac
	done <"$_proc/buddyinfo"
	say "free $_kernel $_movable"
}

#= pools

# pool: what going offline takes from the guest and coming online does not bring back: the pools of huge pages, of each
# node and in total ("-"), and vm.min_free_kbytes, which the kernel recalculates. cat reads the latter, as it gives
# no second byte to a read that takes one at a time.
pool() {
	_n=$(cat "$_proc/sys/vm/min_free_kbytes")
	say "floor ${_n:--}"
	for _d in "$_sys"/../node/node[0-9]*/hugepages/*kB "$_sys"/../../../kernel/mm/hugepages/*kB; do
		_n=0
		read -r _n <"$_d/nr_hugepages"
		[ "$_n" != 0 ] || continue
		read -r _free <"$_d/free_hugepages"
		read -r _s <"$_d/surplus_hugepages"
		_value=${_d##*/../node/node}
		_value=${_value%%/*} _d=${_d##*-}
		say "pool ${_value:--} ${_d%kB} $_n $_free $_s"
	done
}

#= huge_tails

# tails FIRST-LAST...: for each range, how many pages are part of a huge page but not its first, and the size of a page
# in KiB. In a page's 8 bytes of flags, COMPOUND_TAIL and HUGE make the third byte 3; other bytes rarely are.
tails() {
	_kib='' _size=''
	while read -r _name _kib _ && [ "$_name" != KernelPageSize: ]; do :; done <"$_proc/self/smaps"
	read -r _size <"$_sys/block_size_bytes"
	case $_kib/$_size in /* | */ | *[!0-9]*/* | */*[!0-9a-f]*) return ;; esac
	dd "if=$_proc/kpageflags" "bs=8" "count=1" || return
	_size=$((0x$_size / _kib / 128))
	for _range; do
		_n=${_range%-*}
		_value=$((${_range#*-} - _n + 1))
		_n=$(dd "if=$_proc/kpageflags" "bs=$_size" "skip=$_n" "count=$_value" | tr -cd '\003' | wc -c)
		say "tails ${_range%-*} $((_n)) $_kib"
	done
}

#= refill

# fill WHERE NUMBER...: set the pool NODE-KIB, the total of -KIB, or the floor
fill() {
	while [ $# != 0 ]; do
		case $1 in
		floor) _d=$_proc/sys/vm/min_free_kbytes ;;
		-*) _d=$_sys/../../../kernel/mm/hugepages/hugepages$1kB/nr_hugepages ;;
		*) _d=$_sys/../node/node${1%-*}/hugepages/hugepages-${1#*-}kB/nr_hugepages ;;
		esac
		echo "$2" >"$_d"
		shift 2
	done
}

# refill SECONDS WHERE NUMBER...: the same, within that time
refill() {
	_limit=$1
	shift
	_guards=$(guard "$_limit" fill "$@") || dismiss
}

#= cpusets recall

_mems='' _listed=''

# cpusets: remember which nodes the groups of cgroup v1 may use, three levels down: they lose a node when all of its
# memory goes, and do not get it back with the memory
cpusets() {
	_listed=1
	while read -r _ _d _s _n _; do
		case $_s,$_n, in
		cgroup,*,cpuset,*)
			for _d in "$_d"/*/cpuset.mems "$_d"/*/*/cpuset.mems "$_d"/*/*/*/cpuset.mems; do
				_n=''
				read -r _n <"$_d"
				[ -z "$_n" ] || _mems="$_mems$_n $_d$_nl"
			done
			;;
		esac
	done <"$_proc/mounts"
}

# lost: for each line "NODES FILE", let the group use those nodes again; prints how many cannot
lost() {
	_n=0
	while read -r _s _d; do
		_value=''
		read -r _value <"$_d"
		[ "$_value" != "$_s" ] || continue
		echo "$_s" >"$_d"
		read -r _value <"$_d"
		[ "$_value" = "$_s" ] || _n=$((_n + 1))
	done
	echo "$_n"
}

# recall: let the groups use their nodes again; say how many cannot, or "-" if it is unknown what they could use
recall() {
	_n=0
	if [ "$_listed" ]; then
		_n=$(printf '%s' "$_mems" | lost)
	else
		cpusets
		[ -z "$_mems" ] || _n=
	fi
	say "cpusets ${_n:--}"
}
