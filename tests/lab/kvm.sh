# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# shellcheck disable=SC2153 # KERNELS is set by kernels
#
# Pseudo-suites: a suite's kernel whose KVM modules are built anew from the source of the same package, changed. Read by
# kernels.
#
#   checked          6.12 with CONFIG_KVM_PROVE_MMU: what KVM believes of its page tables is checked, and warned of, wherever
#                    it relies on it
#   pebs             6.1 with kvm-ext/kvm-patches/6.1: guests can have adaptive PEBS
#   pebs-backports   6.12 with kvm-ext/kvm-patches/6.12
#
# None of them changes a structure that other modules see, so kvm_ext.ko is the one of the suite.

declare -A KVM_OF=([checked]=backports [pebs]=bookworm [pebs-backports]=backports)
declare -A KVM_PATCHES=([pebs]=$TOP/kvm-ext/kvm-patches/6.1 [pebs-backports]=$TOP/kvm-ext/kvm-patches/6.12)
KVM_PROVE=CONFIG_KVM_PROVE_MMU

is_kvm_suite() { [[ -n ${KVM_OF[$1]:-} ]]; }

# kvm_version NAME: the modules' version, so that /sys/module/kvm/version tells
kvm_version() {
	case $1 in
	checked) echo kvm-ext-lab-prove-mmu ;;
	*) echo "kvm-ext-lab-$1" ;;
	esac
}

# kvm_entry NAME ENTRY: as other entries, with a third part
kvm_entry() {
	local dir=${KVM_PATCHES[$1]:-}
	printf '%s_%s-%s\n' "$2" "$1" "$(cat "$LAB_DIR/kvm.sh" ${dir:+"$dir"/*.patch} | sha256sum | cut -c 1-8)"
}

# kvm_source NAME ENTRY DIRECTORY: KVM's part of the kernel's source, of the very version
kvm_source() {
	local suite=${KVM_OF[$1]} dir=$3 version=${2##*_} name
	name=linux-source-$(cut -d . -f 1-2 <<<"$version")
	say "$suite: fetching $name $version (150 MB) for the kernel '$1'"
	(cd "$dir" && private_apt "$suite" apt-get -q -q download "$name=$version" >&2) ||
		die "download of $name failed"
	dpkg-deb --fsys-tarfile "$dir"/*.deb | tar -C "$dir" -xf - "./usr/src/$name.tar.xz"
	tar -C "$dir" --strip-components=1 -xf "$dir/usr/src/$name.tar.xz" \
		"$name/arch/x86/kvm" "$name/virt/kvm"
	rm -rf "$dir"/*.deb "${dir:?}/usr"
}

# kvm_prepare NAME DIRECTORY: the change. The headers package has neither of the two directories where KVM's makefile and
# trace header look for each other.
kvm_prepare() {
	local name=$1 kvm=$2/arch/x86/kvm define='' patch
	for patch in ${KVM_PATCHES[$name]:+"${KVM_PATCHES[$name]}"/*.patch}; do
		patch -s -d "$2" -p1 --fuzz=0 <"$patch" || die "$patch does not apply"
	done
	[[ $name != checked ]] || define=-D$KVM_PROVE=1
	# shellcheck disable=SC2016 # make's variables
	sed -i 's,\$(srctree)/virt/kvm,$(src)/../../../virt/kvm,
		s,^ccflags-y += -I \$(srctree)/arch/x86/kvm,ccflags-y += -I $(src) -I $(src)/../../../virt/kvm '"$define"',' \
		"$kvm/Makefile"
	grep -q "^ccflags-y += -I .*/virt/kvm $define" "$kvm/Makefile" || die "KVM's makefile is not as expected"
	printf 'MODULE_VERSION("%s");\n' "$(kvm_version "$name")" >>"$2/virt/kvm/kvm_main.c"
}

# Places that can warn, by the size of the table of them.
kvm_warnings() { size -A "$1" | awk '$1 == "__bug_table" { print $2 }'; }

# kvm_prove MODULE STOCK: a KVM that checks itself warns in more places
kvm_prove() {
	local new=$1 stock=$2
	(($(kvm_warnings "$new") >= $(kvm_warnings "$stock"))) ||
		die "$new checks less than the stock module"
	[[ $new != */kvm.ko ]] || (($(kvm_warnings "$new") > $(kvm_warnings "$stock"))) ||
		die "$new was not built with $KVM_PROVE"
}

# kvm_replace NAME STOCK NEW: NEW for the stock module
kvm_replace() {
	local name=$1 stock=$2 new=$3 plain
	plain=$(plain_module "$stock")
	if [[ $name == checked ]]; then
		unpack_module "$stock" >"$new.stock"
		kvm_prove "$new" "$new.stock"
	fi
	rm -f "$stock"
	strip --strip-debug -o "$plain" "$new"
}

build_kvm() {
	local name=$1 entry=$2 final=$3 release=${2%%_*} tmp log=$KERNELS/$1.log module stock
	[[ ! -d $final ]] || return 0
	need make make
	need patch patch
	need size binutils
	tmp=$(mktemp -d "$KERNELS/.tmp.XXXXXX")
	# shellcheck disable=SC2064 # the value of now is the one to remove
	trap "rm -rf '$tmp'" EXIT
	mkdir "$tmp/source"
	kvm_source "$name" "$entry" "$tmp/source"
	kvm_prepare "$name" "$tmp/source"
	say "building KVM of $release for the kernel '$name' (once, a minute)"
	"$LAB_DIR/kernels" make "$release" -- "M=$tmp/source/arch/x86/kvm" CONFIG_DEBUG_INFO_BTF_MODULES= \
		"-j$(nproc)" modules >"$log" 2>&1 || {
		tail -n 20 "$log" >&2
		die "building KVM failed: $log"
	}
	cp -al "$KERNELS/$entry" "$tmp/tree"
	for module in kvm kvm-amd kvm-intel; do
		stock=$(find "$tmp/tree/usr/lib/modules" -name "$module.ko*")
		kvm_replace "$name" "$stock" "$tmp/source/arch/x86/kvm/$module.ko"
	done
	depmod -b "$tmp/tree" "$release" || die "$release: depmod failed"
	chmod 755 "$tmp/tree"
	mv -T "$tmp/tree" "$final"
	rm -rf "$tmp"
	trap - EXIT
}

# get_kvm NAME: prints the release, as get_one does
get_kvm() {
	local name=$1 suite=${KVM_OF[$1]} entry final
	with_lock "$CACHE/lock.kernels.$suite" get_one "$suite" >/dev/null
	entry=$(suite_entry "$suite")
	final=$(kvm_entry "$name" "$entry")
	build_kvm "$name" "$entry" "$KERNELS/$final"
	set_suite "$name" "$final"
	printf '%s\n' "${final%%_*}"
}
