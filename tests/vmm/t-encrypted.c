// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * VMs with encrypted memory: a tracker that removes mappings is refused, because KVM would write
 * back the caches of the whole host at each removal. Other trackers are not refused. The module's
 * question to KVM leaves no mapping in the VMM.
 *
 * If the host has SEV, the test makes a VM with SEV. No emulated host has SEV. There a module built
 * with KVM_EXT_TEST and loaded with encrypted=1 replaces KVM's answer for other VMs by the answer
 * for SEV (KX_EXPECT_ENCRYPTED). This tests everything but KVM's own answer.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kx.h"
#include "tap.h"
#include "vmm.h"

#define SIZE (1ul << 20)

static struct vmm vm;

/* Number of pages that are mapped in this process. */
static uint64_t address_space(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	unsigned long pages = 0;

	if (!f || fscanf(f, "%lu", &pages) != 1)
		bail("/proc/self/statm");
	fclose(f);
	return pages;
}

static int set(int fd, uint32_t id)
{
	struct kvm_ext_tracker t = kx_tracker(id);

	return kx_set(fd, &t);
}

/* The answer of KVM on which the module relies. */
static void kvm_tells(void)
{
	struct kvm_enc_region none = { 0 };

	ok_errno(ioctl(vm.fd, KVM_MEMORY_ENCRYPT_UNREG_REGION, &none), ENOTTY,
		 "KVM answers ENOTTY for a region of a VM without encrypted memory");
}

static void plain(bool expect_encrypted)
{
	static const uint32_t others[] = { KVM_EXT_TRACKER_ABIT, KVM_EXT_TRACKER_ABIT_FLUSH,
					   KVM_EXT_TRACKER_EPT_WALK, KVM_EXT_TRACKER_DIRTY_LOG,
					   KVM_EXT_TRACKER_PML_ABIT };
	uint32_t list[] = { vmm_read(0) };
	uint64_t before, refused = 0;
	struct kvm_ext_stats s;
	struct kx kx;
	size_t i;

	vmm_touch(&vm, 0, list, 1);
	kx_attach(&kx, vm.fd, 0);
	if (set(kx.fd, KVM_EXT_TRACKER_ABIT))
		bail("abit");
	before = address_space();
	for (i = 0; i < 20; i++) {
		if (expect_encrypted)
			refused += set(kx.fd, KVM_EXT_TRACKER_TRAP) == -1 && errno == EOPNOTSUPP;
		else
			refused += set(kx.fd, KVM_EXT_TRACKER_TRAP) != 0;
	}
	ok_eq(refused, expect_encrypted ? i : 0, "trap is %s",
	      expect_encrypted ? "refused, as for a VM with encrypted memory (test build)"
			       : "not refused");
	ok_eq(address_space(), before, "the question to KVM leaves no mapping in the VMM");
	s = kx_stats(kx.fd);
	ok_eq(s.tracker, expect_encrypted ? KVM_EXT_TRACKER_ABIT : KVM_EXT_TRACKER_TRAP,
	      "a refused setting has changed nothing");
	for (i = 0, refused = 0; i < sizeof(others) / sizeof(others[0]); i++)
		refused += set(kx.fd, others[i]) != 0;
	ok_eq(refused, 0, "trackers that remove no mappings are not refused");
	kx_close(&kx);
}

/* A VM with SEV, if this host has SEV. No vCPU is needed. */
static void encrypted(void)
{
	struct kvm_sev_cmd init = { .id = KVM_SEV_INIT };
	struct kvm_userspace_memory_region region = { .memory_size = SIZE };
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), sev = open("/dev/sev", O_RDWR | O_CLOEXEC);
	int fd = ioctl(kvm, KVM_CREATE_VM, 0);
	void *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct kx kx;

	init.sev_fd = (__u32)sev;
	region.userspace_addr = (uintptr_t)memory;
	if (sev < 0 || ioctl(fd, KVM_MEMORY_ENCRYPT_OP, &init)) {
		skip(strerror(errno), "a VM with SEV: trap is refused, abit is not");
	} else {
		if (ioctl(fd, KVM_SET_USER_MEMORY_REGION, &region))
			bail("guest memory");
		kx_attach(&kx, fd, 0);
		ok_errno(set(kx.fd, KVM_EXT_TRACKER_TRAP), EOPNOTSUPP,
			 "a VM with SEV: trap is refused");
		ok(set(kx.fd, KVM_EXT_TRACKER_ABIT) == 0, "a VM with SEV: abit is not refused");
		kx_close(&kx);
	}
	munmap(memory, SIZE);
	close(fd);
	close(sev);
	close(kvm);
}

int main(void)
{
	vmm_create(&vm, 1, -1);
	kvm_tells();
	plain(getenv("KX_EXPECT_ENCRYPTED"));
	encrypted();
	vmm_destroy(&vm);
	return tap_end();
}
