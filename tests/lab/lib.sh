# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# shellcheck disable=SC2034 # used by those who read this
#
# What the lab's scripts share: where things live, how they speak and fail.

LAB_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
TOP=$(cd "$LAB_DIR/../.." && pwd -P)
CACHE=${KVM_EXT_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/kvm-ext}

# depmod, insmod and friends live in sbin, which a plain user's PATH lacks.
PATH=$PATH:/usr/sbin:/sbin

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

verbose() { [[ -z ${VERBOSE:-} ]] || say "$@"; }

die() {
	say "$@"
	exit 1
}

# die_status STATUS MESSAGE...
die_status() {
	local status=$1
	shift
	say "$@"
	exit "$status"
}

# need COMMAND PACKAGE: every missing tool is reported the same way.
need() {
	command -v "$1" >/dev/null ||
		die "'$1' is missing (Debian package $2): run 'make deps'"
}

# Seconds since boot with two decimals: unlike the wall clock it never jumps.
uptime_s() {
	local up _
	read -r up _ </proc/uptime
	printf '%s\n' "$up"
}

# since START: seconds passed since an earlier uptime_s
since() { awk -v a="$1" -v b="$(uptime_s)" 'BEGIN { printf "%.1f", b - a }'; }

# with_lock FILE COMMAND...: run COMMAND while holding an exclusive lock, so
# that two users of the cache never build the same thing twice.  The lock is
# not inherited: a child left behind must not keep it.
with_lock() {
	local file=$1
	shift
	mkdir -p "$(dirname "$file")"
	(
		exec {fd}>"$file"
		flock "$fd"
		"$@" {fd}>&-
	)
}

# plain_module PATH: the path without what compression has added to it. Only the ending counts: a directory's name may hold
# an .x or a .z as well.
plain_module() {
	local path=${1%.xz}
	printf '%s\n' "${path%.zst}"
}

# module_files ENTRY RELEASE NAME...: the files of a cached kernel's modules and of what they need, in the order in which they
# are loaded. What is built into the kernel has no file.
module_files() {
	local entry=$1 release=$2 name
	shift 2
	for name; do
		modprobe -C /dev/null -d "$entry" -S "$release" --show-depends "$name" || {
			say "kernel $release has no module $name"
			return 1
		}
	done | awk '$1 == "insmod" { print $2 }'
}

# unpack_module FILE: to stdout
unpack_module() {
	case $1 in
	*.xz) xz -dc "$1" ;;
	*.zst) zstd -dcq "$1" ;;
	*) cat "$1" ;;
	esac
}

# make_disk FILE LABEL KIB [DIRECTORY]: an ext4 image, filled without mounting.
# Its size is that of whole emulated cylinders (16 heads, 63 sectors).
make_disk() {
	local file=$1 label=$2 kib=$3 cylinder=$((16 * 63 / 2))
	kib=$(((kib + cylinder - 1) / cylinder * cylinder))
	rm -f "$file"
	mke2fs -q -t ext4 -O ^has_journal,^resize_inode,^metadata_csum -m 0 -b 4096 \
		-L "$label" ${4:+-d "$4"} "$file" "${kib}k" >/dev/null
}
