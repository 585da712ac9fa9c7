# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Functions that the scripts of this directory share. To be sourced, not run.

say() {
        printf '%s\n' "$*" >&2
}

die() {
        printf 'tests/vm: %s\n' "$*" >&2
        exit 1
}

need_tool() {
        local tool=$1 package=$2
        command -v "$tool" >/dev/null || die "$tool is missing. Install it: apt-get install $package (all of them: tests/vm/packages)"
}

# repo_uri SUITE: the URI from which the host's apt gets SUITE, if it is configured.
repo_uri() {
        # shellcheck disable=SC2016  # apt's format, not the shell's
        apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
                awk -v suite="$1" '$1 == suite { print $2; exit }'
}

# apt_lines SUITE [EXTRA]: sources.list lines for a suite, on stdout. The host's mirror is known to be reachable, so its URIs are
# used also for suites that it does not use itself. The host may name its suite "stable".
apt_lines() {
        local suite=$1 extra=${2:-} mirror security codename
        codename=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")
        mirror=${ESPOFFLOAD_VM_MIRROR:-$(repo_uri "$codename")}
        mirror=${mirror:-http://deb.debian.org/debian}
        security=${ESPOFFLOAD_VM_SECURITY_MIRROR:-$(repo_uri "$codename-security")}
        security=${security:-http://deb.debian.org/debian-security}
        printf 'deb %s %s main\n' "$mirror" "$suite" "$mirror" "$suite-updates" "$security" "$suite-security"
        if [[ -n $extra ]]; then
                printf 'deb %s %s main\n' "$mirror" "$extra"
        fi
}
