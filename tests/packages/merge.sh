# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# A root to install packages in, of the cached one and the cached kernels, which stay as they are. For a mount namespace of its own.

overlay() { mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$3"; }

# merge_root ROOT WORK MODULES…: WORK/merged is the root, with these directories of modules
merge_root() {
	local root=$1 work=$2 modules release
	shift 2
	mkdir -p "$work/root"/{upper,work} "$work/merged"
	overlay "$root" "$work/root" "$work/merged"
	for modules; do
		release=${modules##*/}
		mkdir -p "$work/$release"/{upper,work} "$work/merged/usr/lib/modules/$release"
		overlay "$modules" "$work/$release" "$work/merged/usr/lib/modules/$release"
	done
}

# enter_root ROOT CACHE PACKAGES: what programs in it expect, and the PACKAGES in /packages
enter_root() {
	local root=$1 cache=$2 packages=$3
	mount -t proc proc "$root/proc"
	mount -t sysfs -o ro sysfs "$root/sys"
	mount --rbind /dev "$root/dev"
	mount -t tmpfs -o mode=755 run "$root/run"
	mount -t tmpfs tmp "$root/tmp"
	# The headers of the cached kernels name themselves by their path there.
	mkdir -p "$root$cache/kernels" "$root/packages"
	mount --bind -o ro "$cache/kernels" "$root$cache/kernels"
	mount --bind -o ro "$packages" "$root/packages"
}
