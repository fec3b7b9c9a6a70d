# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# shellcheck disable=SC2154 # set by lab: entry release kind
#
# The initramfs of an emulated host. Read by lab.

# build_initramfs FILE MODULES: builds FILE from busybox, initramfs-init,
# hosts/KIND-root, and MODULES with the modules that they need ("?" after a name:
# not every kernel has it as a module). The modules are uncompressed, because
# unpacking takes longer than all other parts of loading.
build_initramfs() {
	local file=$1 modules=$2 tmp module dep
	[[ ! -e $file ]] || return 0
	tmp=$(mktemp -d "$CACHE/.initramfs.XXXXXX")
	mkdir -p "$tmp/root/bin" "$tmp/root"/{proc,sys,dev,lower,upper,root}
	mkdir -p "$tmp/root/lib/modules/$release/kernel"
	cp "$(command -v busybox)" "$tmp/root/bin/busybox"
	cp "$LAB_DIR/initramfs-init" "$tmp/root/init"
	cp "$LAB_DIR/hosts/$kind-root" "$tmp/root/host"
	chmod 755 "$tmp/root/init"
	for module in $modules; do
		# -C: the module options of this machine do not apply to the lab.
		if modprobe -C /dev/null -d "$entry" -S "$release" \
			--show-depends "${module%\?}" >>"$tmp/deps" 2>"$tmp/log"; then
			printf '%s\n' "${module%\?}" >>"$tmp/root/modules"
		elif [[ $module != *\? ]]; then
			cat "$tmp/log" >&2
			exit 1
		fi
	done
	while read -r dep module _; do
		[[ $dep == insmod ]] || continue
		dep=$tmp/root/lib/modules/$release/kernel/$(plain_module "${module##*/}")
		unpack_module "$module" >"$dep"
		[[ -z ${HOST_STRIPS:-} ]] || strip --strip-debug "$dep"
	done <"$tmp/deps"
	cp "$entry/usr/lib/modules/$release"/modules.{order,builtin}* \
		"$tmp/root/lib/modules/$release/"
	depmod -b "$tmp/root" "$release"
	# A cached initramfs is used from now on, so no module may be missing from it. (set -e has no
	# effect in this function.)
	while read -r module; do
		modprobe -C /dev/null -d "$tmp/root" -S "$release" --show-depends "$module" >/dev/null || {
			rm -rf "$tmp"
			exit 1
		}
	done <"$tmp/root/modules"
	(cd "$tmp/root" && find . | cpio --quiet -o -H newc -R 0:0) >"$tmp/cpio"
	mkdir -p "${file%/*}"
	mv -f "$tmp/cpio" "$file"
	rm -rf "$tmp"
}

# get_initramfs MODULES: sets `initramfs` to the file of this kernel and content, and
# `host_key` to the name of this kind of host in the cache.
get_initramfs() {
	host_key=$({
		cat "$LAB_DIR/initramfs-init" "$LAB_DIR/initramfs.sh" "$LAB_DIR/hosts/$kind"{.sh,-root}
		readlink -f "$entry"
		sha256sum <"$(command -v busybox)"
	} | sha256sum | cut -c 1-16)
	host_key=$kind-$release-$host_key
	initramfs=$CACHE/initramfs/$host_key.cpio
	with_lock "$CACHE/lock.initramfs" build_initramfs "$initramfs" "$1" ||
		die_status 125 "cannot build the initramfs of $release"
}
