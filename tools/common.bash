# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Functions that the scripts of this directory share. To be sourced, not run.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export LC_ALL=C.UTF-8 PATH=$PATH:/usr/sbin:/sbin

say() {
	printf '%s\n' "$*" >&2
}

die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# configure DIR MESON-OPTION...: sets up a build directory with these options; quick if it exists already.
configure() {
	local directory=$1 key
	shift
	key=$(printf '%s\n' "${CC:-cc}" "$@")
	if [[ -e $directory/build.ninja && -e $directory/options && $(<"$directory/options") == "$key" ]]; then
		return
	fi
	# Removes an earlier configuration, but not other files below build/.
	rm -rf "$directory"/{meson-info,meson-logs,meson-private,build.ninja,options}
	mkdir -p "$directory"
	meson setup "$@" "$directory" "$top" >"$directory/setup.log" 2>&1 || {
		tail -n 20 "$directory/setup.log" >&2
		return 1
	}
	printf '%s\n' "$key" >"$directory/options"
}
