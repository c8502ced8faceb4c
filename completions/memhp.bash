# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Completion for memhp(1), which knows itself what can stand at a place: see "memhp __complete" in memhp.c.
_memhp() {
	local line=${COMP_LINE:0:COMP_POINT} split words cur='' fixed=''
	# bash's own words end at ":" and "="; xargs splits as a shell does, but expands nothing
	split=$(xargs printf '%s\n' <<<"$line") || return # a quote that does not end
	mapfile -t words <<<"$split"
	[[ $line == *[[:blank:]] ]] || { cur=${words[-1]} && unset 'words[-1]'; }
	mapfile -t COMPREPLY < <("$1" __complete "${words[@]:1}" "$cur" 2>/dev/null)
	COMPREPLY=("${COMPREPLY[@]%% *}") # without what the words mean
	[[ $cur != -*=* || $COMP_WORDBREAKS != *=* ]] || fixed=${cur%%=*}=
	if [[ ${COMPREPLY[-1]-} == :files ]]; then
		mapfile -t COMPREPLY < <(compgen -f -- "${cur#"$fixed"}")
		compopt -o filenames
		return
	fi
	COMPREPLY=("${COMPREPLY[@]#"$fixed"}")
	[[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace
} 2>/dev/null # outside of a completion there is no compopt
complete -F _memhp memhp
