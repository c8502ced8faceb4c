# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# What the kernel does with a word that is written to a block's state, for a tree of plain files.
# A bash reads this before guest.sh. Files in a block's directory tell what is to happen:
#   .state          the state, which a write that fails leaves as it was
#   .refuse-WORD    the reason to refuse WORD; .hang-WORD: a FIFO to hang on
LC_ALL=C

echo() {
	{ target=$(readlink /proc/self/fd/9); } 9>&1
	directory=${target%/*}
	if [ "${target##*/}" != state ] || [ ! -e "$directory/.state" ]; then
		command echo "$@"
		return
	fi
	read -r was <"$directory/.state"
	command printf '%s\n' "$was" >"$target"
	if [ -e "$directory/.hang-$1" ]; then
		command printf 'going-offline\n' >"$target"
		trap 'command printf "%s\n" "$was" >"$target"' EXIT
		read -r _ <"$directory/.hang-$1"
		trap - EXIT
	elif [ -e "$directory/.refuse-$1" ]; then
		command printf 'sh: echo: write error: %s\n' "$(cat "$directory/.refuse-$1")" >&2
		return 1
	elif [ "$1" = "${was}" ] || [ "$was ${1%%_*}" = 'online online' ]; then
		command printf 'sh: echo: write error: Invalid argument\n' >&2
		return 1
	fi
	case $1 in
	online_movable) now=online zones=Movable ;;
	online*) now=online zones=Normal ;;
	offline) now=offline zones='Normal Movable' ;;
	esac
	command printf '%s\n' "$now" >"$directory/.state"
	command printf '%s\n' "$now" >"$target"
	command printf '%s\n' "$zones" >"$directory/valid_zones"
}
