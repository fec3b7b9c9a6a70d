# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What no test may cause a kernel to say, for every suite that runs inside.

# complaints: prints those in a kernel's log (stdin); succeeds if there are any
complaints() {
	grep -E 'WARNING|\<BUG\>|Oops|general protection|unchecked MSR|Call Trace|soft lockup|hard LOCKUP|hung task|blocked for more|rcu.*(stall|detected)|KASAN|UBSAN|refcount_t|list_(add|del) corruption' |
		grep -vE 'Spectre|mitigation|MDS|RETBleed'
}

no_kernel_complaints() { ! dmesg | complaints; }

KMEMLEAK=/sys/kernel/debug/kmemleak

# no_leaks: memory of a module of ours to which nothing points; prints it. For a kernel with kmemleak, when the modules are unloaded: the
# addresses of a module that is gone have no symbols. kmemleak reports memory that two scans have found unchanged, and that
# was older than five seconds at the second.
no_leaks() {
	echo scan >$KMEMLEAK && sleep 6 && echo scan >$KMEMLEAK || return 1
	cat $KMEMLEAK >"$LAB_OUT/kmemleak" || return 1
	! grep -E -B 20 '^ +0x[0-9a-f]+$|\[(kvm_ext|kvm_ext_guest|kx_[a-z]+)\]' "$LAB_OUT/kmemleak"
}
