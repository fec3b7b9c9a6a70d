# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Read by benchmarks that are a program of the VM tests' kind: boots the emulated AMD host, there loads the module and
# runs build/vmm/NAME, shows what that prints and keeps it in out/bench-NAME/NAME.txt, the headline last.

# on_amd NAME [--kernel SUITE]: by default the kernel whose DAMON the figures are compared with
on_amd() {
	local name=$1 kernel=backports release out last
	shift
	if [[ $# -eq 2 && $1 == --kernel ]]; then
		kernel=$2
	elif [[ $# -gt 0 ]]; then
		echo "usage: bench/$name [--kernel SUITE]" >&2
		return 2
	fi
	tests/lab/kernels get "$kernel" >/dev/null
	release=$(tests/lab/kernels release "$kernel")
	make --no-print-directory -s vmm
	make --no-print-directory -s -C kvm-ext modules RELEASE="$release" \
		KMAKE="$PWD/tests/lab/kernels make $release --" >/dev/null

	out=$PWD/out/bench-$name
	mkdir -p "$out"
	# From 6.17 on DAMON may watch the whole machine, which clears accessed bits that are to be found.
	LAB_OUT=$out tests/lab/lab amd --kernel "$kernel" --timeout 900 -- bash -c "
		damon=/sys/module/damon_stat/parameters/enabled
		if [[ -e \$damon ]]; then echo N >\$damon; fi
		insmod build/kmod/$release/kvm_ext.ko && build/vmm/$name" |
		tee "$out/$name.txt" | grep --line-buffered -v '^headline: '

	last=$(tail -n 1 "$out/$name.txt")
	[[ $last == headline:* ]] || {
		echo "bench-$name: no result" >&2
		return 1
	}
	sed -i '$d' "$out/$name.txt"
	{
		echo "emulated AMD host (QEMU TCG), kernel $release: the figures compare with each other, not with hardware"
		echo "${last#headline: }"
	} | tee -a "$out/$name.txt"
}
