# shellcheck shell=bash disable=SC2207 # the words have no blanks in them
# SPDX-License-Identifier: GPL-3.0-or-later
# Completion for memhp(1): commands, options and VMs come from memhp itself, devices from QEMU, blocks from
# the guest, which is asked only once a word begins like a block.
_memhp_ask() { # COMMAND REGEX: print the groups of each match in the JSON of COMMAND
	local json && json=$("$memhp" "${globals[@]}" --timeout 2 --json "$1" </dev/null 2>/dev/null)
	while [[ $json =~ $2 ]]; do
		echo "${BASH_REMATCH[@]:1}" && json=${json#*"${BASH_REMATCH[0]}"}
	done
}
_memhp_words() { # print the commands, or what $command takes besides options
	[[ $command ]] || grep -v ^- <<<"$options"
	[[ $command == @(unplug|online|offline) ]] || return
	(globals+=(--guest none) && _memhp_ask list '"id":"([A-Za-z0-9._-]+)"')
	[[ $command != unplug ]] && echo all && [[ $cur == [m0-9]* ]] || return
	_memhp_ask blocks '"first":([0-9]+),"last":([0-9]+)' | while read -r i last; do
		for ((; i <= last; i++)); do echo "memory$i" "$i"; done
	done
}
_memhp() {
	local memhp=$1 line=${COMP_LINE:0:COMP_POINT} words cur='' command='' globals=() options i last
	read -ra words <<<"$line" # bash's own words end at ":" and "="
	[[ $line == *[[:blank:]] ]] || { cur=${words[-1]} && unset 'words[-1]'; }
	options=$("$memhp" __complete 2>/dev/null)
	for ((i = 1; i < ${#words[@]}; i++)); do
		! grep -qFx -e "${words[i]}" <<<"${options%%-*}" && continue
		command=${words[i]} globals=("${words[@]:1:i-1}")
		options=$("$memhp" __complete "$command" 2>/dev/null) && break
	done
	# a value by itself is completed as in "--zone=mov"; where there are no choices, as a file name
	! grep -qFx -e "${words[-1]}=" <<<"$options"$'\n-Q=\n-G=\n-M=\n-t=' || cur=${words[-1]}=$cur
	[[ $cur == -* ]] && options=$(grep -F -e "${cur%%=*}" <<<"$options") || options=$(_memhp_words)
	[[ $cur != @(-M|--vm)=* ]] || options=$(_memhp_ask vms '"name":"([A-Za-z0-9._-]+)"' | sed "s/^/x=/")
	[[ $cur != -*=* ]] || { options=$(cut -s -d= -f2 <<<"$options") cur=${cur#*=} && compopt -o default; }
	COMPREPLY=($(compgen -W "$options" -X '*=?*' -- "$cur"))
	[[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace
} 2>/dev/null # outside of a completion there is no compopt
complete -F _memhp memhp
