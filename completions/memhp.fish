# SPDX-License-Identifier: GPL-3.0-or-later
# Completion for memhp(1), which knows itself what can stand at a place: see "memhp __complete" in memhp.c.
function __memhp_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    command -q $words[1]; or return
    set -l lines ($words[1] __complete $words[2..-1] "$current" 2>/dev/null)
    if test "$lines[-1]" = :files
        set -l fixed (string match -r -- '^-[^=]*=' "$current")
        for path in (__fish_complete_path (string sub -s (math 1 + (string length -- "$fixed")) -- "$current"))
            echo "$fixed$path"
        end
    else
        string replace ' ' \t -- $lines
    end
end
complete -c memhp -f -a '(__memhp_complete)'
