# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh
#
# Part of guest.sh: what keeps a block from going offline.
# shellcheck disable=SC2154 # assigned in other files

#= blocker

# dumped BLOCK PAGES: read page dumps from the kernel's log, print the last one in that block after the error of
# moving it; a block has PAGES pages
dumped() {
	_why=0 _dump='' _page=''
	while read -r _line; do
		_line=${_line#*"] "}
		case $_line in
		'migrating pfn '*) _why=${_line##*:} ;;
		page:*) _pfn=${_line##* pfn:} _dump='' ;;
		aops:* | *'flags: '*) _dump="$_dump $_line" ;;
		'page dumped because: '*)
			_pfn=${_pfn#0x}
			[ $((0x0${_pfn%%[!0-9a-f]*} / $2)) -ne "$1" ] || _page="$_why$_dump"
			;;
		esac
	done
	echo "$_page"
}

# held BLOCK: what the kernel says about the last page of that block that it could not move
held() {
	[ -r "$_proc/self/smaps" ] || return
	while read -r _name _kib _ && [ "$_name" != KernelPageSize: ]; do :; done <"$_proc/self/smaps"
	get _size "$_sys/block_size_bytes"
	case $_kib in '' | 0* | *[!0-9]*) return ;; esac
	case $_size in *[!0-9a-f]*) return ;; esac
	_pages=$((0x$_size / (_kib * 1024)))
	_page=$(dmesg | grep -e 'migrating pfn' -e page: -e aops: -e 'flags: ' -e 'page dumped' | tail -n 99 | dumped "$1" "$_pages")
	[ -z "$_page" ] || say "held $_page"
}
