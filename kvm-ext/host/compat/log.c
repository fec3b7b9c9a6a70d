// SPDX-License-Identifier: GPL-2.0-only
/*
 * Does the CPU log writes for a VM's dirty log? Since 6.16 struct kvm shows this. Before, only
 * kvm_intel could use this feature of the CPU. When kvm_intel is loaded, it sets its module
 * parameter "pml" to N if the CPU does not support the feature.
 */
#include <linux/fs.h>
#include <kvm-ext/uapi.h>

#ifdef HAVE_ARCH_CPU_DIRTY_LOG_SIZE

u32 kx_cpu_logs_writes(struct kvm *kvm)
{
	return kvm->arch.cpu_dirty_log_size ? KVM_EXT_LOG_PML : KVM_EXT_LOG_WRITE_PROTECT;
}

#else

u32 kx_cpu_logs_writes(struct kvm *kvm)
{
	u32 mechanism = KVM_EXT_LOG_UNKNOWN;
	struct file *file;
	loff_t pos = 0;
	char c;

	if (!boot_cpu_has(X86_FEATURE_VMX))
		return KVM_EXT_LOG_WRITE_PROTECT;
	file = filp_open("/sys/module/kvm_intel/parameters/pml", O_RDONLY, 0);
	if (IS_ERR(file))
		return mechanism;
	if (kernel_read(file, &c, 1, &pos) == 1)
		mechanism = c == 'Y' ? KVM_EXT_LOG_PML : KVM_EXT_LOG_WRITE_PROTECT;
	filp_close(file, NULL);
	return mechanism;
}

#endif
