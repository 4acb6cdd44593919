# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# approvalctl.bash: completion for bash; asks approvalctl itself, so that the words are never old.

_approvalctl() {
    local current=${COMP_WORDS[COMP_CWORD]} words
    local before=("${COMP_WORDS[@]:1:COMP_CWORD-1}")
    COMPREPLY=()
    case " ${before[*]} " in
    *' -- '*)
        # Behind "--" stands a command of its own.
        mapfile -t COMPREPLY < <(compgen -c -f -- "$current")
        return
        ;;
    esac
    words=$(approvalctl --words "${before[@]:0:2}" 2>/dev/null)
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
    if [[ ${COMPREPLY[0]-} == *= ]]; then
        compopt -o nospace 2>/dev/null || : # only bash's own completion takes it
    elif [ ${#COMPREPLY[@]} -eq 0 ]; then
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
    fi
}

complete -F _approvalctl approvalctl
