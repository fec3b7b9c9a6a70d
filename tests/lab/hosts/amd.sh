# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# shellcheck disable=SC2054 # QEMU's options are full of commas
# shellcheck disable=SC2154 # set by lab: cpus mem numa append shmem ivshmem system entry release run job shell
#
# An AMD host with SVM and nested paging, emulated by QEMU's TCG. Read by lab.

# shellcheck disable=SC2034 # read by lab
HOST_EMULATES='QEMU TCG (AMD SVM/NPT)'
HOST_KVM_MODULE=kvm_amd
HOST_CPUS=2
HOST_MEM=3072

# Modules that the initramfs loads: for the root, the ports, and KVM.
AMD_MODULES='virtio_pci 9pnet_virtio 9p overlay virtio_console kvm_amd'

host_check() {
	[[ -z $pebs ]] || die_status 2 "amd: the emulated CPU has no PEBS: use intel"
	[[ -z $ivshmem ]] || die_status 2 "amd: --ivshmem is for intel only: use --shmem"
	need qemu-system-x86_64 qemu-system-x86
}

# A comma in a value of a QEMU option is written twice.
amd_value() { printf '%s' "${1//,/,,}"; }

# Nodes of equal size as far as possible; the first nodes get the remaining CPUs.
amd_numa() {
	local node first=0 size=$((mem / numa)) share part
	((numa > 1)) || return 0
	for ((node = 0; node < numa; node++)); do
		share=$((cpus / numa + (node < cpus % numa)))
		part=$size
		((node)) || part=$((mem - size * (numa - 1)))
		printf '%s\n' -object "memory-backend-ram,id=node$node,size=${part}M"
		if ((share)); then
			printf '%s\n' -numa \
				"node,nodeid=$node,memdev=node$node,cpus=$first-$((first + share - 1))"
		else
			printf '%s\n' -numa "node,nodeid=$node,memdev=node$node"
		fi
		first=$((first + share))
	done
}

host_start() {
	local initramfs host_key caps dir args=() numa_args=() qemu=() line
	get_initramfs "$AMD_MODULES"
	# libvirt's probe of QEMU takes seconds, so its result is kept. libvirt itself
	# checks whether the result is still valid.
	caps=$CACHE/libvirt/$host_key${system:+-system}
	mkdir -p "$caps"

	# panic=-1 with -no-reboot: a panic ends the emulator immediately.
	# mitigations, cryptomgr: they take time (the crypto self-tests take seconds)
	# and are not needed. TSC: TCG's TSC is this machine's, and reliable; the
	# frequency that the kernel measures at boot is wrong if this machine is busy.
	build_program tsc tsc.c
	line="console=ttyS0 panic=-1 mitigations=off nokaslr cryptomgr.notests=1"
	line+=" tsc_early_khz=$("$TOP/build/lab/tsc")"
	line+=" tsc=reliable no_timer_check nowatchdog rcupdate.rcu_expedited=1"
	line+=" random.trust_cpu=on audit=0 apparmor=$([[ -z $system ]] && echo 0 || echo 1) printk.devkmsg=on loglevel=6$append"
	mapfile -t numa_args < <(amd_numa)
	# Without XSAVE, and therefore without AVX: with XSAVE, guests warn of an
	# inconsistent XSAVE state (probably TCG's SVM does not intercept XSETBV).
	args=(
		-name kvm-ext-lab -nodefaults -no-user-config -display none -no-reboot
		-accel tcg,thread=multi,tb-size=512
		-machine q35,smm=off,vmport=off,hpet=off
		-cpu 'EPYC-Milan,+svm,+npt,-xsave,-avx,-avx2,-fma,-f16c,-vaes,-vpclmulqdq,check=off'
		-smp "$cpus" -m "$mem" "${numa_args[@]}"
		-kernel "$entry/vmlinux" -initrd "$initramfs" -append "$line"
		-chardev "file,id=log,path=$(amd_value "$LAB_OUT")/kernel.log"
		-serial chardev:log
		-virtfs "local,id=root,path=$(amd_value "${system:-/}"),mount_tag=root,security_model=none,readonly=on,multidevs=remap"
		-virtfs "local,id=job,path=$(amd_value "$job"),mount_tag=job,security_model=none,readonly=on,multidevs=remap"
		-virtfs "local,id=out,path=$(amd_value "$LAB_OUT"),mount_tag=out,security_model=none,multidevs=remap"
		-virtfs "local,id=caps,path=$(amd_value "$caps"),mount_tag=caps,security_model=none,multidevs=remap"
		-device virtio-serial-pci,id=ports
		-chardev "file,id=control,path=$(amd_value "$run")/control"
		-device virtserialport,bus=ports.0,nr=1,chardev=control,name=control
		-chardev "file,id=out,path=$(amd_value "$run")/out"
		-device virtserialport,bus=ports.0,nr=2,chardev=out,name=out
		-chardev "file,id=err,path=$(amd_value "$run")/err"
		-device virtserialport,bus=ports.0,nr=3,chardev=err,name=err
	)
	[[ -z $system ]] || args+=(
		-virtfs "local,id=machine,path=/,mount_tag=machine,security_model=none,readonly=on,multidevs=remap"
	)
	[[ -z $shmem ]] || args+=(
		-object "memory-backend-file,id=shmem,mem-path=$(amd_value "$shmem"),size=$(stat -c %s "$shmem"),share=on"
		-device ivshmem-plain,memdev=shmem
	)
	dir=$("$LAB_DIR/emulator") || exit 125
	qemu=("$dir/usr/bin/qemu-system-x86_64"
		-L "$dir/usr/share/qemu" -L "$dir/usr/share/seabios")
	if [[ -n $shell ]]; then
		args+=(-chardev stdio,id=tty,signal=off
			-device virtconsole,bus=ports.0,nr=0,chardev=tty)
		"${qemu[@]}" "${args[@]}" <&0 2>"$run/emulator.log" &
	else
		"${qemu[@]}" "${args[@]}" </dev/null >/dev/null \
			2>"$run/emulator.log" &
	fi
	emulator=$!
}

# amd-inside needs no help at the end: output is written while the host runs.
host_last_call() { :; }
host_collect() { :; }
