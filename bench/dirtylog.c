// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What dirty-log costs, phase by phase, on a VM like that of the kernel's own
 * dirty_log_perf_test: one vCPU, and MIB of memory in one memslot. Each iteration
 * touches all of the memory: one page in ONE_IN is written, the others are read.
 *
 * The times are those of the module's statistics: each ioctl is timed by itself,
 * as the selftest times its own ioctls.
 *
 * usage: dirtylog MIB ONE_IN ITERATIONS plain|all-set 4K|2M
 * Prints lines of `ours-LOG-BACKING PHASE NANOSECONDS PAGES DIRTY_PAGES`.
 *
 * What it cannot show: nanoseconds of real hardware.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "kx.h"
#include "tap.h"
#include "vmm.h"

#define DATA_GFN (VMM_DATA_GPA / VMM_PAGE)
#define MIB	 (1ull << 20)

static struct vmm vm;
static struct kx kx;
static uint32_t list[VMM_LIST_MAX];
static uint32_t pages, dirty;
static char source[32];

static void phase(const char *name, uint64_t ns)
{
	printf("%s %s %llu %u %u\n", source, name, (unsigned long long)ns, pages, dirty);
}

static void one_iteration(const struct kvm_ext_stats *before)
{
	const struct kvm_ext_log_stats *was = &before->log;
	struct kvm_ext_stats after;

	vmm_touch(&vm, 0, list, pages);
	if (kx_run_pass(kx.fd, NULL))
		bail("pass");
	kx_discard(&kx);
	after = kx_stats(kx.fd);
	if (after.samples - before->samples != dirty)
		bail("%llu pages found instead of %u",
		     (unsigned long long)(after.samples - before->samples), dirty);
	phase("harvest", after.log.harvest_ns - was->harvest_ns);
	if (after.log.clears != was->clears)
		phase("clear", after.log.clear_ns - was->clear_ns);
	phase("pass", after.pass_ns_sum - before->pass_ns_sum);
}

static void run(int iterations)
{
	struct kvm_ext_tracker t = kx_tracker(KVM_EXT_TRACKER_DIRTY_LOG);
	struct kvm_ext_stats stats;
	int i;

	t.first_gfn = DATA_GFN;
	t.npages = pages;
	kx_start(&kx, &t);
	stats = kx_stats(kx.fd);
	phase("enable", stats.log.enable_ns);
	if (stats.log.arm_pages)
		phase("arm", stats.log.arm_ns);
	for (i = 0; i < iterations; i++) {
		stats = kx_stats(kx.fd);
		one_iteration(&stats);
	}
	t = kx_tracker(KVM_EXT_TRACKER_OFF);
	if (kx_set(kx.fd, &t))
		bail("off");
	phase("disable", kx_stats(kx.fd).log.disable_ns);
}

#define USAGE "dirtylog MIB ONE_IN ITERATIONS plain|all-set 4K|2M"

int main(int argc, char **argv)
{
	struct vmm_config config = { .mode = VMM_64, .io_exit = true };
	enum vmm_backing backing;
	uint32_t one_in, i;
	int iterations;
	void *memory;

	if (argc != 6)
		args_refuse(USAGE, NULL);
	pages = (uint32_t)(args_number(argv[1], 1, VMM_LIST_MAX / (MIB / VMM_PAGE), USAGE) * MIB /
			   VMM_PAGE);
	one_in = (uint32_t)args_number(argv[2], 1, VMM_LIST_MAX, USAGE);
	iterations = (int)args_number(argv[3], 1, 1000000, USAGE);
	config.log =
		args_is_first(argv[4], "plain", "all-set", USAGE) ? VMM_LOG_PLAIN : VMM_LOG_ALL_SET;
	backing = args_is_first(argv[5], "4K", "2M", USAGE) ? VMM_SMALL : VMM_THP;
	dirty = (pages + one_in - 1) / one_in;
	snprintf(source, sizeof(source), "ours-%s-%s", argv[4], argv[5]);

	vmm_create_as(&vm, &config, 1, -1);
	/* Like the selftest's memory: pages that the guest only reads are the host's page of zeros. */
	memory = vmm_fresh_memory(pages * VMM_PAGE, backing);
	if (!memory || vmm_map(&vm, 1, VMM_DATA_GPA, pages * VMM_PAGE, memory, 0))
		bail("guest memory");
	for (i = 0; i < pages; i++)
		list[i] = i % one_in ? vmm_read(DATA_GFN + i) : vmm_write(DATA_GFN + i);
	/* All are mapped before the log is switched on. */
	vmm_touch(&vm, 0, list, pages);
	kx_attach(&kx, vm.fd, 0);
	run(iterations);
	kx_close(&kx);
	vmm_destroy(&vm);
	return 0;
}
