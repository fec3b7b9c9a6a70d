# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# shellcheck disable=SC2154 # set by lab: cpus mem numa pebs ivshmem append entry release run job shell with
#
# An Intel host with VMX, EPT (A/D bits) and PML, emulated by Bochs. Read by lab.
#
# Bochs cannot export a directory, so the host has disks: one with the packages
# (made once), and one of this run, with this checkout, the kernel's modules and
# the job. What comes back is written to a third disk; the streams leave by an I/O
# port.

# shellcheck disable=SC2034 # read by lab
HOST_EMULATES='Bochs (Intel VMX/EPT/PML)'
HOST_KVM_MODULE=kvm_intel
HOST_CPUS=1
HOST_MEM=1280
# Instructions per emulated second.
INTEL_IPS=${LAB_IPS:-200000000}

# Stripped modules have no signature: checking a signature takes as long as all other
# parts of loading.
HOST_STRIPS=1

# Modules that the initramfs loads: for the disks.
INTEL_MODULES='ata_piix sd_mod crc32c_generic? ext4 overlay'
# Modules that can be loaded inside, besides the modules that these need.
INTEL_MODULES_INSIDE='kvm_intel tun vhost_net vsock_loopback loop msr cpuid bridge virtio_pci virtio_console'

host_check() {
	((numa == 1)) || die_status 2 "intel: Bochs has no NUMA nodes: use amd"
	[[ -z $shell ]] || die_status 2 "intel: Bochs has no terminal: --shell works with amd only"
	[[ -z $ivshmem || -n $pebs ]] || die_status 2 "intel: --ivshmem needs --pebs"
	[[ -z $system ]] || die_status 2 "intel: the root is an image of packages: --system works with amd only"
	((EUID == 0)) || die_status 2 "intel: needs root, to make disks whose files have the right owners"
	need mke2fs e2fsprogs
	need debugfs e2fsprogs
}

# --- the disk of this run -----------------------------------------------------------

# Makes a directory of the tree, and its parents, with the modes and owners of this machine's.
intel_directory() {
	local path=$1
	[[ ! -d $tree$path && $path != / ]] || return 0
	intel_directory "$(dirname "$path")"
	mkdir "$tree$path"
	[[ ! -d $path ]] || {
		chmod --reference="$path" "$tree$path"
		chown --reference="$path" "$tree$path"
	}
}

# intel_add PATH [TAR-OPTION...]: copies PATH to the same path of the tree
intel_add() {
	local path=$1
	shift
	intel_directory "$(dirname "$path")"
	tar -C "$(dirname "$path")" "$@" -cf - -- "$(basename "$path")" |
		tar -C "$tree$(dirname "$path")" -xpf -
}

# The modules keep their paths in the cache. Of the guests' kernel only vmlinux and the
# modules are needed.
intel_add_kernels() {
	local guest path copy dir=$entry/usr/lib/modules/$release
	intel_directory "$dir"
	ln -sfn usr/lib "$tree$entry/lib"
	cp "$dir"/modules.{order,builtin}* "$tree$dir/"
	# shellcheck disable=SC2086 # names
	module_files "$entry" "$release" $INTEL_MODULES_INSIDE >"$run/modules" || exit 125
	while read -r path; do
		path=$dir${path#*/lib/modules/"$release"}
		copy=$tree$(plain_module "$path")
		mkdir -p "${copy%/*}"
		unpack_module "$path" >"$copy"
		strip --strip-debug "$copy"
	done <"$run/modules"
	depmod -b "$tree$entry" "$release"
	guest=$("$LAB_DIR/kernels" dir cloud 2>/dev/null) || return 0
	intel_add "$guest/vmlinux"
	intel_add "$guest/usr/lib/modules"
	ln -sfn usr/lib "$tree$guest/lib"
	intel_directory "$CACHE/kernels/suites"
	cp -P "$CACHE/kernels/suites/"* "$tree$CACHE/kernels/suites/"
}

# Copies the checkout without files that only a build needs and other kernels' modules.
intel_add_checkout() {
	local path name=${TOP#/} leave_out=(--exclude-vcs)
	for path in out build/obj build/san build/tests 'build/*.o' 'build/*.d' 'build/*.a' 'build/*.cmd'; do
		leave_out+=(--exclude="$name/$path")
	done
	for path in "$TOP"/build/kmod/*; do
		case ${path##*/} in
		"$release" | "$release"-*) ;;
		*) leave_out+=(--exclude="${path#/}") ;;
		esac
	done
	intel_directory "$(dirname "$TOP")"
	tar -C / "${leave_out[@]}" -cf - -- "$name" | tar -C "$tree" -xpf -
}

intel_run_disk() {
	local tree=$run/disk/tree caps_inside=/var/cache/libvirt/qemu/capabilities path
	mkdir -p "$tree"
	mv "$job" "$run/disk/job"
	intel_add_checkout
	intel_directory "$PWD"
	for path in "${with[@]}"; do
		intel_add "$path"
	done
	intel_add_kernels
	if compgen -G "$caps/*" >/dev/null; then
		mkdir -p "$tree$caps_inside"
		cp -a "$caps/." "$tree$caps_inside/"
	fi
	path=$(du -s --apparent-size -k "$run/disk" | cut -f 1)
	make_disk "$run/run.ext4" kx-run $((path * 6 / 5 + 16384)) "$run/disk"
	rm -rf "$run/disk"
}

# --- the rest of the machine ----------------------------------------------------------

intel_boot_disk() {
	local line
	# reboot=t: a triple fault ends Bochs, whereas a reset would boot again.
	# tsc_early_khz: the TSC counts instructions, INTEL_IPS per second; with the
	# frequency of CPUID each second would last seventeen.
	# enable_apicv=0: Bochs requires that the posted-interrupt descriptor is
	# page-aligned, where the architecture requires 64 bytes.
	line="console=ttyS0,115200 panic=-1 reboot=t mitigations=off nokaslr"
	line+=" cryptomgr.notests=1 tsc_early_khz=$((INTEL_IPS / 1000)) tsc=reliable no_timer_check"
	line+=" nowatchdog rcupdate.rcu_expedited=1 random.trust_cpu=on audit=0"
	line+=" apparmor=0 printk.devkmsg=on loglevel=5 kvm_intel.enable_apicv=0$append"
	"$TOP/build/lab/pvh" "$TOP/build/lab/boot" "$entry/vmlinux" "$initramfs" "$line" \
		"$run/boot.disk" || die_status 125 "cannot make the boot disk"
}

intel_settings() {
	cat <<END
config_interface: textconfig
display_library: $(cat "$bochs/display" 2>/dev/null || echo nogui)
romimage: file="$bochs/bios"
vgaromimage: file="$bochs/vgabios"
cpu: model=$model, count=$cpus, ips=$INTEL_IPS, reset_on_triple_fault=0, ignore_bad_msrs=1
memory: guest=$mem, host=$mem
clock: sync=none, time0=utc
pci: enabled=1, chipset=i440fx
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=disk, path="$run/boot.disk", mode=flat, cylinders=0, translation=auto
ata0-slave: type=disk, path="$packages", mode=volatile, cylinders=0, translation=auto
ata1: enabled=1, ioaddr1=0x170, ioaddr2=0x370, irq=15
ata1-master: type=disk, path="$run/run.ext4", mode=flat, cylinders=0, translation=auto
ata1-slave: type=disk, path="$run/out.ext4", mode=flat, cylinders=0, translation=auto
boot: disk
com1: enabled=1, mode=file, dev="$run/serial"
port_e9_hack: enabled=1
log: "$run/bochs.log"
panic: action=fatal
error: action=ignore
info: action=ignore
debug: action=ignore
END
}

host_start() {
	local initramfs packages bochs model=corei7_skylake_x variant=up
	((cpus == 1)) || variant=smp
	[[ -z $pebs ]] || model=icelake_x_pebs
	bochs=$("$LAB_DIR/bochs" "$variant" ${pebs:+pebs}) || exit 125
	packages=$("$LAB_DIR/packages-image") || exit 125
	get_initramfs "$INTEL_MODULES"
	caps=$CACHE/libvirt/$host_key
	add_program ports
	build_program pvh pvh.c boot.h
	build_program boot boot.S boot.h -m32 -nostdlib -Wl,-Ttext=0x7c00,--oformat=binary,--build-id=none
	intel_run_disk
	intel_boot_disk
	# The disk is sparse: only written blocks take space.
	make_disk "$run/out.ext4" kx-out $((1024 * 1024))
	intel_settings >"$run/bochsrc"
	mkfifo "$run/port"
	: >"$run/serial"
	verbose "disks after $(since "$started") s"
	"${TOP}/build/lab/ports" outside "$run/out" "$run/err" "$LAB_OUT/kernel.log" \
		"$run/control" <"$run/port" 2>"$run/emulator.log" &
	streams=$!
	${ivshmem:+env BOCHS_IVSHMEM=1} "$bochs/bochs" -q -f "$run/bochsrc" </dev/null >"$run/port" 2>&1 &
	emulator=$!
}

# `ports inside` reads this block once per emulated second.
host_last_call() {
	printf stop | dd of="$run/out.ext4" conv=notrunc status=none
}

host_collect() {
	wait "$streams" || :
	if [[ -s $run/serial ]]; then
		{
			echo '--- serial console: early messages, and the last ones of a kernel that died'
			cat "$run/serial"
		} >>"$LAB_OUT/kernel.log"
	fi
	mkdir -p "$run/back" "$caps"
	debugfs -R "rdump /out /caps \"$run/back\"" "$run/out.ext4" >"$run/debugfs.log" 2>&1 || :
	[[ ! -d $run/back/out ]] || cp -a "$run/back/out/." "$LAB_OUT/"
	[[ ! -d $run/back/caps ]] || cp -a "$run/back/caps/." "$caps/"
}
