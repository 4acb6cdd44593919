# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# packages.sh: installs the packages of packaging/debian-packages that are missing, and only those.
# Sourced. Never removes or upgrades a package.

# packages_missing FILE GROUP...: prints the missing packages of the groups, one a line.
packages_missing() {
    local file=$1 group package command
    shift
    while read -r group package command; do
        case " $* " in *" $group "*) ;; *) continue ;; esac
        if [ -n "$command" ] && command -v "$command" >/dev/null 2>&1; then
            continue
        fi
        if [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" != installed ]; then
            echo "$package"
        fi
    done < <(grep -v '^#' "$file")
}

# packages_ensure FILE GROUP...: as root, or through sudo where that asks no question.
packages_ensure() {
    local missing=() as_root=()
    mapfile -t missing < <(packages_missing "$@")
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" -ne 0 ]; then
        if ! sudo -n true 2>/dev/null; then
            printf 'These Debian packages are missing; install them as root, then run this again:\n' >&2
            printf '  apt-get install --no-install-recommends %s\n' "${missing[*]}" >&2
            return 1
        fi
        as_root=(sudo -n)
    fi
    printf 'Installing %d Debian packages: %s\n' "${#missing[@]}" "${missing[*]}"
    as_root+=(env DEBIAN_FRONTEND=noninteractive apt-get -q -y)
    "${as_root[@]}" update >/dev/null &&
        "${as_root[@]}" -o Dpkg::Use-Pty=0 install --no-install-recommends "${missing[@]}" >/dev/null
}
