# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# shellcheck disable=SC2153 # KERNELS is set by kernels
#
# The pseudo-suite `checked`: the kernel of backports with KVM's modules built anew
# from the source of the same package, with CONFIG_KVM_PROVE_MMU: what KVM believes
# of its page tables is then checked, and warned of, wherever it relies on it. Read
# by kernels.
#
# On 6.12 the option changes no structure, so kvm_ext.ko is the one of backports.

CHECKED_OF=backports
CHECKED_OPTION=CONFIG_KVM_PROVE_MMU
# Also the module's version, so that /sys/module/kvm/version tells.
CHECKED_VERSION="kvm-ext-lab-prove-mmu"

checked_entry() {
	printf '%s_checked-%s\n' "$1" "$(sha256sum <"$LAB_DIR/checked.sh" | cut -c 1-8)"
}

# checked_source ENTRY DIRECTORY: KVM's part of the kernel's source, of the very version
checked_source() {
	local entry=$1 dir=$2 version=${1##*_} name
	name=linux-source-$(cut -d . -f 1-2 <<<"$version")
	say "$CHECKED_OF: fetching $name $version (150 MB) for the checked KVM"
	(cd "$dir" && private_apt $CHECKED_OF apt-get -q -q download "$name=$version" >&2) ||
		die "download of $name failed"
	dpkg-deb --fsys-tarfile "$dir"/*.deb | tar -C "$dir" -xf - "./usr/src/$name.tar.xz"
	tar -C "$dir" --strip-components=1 -xf "$dir/usr/src/$name.tar.xz" \
		"$name/arch/x86/kvm" "$name/virt/kvm"
	rm -rf "$dir"/*.deb "${dir:?}/usr"
}

# The headers package has none of these two directories, where KVM's makefile
# and trace header look for each other.
checked_prepare() {
	local kvm=$1/arch/x86/kvm
	# shellcheck disable=SC2016 # make's variables
	sed -i 's,\$(srctree)/virt/kvm,$(src)/../../../virt/kvm,
		s,^ccflags-y += -I \$(srctree)/arch/x86/kvm,ccflags-y += -I $(src) -I $(src)/../../../virt/kvm -D'$CHECKED_OPTION'=1,' \
		"$kvm/Makefile"
	grep -q "D$CHECKED_OPTION=1" "$kvm/Makefile" || die "KVM's makefile is not as expected"
	printf '#ifdef %s\nMODULE_VERSION("%s");\n#endif\n' $CHECKED_OPTION $CHECKED_VERSION \
		>>"$1/virt/kvm/kvm_main.c"
}

# Places that can warn, by the size of the table of them.
checked_warnings() { size -A "$1" | awk '$1 == "__bug_table" { print $2 }'; }

# checked_replace MODULE FILE: FILE for the stock module, which has to warn in fewer places
checked_replace() {
	local stock=$1 new=$2 plain
	plain=$(plain_module "$1")
	unpack_module "$stock" >"$new.stock"
	(($(checked_warnings "$new") >= $(checked_warnings "$new.stock"))) ||
		die "$new checks less than the stock module"
	[[ $new != */kvm.ko ]] || (($(checked_warnings "$new") > $(checked_warnings "$new.stock"))) ||
		die "$new was not built with $CHECKED_OPTION"
	rm -f "$stock"
	strip --strip-debug -o "$plain" "$new"
}

build_checked() {
	local entry=$1 final=$2 release=${1%%_*} tmp log=$KERNELS/checked.log module stock
	[[ ! -d $final ]] || return 0
	need make make
	need size binutils
	tmp=$(mktemp -d "$KERNELS/.tmp.XXXXXX")
	# shellcheck disable=SC2064 # the value of now is the one to remove
	trap "rm -rf '$tmp'" EXIT
	mkdir "$tmp/source"
	checked_source "$entry" "$tmp/source"
	checked_prepare "$tmp/source"
	say "building KVM of $release with $CHECKED_OPTION (once, a minute)"
	"$LAB_DIR/kernels" make "$release" -- "M=$tmp/source/arch/x86/kvm" CONFIG_DEBUG_INFO_BTF_MODULES= \
		"-j$(nproc)" modules >"$log" 2>&1 || {
		tail -n 20 "$log" >&2
		die "building KVM failed: $log"
	}
	cp -al "$KERNELS/$entry" "$tmp/tree"
	for module in kvm kvm-amd kvm-intel; do
		stock=$(find "$tmp/tree/usr/lib/modules" -name "$module.ko*")
		checked_replace "$stock" "$tmp/source/arch/x86/kvm/$module.ko"
	done
	depmod -b "$tmp/tree" "$release" || die "$release: depmod failed"
	chmod 755 "$tmp/tree"
	mv -T "$tmp/tree" "$final"
	rm -rf "$tmp"
	trap - EXIT
}

# get_checked: prints the release, as get_one does
get_checked() {
	local entry final
	with_lock "$CACHE/lock.kernels.$CHECKED_OF" get_one $CHECKED_OF >/dev/null
	entry=$(suite_entry $CHECKED_OF)
	final=$(checked_entry "$entry")
	build_checked "$entry" "$KERNELS/$final"
	set_suite checked "$final"
	printf '%s\n' "${final%%_*}"
}
