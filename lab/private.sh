# shellcheck shell=sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Sourced by memhp-lab.  Makes sure that only this user can change the contents
# of a directory: they are booted, logged in to, and passed to eval.
# Uses of memhp-lab: die.

# Read namei's output for a path on stdin, and print the first part of the path
# that another user could replace, and why.  The owner of / is trusted, whatever
# its name is here.  In a sticky directory others can only add files.
exchangeable() {
	awk -v me="$(id -un)" '
	$1 !~ /^[dl-][-r]/ { next }
	!root { root = $2 }
	$2 != root && $2 != "root" && $2 != me { why = "belongs to " $2 }
	$1 ~ /^d....w/ || $1 ~ /^d.......w/ { if ($1 !~ /[tT]$/) why = "can be written to by others" }
	why { print $4 " " why; exit }'
}

# check_way PATH SETTING: only this user or root can change where the existing
# part of PATH, which is absolute, leads.
check_way() {
	case $1 in
	*[\'\"\\]* | *[[:cntrl:]]*) die use "$1" 'quotes or control characters in its name' "set $2 to another" ;;
	esac
	why=$(namei -om "$1" 2>/dev/null | exchangeable)
	[ -z "$why" ] || die use "$1" "on the way there, $why" "set $2 to a directory that is yours alone"
}

# check_private DIRECTORY SETTING: only this user can change it.
check_private() {
	if [ ! -d "$1" ] || [ -L "$1" ]; then
		die use "$1" 'not a directory' "set $2"
	fi
	[ "$(stat -c %u "$1")" = "$(id -u)" ] || die use "$1" 'it belongs to another user' "set $2"
	case $(stat -c %a "$1") in
	*[2367]? | *[2367]) die use "$1" 'others can write to it' "chmod go-w '$1', or set $2" ;;
	esac
}

# check_tree DIRECTORY SETTING: the same for everything in it.
check_tree() {
	# find fails if a file disappears during the run
	foreign=$(find "$1" \( ! -user "$(id -u)" -o ! -type l -perm /022 \) -print -quit 2>/dev/null) || :
	[ -z "$foreign" ] || die use "$1" "another user can change '$foreign'" "remove it, and it is made again: rm -rf '$1'"
}
