# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What the demos share inside the emulated host. A command that a user would type is echoed before it runs.

say() { printf '\n== %s\n' "$*"; }
type_in() { printf '$ %s\n' "$*"; "$@"; }

# say_where_kept FOLDER: the comparison's ID is of the emulated host, whose store ends with it. FOLDER is of the host that runs the demo.
say_where_kept() {
	printf 'That ID is of this emulated host, and ends with it. Afterwards read the file: kvm-ext compare --input %s/compare.json\n' "$1"
}

# start_kvm_ext RELEASE: module and daemon
start_kvm_ext() {
	insmod "build/kmod/$1/kvm_ext.ko"
	kvm-extd --system-bus=no >"$LAB_OUT/kvm-extd.log" 2>&1 &
	wait_for 20 "kvm-extd answers" kvm-ext list
}

# The demo fails if the kernel had something to say.
no_complaints() {
	rmmod kvm_ext
	no_kernel_complaints || {
		echo "the kernel complained; see above" >&2
		exit 1
	}
}
