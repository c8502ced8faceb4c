# shellcheck shell=bash disable=SC2207 # the words have nothing in them that a shell takes apart
# SPDX-License-Identifier: GPL-3.0-or-later
# Completion for memhp(1), which knows itself what can stand at a place: see "memhp __complete" in memhp.c.
_memhp() {
	local IFS=$' \t\n' line=${COMP_LINE:0:COMP_POINT} split words cur='' fixed='' files
	# bash's own words end at ":" and "="; xargs splits as a shell does, but expands nothing
	split=$(xargs printf '%s\n' <<<"$line") || return # a quote that does not end
	mapfile -t words <<<"$split"
	[[ $line == *[[:blank:]] ]] || { cur=${words[-1]} && unset 'words[-1]'; }
	COMPREPLY=($("$1" __complete "${words[@]:1}" "$cur" | cut -d ' ' -f 1)) # without what they mean
	[[ $cur != -*=* || $COMP_WORDBREAKS != *=* ]] || fixed=${cur%%=*}=
	if [[ ${COMPREPLY[0]-} == :files ]]; then
		COMPREPLY=() && compopt -o filenames
		files=$(compgen -f -- "${cur#"$fixed"}") && mapfile -t COMPREPLY <<<"$files"
		return
	fi
	COMPREPLY=("${COMPREPLY[@]#"$fixed"}")
	[[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace
} 2>/dev/null # outside of a completion there is no compopt
complete -F _memhp memhp
