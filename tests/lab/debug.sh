# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# shellcheck disable=SC2153 # KERNELS is set by kernels
#
# Pseudo-suite `debug`: a small kernel of its own, from the source package of the suite `backports` (6.12), in which the kernel
# checks what runs in it: KASAN, lockdep, sleeping in atomic context, leaks, undefined behaviour, lists, objects' lifetimes, and
# KVM's own page tables. debug.config says what is in it. Read by kernels.
#
# Its release has a hash of all that it is made from, so that modules built for one are never loaded into another.

DEBUG_OF=backports

debug_hash() { cat "$LAB_DIR/debug.sh" "$LAB_DIR/debug.config" | sha256sum | cut -c 1-8; }

# debug_entry VERSION: of the source package
debug_entry() { printf '%s-debug-%s_%s\n' "${1%%-*}" "$(debug_hash)" "$1"; }

# debug_source VERSION DIRECTORY
debug_source() {
	local version=$1 dir=$2 name
	name=linux-source-$(cut -d . -f 1-2 <<<"$version")
	say "$DEBUG_OF: fetching $name $version (150 MB) for the kernel 'debug'"
	(cd "$dir" && private_apt "$DEBUG_OF" apt-get -q -q download "$name=$version" >&2) ||
		die "download of $name failed"
	dpkg-deb --fsys-tarfile "$dir"/*.deb | tar -C "$dir" -xf - "./usr/src/$name.tar.xz"
	tar -C "$dir" --strip-components=1 -xf "$dir/usr/src/$name.tar.xz"
	rm -rf "$dir"/*.deb "${dir:?}/usr/src"
}

# debug_configured SOURCE: what Kconfig has dropped of our list is missing from the checks, and would be missed by nobody
debug_configured() {
	local line missing=()
	while read -r line; do
		case $line in
		CONFIG_*=n) ! grep -q "^${line%n}" "$1/.config" || missing+=("$line") ;;
		CONFIG_*=*) grep -qxF "$line" "$1/.config" || missing+=("$line") ;;
		esac
	done <"$LAB_DIR/debug.config"
	((${#missing[@]} == 0)) || die "the kernel 'debug' would lack ${missing[*]}"
}

# debug_make SOURCE LOG ARGUMENTS
debug_make() {
	local source=$1 log=$2
	shift 2
	nice make -C "$source" -j"$(nproc)" LOCALVERSION= KBUILD_BUILD_USER=lab KBUILD_BUILD_HOST=lab \
		KBUILD_BUILD_TIMESTAMP='1 January 2026' "$@" >>"$log" 2>&1 || {
		tail -n 20 "$log" >&2
		die "building the kernel 'debug' failed: $log"
	}
}

# debug_tree SOURCE TREE RELEASE FINAL LOG: what an entry has
debug_tree() {
	local source=$1 tree=$2 release=$3 final=$4 log=$5 headers
	headers=usr/src/linux-headers-$release
	mkdir -p "$tree/usr/src"
	debug_make "$source" "$log" modules_install INSTALL_MOD_PATH="$tree/usr" INSTALL_MOD_STRIP=1 DEPMOD=true
	debug_make "$source" "$log" run-command \
		KBUILD_RUN_COMMAND="+\$(srctree)/scripts/package/install-extmod-build $tree/$headers"
	: >"$tree/$headers/.kernelvariables"
	cp "$source/vmlinux" "$tree/vmlinux"
	ln -s usr/lib "$tree/lib"
	ln -s "$headers" "$tree/kdir"
	rm -f "$tree/usr/lib/modules/$release"/{build,source}
	ln -s "$final/$headers" "$tree/usr/lib/modules/$release/build"
	depmod -b "$tree" "$release" || die "$release: depmod failed"
	chmod 755 "$tree"
}

build_debug() {
	local version=$1 entry=$2 final=$3 release=${2%%_*} tmp log=$KERNELS/debug.log started
	[[ ! -d $final ]] || return 0
	need make make
	need gcc gcc
	need flex flex
	need bison bison
	need bc bc
	started=$(uptime_s)
	mkdir -p "$KERNELS"
	tmp=$(mktemp -d "$KERNELS/.tmp.XXXXXX")
	# shellcheck disable=SC2064 # the value of now is the one to remove
	trap "rm -rf '$tmp'" EXIT
	mkdir "$tmp/source" "$tmp/tree"
	debug_source "$version" "$tmp/source"
	: >"$log"
	say "building the kernel 'debug' $release (once, up to 40 minutes)"
	debug_make "$tmp/source" "$log" KCONFIG_ALLCONFIG="$LAB_DIR/debug.config" allnoconfig
	debug_configured "$tmp/source"
	"$tmp/source/scripts/config" --file "$tmp/source/.config" --set-str LOCALVERSION "${release#"${version%%-*}"}"
	debug_make "$tmp/source" "$log" olddefconfig
	debug_make "$tmp/source" "$log" vmlinux modules
	[[ $(cat "$tmp/source/include/config/kernel.release") == "$release" ]] ||
		die "the kernel calls itself $(cat "$tmp/source/include/config/kernel.release"), not $release"
	debug_tree "$tmp/source" "$tmp/tree" "$release" "$final" "$log"
	printf '%s\n' "linux-source $version" >"$tmp/tree/packages"
	mv -T "$tmp/tree" "$final"
	rm -rf "$tmp"
	trap - EXIT
	say "the kernel 'debug' took $(since "$started") s, and has $(du -sh "$final" | cut -f 1)"
}

# get_debug: prints the release, as get_one does
get_debug() {
	local version entry
	with_lock "$CACHE/lock.kernels.$DEBUG_OF" get_one "$DEBUG_OF" >/dev/null
	version=$(version_of "$(suite_entry "$DEBUG_OF")")
	entry=$(debug_entry "$version")
	build_debug "$version" "$entry" "$KERNELS/$entry"
	set_suite debug "$entry"
	printf '%s\n' "${entry%%_*}"
}
