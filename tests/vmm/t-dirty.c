// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Does a pass of dirty-log find exactly the pages that the guest has written since the pass before?
 * (t-along tests a guest that writes while passes run.)
 *
 * In each round the guest writes a random set of pages and reads other pages in between; then one
 * pass runs. No page may be missing, wrong or reported twice: for 32-bit and 64-bit guests, memory
 * of 4K and of 2M pages, one and two vCPUs, and each way in which a VMM can configure its log.
 *
 * The written memory lies above the guest's own memory, so it does not contain the page tables of a
 * 64-bit guest, to which the guest's CPU writes.
 *
 * The guests exit by an I/O instruction, because some kernels lose entries of the CPU's log at HLT.
 * Only halts() uses HLT.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "dirty.h"
#include "kx.h"
#include "tap.h"
#include "vmm.h"

#define ROUNDS	     50
#define SECOND_SLOT  2u
#define SECOND_GPA   (256ul << 20)
#define SECOND_GFN   (SECOND_GPA / VMM_PAGE)
#define SECOND_SIZE  VMM_2M
#define SECOND_PAGES ((uint32_t)(SECOND_SIZE / VMM_PAGE))

static struct vmm vm;
static struct kx kx;
static struct kx_samples got;
static struct dirty_set set;

static struct kvm_ext_tracker dirty_log(bool only_data)
{
	struct kvm_ext_tracker t = kx_tracker(KVM_EXT_TRACKER_DIRTY_LOG);

	if (only_data) {
		t.first_gfn = DIRTY_GFN;
		t.npages = DIRTY_PAGES;
	}
	return t;
}

/* Creates a VM whose memory was written once, and attaches to it. */
static void *begin(const struct vmm_config *config, enum vmm_backing backing, int nr_vcpus)
{
	void *memory = vmm_memory(DIRTY_SIZE, backing);

	if (!memory)
		return NULL;
	vmm_create_as(&vm, config, nr_vcpus, -1);
	dirty_map(&vm, memory, 0);
	dirty_touch_all(&vm);
	kx_attach(&kx, vm.fd, 0);
	return memory;
}

static void end(void *memory)
{
	kx_close(&kx);
	vmm_destroy(&vm);
	vmm_free(memory, DIRTY_SIZE);
}

/* --- exactness ------------------------------------------------------------ */

struct tally {
	int bad_rounds, odd_accounts;
	uint64_t written;
	struct dirty_diff diff;
};

static void count(struct tally *t, const struct dirty_diff *diff)
{
	t->bad_rounds += !dirty_same(diff);
	t->odd_accounts += !dirty_account_agrees(&got);
	t->written += set.n;
	t->diff.missed += diff->missed;
	t->diff.extra += diff->extra;
	t->diff.twice += diff->twice;
}

/* Runs rounds; the smallest and the largest set are among them. */
static struct tally rounds(int n)
{
	struct tally t = { 0 };
	struct dirty_diff diff;
	int i;

	for (i = 0; i < n; i++) {
		dirty_pick(&set, i == 0 ? DIRTY_MIN : i == 1 ? DIRTY_MAX : dirty_size());
		dirty_touch(&vm, &set);
		kx_pass(&kx, &got);
		diff = dirty_compare(&set, &got);
		count(&t, &diff);
	}
	return t;
}

static void tell(const struct tally *t)
{
	if (t->bad_rounds)
		note("%d bad rounds: %llu pages written, %llu missed, %llu extra, %llu twice",
		     t->bad_rounds, (unsigned long long)t->written,
		     (unsigned long long)t->diff.missed, (unsigned long long)t->diff.extra,
		     (unsigned long long)t->diff.twice);
}

struct setup {
	struct vmm_config config;
	enum vmm_backing backing;
	int nr_vcpus;
};

static void name_setup(const struct setup *s, char *name, size_t size)
{
	static const char *const modes[] = { "32-bit", "64-bit", "64-bit with 4K page tables" };

	snprintf(name, size, "%s, %s, %d vCPU%s, %s log%s", modes[s->config.mode],
		 dirty_backing_name[s->backing], s->nr_vcpus, s->nr_vcpus > 1 ? "s" : "",
		 dirty_log_name[s->config.log], s->config.irqchip ? ", interrupt controllers" : "");
}

/* Checks the statistics. No pass runs. */
static void check_account(const struct setup *s, const struct tally *t, const char *name)
{
	bool manual = s->config.log != VMM_LOG_PLAIN;
	struct kvm_ext_stats stats = kx_stats(kx.fd);
	const struct kvm_ext_log_stats *log = &stats.log;

	/* kx_start() has run one counted pass, which has found nothing, before the rounds. */
	ok(stats.passes == ROUNDS + 1 && stats.samples == t->written &&
		   stats.sample_pages == t->written && !stats.lost_samples && !stats.dropped_pages,
	   "%s: the statistics agree with the passes", name);
	ok(log->mode == (uint32_t)s->config.log && log->pages == DIRTY_PAGES && !log->vmm_pages &&
		   !log->other_pages && !log->errors && !log->yields && !log->resumes &&
		   !stats.state,
	   "%s: the statistics contain the log's mode and pages", name);
	ok(log->enable_ns && log->enable_pages == DIRTY_PAGES && log->harvest_ns &&
		   log->harvest_pages && (manual ? log->clear_pages >= t->written : !log->clears) &&
		   (s->config.log == VMM_LOG_ALL_SET ? log->arm_pages == DIRTY_PAGES
						     : !log->arm_pages),
	   "%s: each kind of ioctl has its figures", name);
}

static void exact(const struct setup *s)
{
	struct kvm_ext_tracker tracker = dirty_log(true);
	struct kvm_ext_vm info;
	struct tally t;
	char name[120];
	void *memory;

	name_setup(s, name, sizeof(name));
	memory = begin(&s->config, s->backing, s->nr_vcpus);
	if (!memory) {
		skip("the host has no such pages", "%s", name);
		return;
	}
	info = kx_vm(kx.fd);
	if (s->backing != VMM_SMALL && info.mapped_2m < DIRTY_SIZE / VMM_2M)
		bail("%s: only %llu leaves of 2M", name, (unsigned long long)info.mapped_2m);
	kx_start(&kx, &tracker);
	t = rounds(ROUNDS);
	ok(!t.bad_rounds, "%s: %d rounds, each written page is found, and no other page", name,
	   ROUNDS);
	tell(&t);
	ok_eq(t.odd_accounts, 0, "%s: each pass's account agrees with its records", name);
	check_account(s, &t, name);
	end(memory);
}

static void matrix(void)
{
	static const enum vmm_mode modes[] = { VMM_32, VMM_64 };
	static const enum vmm_backing backings[] = { VMM_SMALL, VMM_THP };
	struct setup s = { .config.io_exit = true };
	int mode, backing, log;

	for (mode = 0; mode < 2; mode++) {
		for (backing = 0; backing < 2; backing++) {
			for (s.nr_vcpus = 1; s.nr_vcpus <= 2; s.nr_vcpus++) {
				for (log = VMM_LOG_PLAIN; log <= VMM_LOG_ALL_SET; log++) {
					s.config.mode = modes[mode];
					s.config.log = log;
					s.backing = backings[backing];
					exact(&s);
				}
			}
		}
	}
}

/* Combinations that are not in the matrix. */
static void further(void)
{
	static const struct setup setups[] = {
		{ { .mode = VMM_64_4K, .io_exit = true }, VMM_SMALL, 2 },
		{ { .mode = VMM_64, .log = VMM_LOG_ALL_SET, .irqchip = true }, VMM_THP, 2 },
		{ { .mode = VMM_32, .log = VMM_LOG_MANUAL, .io_exit = true }, VMM_HUGETLB, 1 },
	};
	size_t i;

	for (i = 0; i < sizeof(setups) / sizeof(setups[0]); i++)
		exact(&setups[i]);
}

/* --- the CPU's log -------------------------------------------------------- */

#define TRACEFS	   "/sys/kernel/tracing"
#define FULL_EVENT TRACEFS "/events/kvm/kvm_pml_full/enable"

static bool write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");
	bool good = f && fputs(text, f) >= 0;

	return f && !fclose(f) && good;
}

static bool trace_full_buffers(void)
{
	if (access(FULL_EVENT, F_OK))
		mount("tracefs", TRACEFS, "tracefs", 0, NULL);
	return write_file(TRACEFS "/trace", "") && write_file(FULL_EVENT, "1");
}

static uint64_t full_buffers_traced(void)
{
	FILE *f = fopen(TRACEFS "/trace", "r");
	char line[512];
	uint64_t n = 0;

	if (!f)
		bail(TRACEFS "/trace");
	while (fgets(line, sizeof(line), f))
		n += strstr(line, "kvm_pml_full:") != NULL;
	fclose(f);
	return n;
}

/* The CPU's buffer has 512 entries: a round with more pages on one vCPU fills it. */
static void full_buffers(void)
{
	static const struct vmm_config config = { .mode = VMM_64, .io_exit = true };
	void *memory = begin(&config, VMM_SMALL, 1);
	struct kvm_ext_tracker tracker = dirty_log(true);
	uint32_t mechanism = kx_vm(kx.fd).log_mechanism;
	uint64_t before, told, traced;

	dirty_check_mechanism(mechanism);
	kx_start(&kx, &tracker);
	ok_eq(kx_stats(kx.fd).log.mechanism, mechanism, "statistics and VM agree on the mechanism");
	if (!trace_full_buffers()) {
		skip("this KVM has no event kvm_pml_full", "exits for a full buffer are counted");
		end(memory);
		return;
	}
	before = kx_stats(kx.fd).log.pml_full_exits;
	rounds(4); /* the second has DIRTY_MAX pages */
	told = kx_stats(kx.fd).log.pml_full_exits - before;
	write_file(FULL_EVENT, "0");
	traced = full_buffers_traced();
	ok_eq(told, traced, "the counted exits for a full buffer are those that the kernel traces");
	if (mechanism == KVM_EXT_LOG_PML)
		ok(traced >= DIRTY_MAX / 512, "%u pages fill the CPU's log: %llu exits", DIRTY_MAX,
		   (unsigned long long)traced);
	else
		ok_eq(traced, 0, "without PML there are no exits for a full buffer");
	end(memory);
}

/*
 * Debian's 6.12.95 does not read the CPU's log when a VM without KVM's interrupt controllers exits
 * by HLT: entries that are in the CPU's log then appear one pass too late, or never. This is a bug
 * of the kernel, which this test only reports.
 */
static void halts(void)
{
	static const struct vmm_config config = { .mode = VMM_64 };
	struct kvm_ext_tracker tracker = dirty_log(true);
	void *memory = begin(&config, VMM_SMALL, 1);
	struct tally t;

	kx_start(&kx, &tracker);
	t = rounds(10);
	if (kx_vm(kx.fd).log_mechanism != KVM_EXT_LOG_PML)
		note("entries lost at HLT: n/a, the CPU does not log here");
	else if (t.diff.missed)
		note("entries lost at HLT: found, %llu of %llu pages written were missed",
		     (unsigned long long)t.diff.missed, (unsigned long long)t.written);
	else
		note("entries lost at HLT: not found");
	/* With a log of the CPU, this bug may lose pages or report them late. */
	ok(kx_vm(kx.fd).log_mechanism == KVM_EXT_LOG_PML || !t.bad_rounds,
	   "a guest that halts: without a log of the CPU, passes are exact");
	end(memory);
}

/* --- what is refused ------------------------------------------------------ */

static void refusals(void)
{
	static const struct vmm_config config = { .io_exit = true };
	static const uint32_t ids[] = { KVM_EXT_TRACKER_DIRTY_LOG, KVM_EXT_TRACKER_PML_ABIT };
	static const char *const names[] = { "dirty-log", "pml-abit" };
	void *memory = begin(&config, VMM_SMALL, 1);
	struct kvm_ext_tracker t;
	int i;

	for (i = 0; i < 2; i++) {
		t = kx_tracker(ids[i]);
		t.granularity = KVM_EXT_GRANULARITY_2M;
		ok_errno(kx_set(kx.fd, &t), EINVAL, "%s: granularity 2M", names[i]);
		t = kx_tracker(ids[i]);
		t.first_gfn = DIRTY_GFN + DIRTY_PAGES;
		t.npages = 1000;
		ok_errno(kx_set(kx.fd, &t), ERANGE, "%s: a range without RAM", names[i]);
		t = kx_tracker(ids[i]);
		t.batch_pages = 7;
		ok_errno(kx_set(kx.fd, &t), EINVAL, "%s: a batch without its scope", names[i]);
	}
	t = kx_tracker(KVM_EXT_TRACKER_DIRTY_LOG);
	t.flush_scope = KVM_EXT_FLUSH_PASS;
	ok_errno(kx_set(kx.fd, &t), EINVAL, "dirty-log: a flush scope");
	ok_eq(kx_vm(kx.fd).logged_pages, 0, "refused settings have switched no log on");
	end(memory);
}

static void ring(void)
{
	static const struct vmm_config config = { .io_exit = true, .log = VMM_LOG_RING };
	static const struct vmm_config plain = { .io_exit = true };
	struct kvm_ext_tracker t;
	void *memory;

	memory = begin(&plain, VMM_SMALL, 1);
	if (ioctl(vm.fd, KVM_CHECK_EXTENSION, KVM_CAP_DIRTY_LOG_RING) <= 0) {
		skip("this KVM has no dirty ring", "a VM with a dirty ring is refused");
		end(memory);
		return;
	}
	end(memory);
	memory = begin(&config, VMM_SMALL, 1);
	ok_eq(kx_vm(kx.fd).log_mode, KVM_EXT_LOG_MODE_RING, "a dirty ring is seen");
	t = kx_tracker(KVM_EXT_TRACKER_DIRTY_LOG);
	ok_errno(kx_set(kx.fd, &t), EOPNOTSUPP, "dirty-log: a VM with a dirty ring is refused");
	t = kx_tracker(KVM_EXT_TRACKER_PML_ABIT);
	ok_errno(kx_set(kx.fd, &t), EOPNOTSUPP, "pml-abit: a VM with a dirty ring is refused");
	t = kx_tracker(KVM_EXT_TRACKER_ABIT);
	ok_eq(kx_set(kx.fd, &t), 0, "trackers of A bits are not refused because of a ring");
	end(memory);
}

/* --- ranges and memslots -------------------------------------------------- */

/* Cuts the set to a range of pages: the other pages count as not written. */
static void cut(struct dirty_set *s, uint32_t first, uint32_t end_page)
{
	uint32_t i;

	for (i = 0; i < DIRTY_PAGES; i++)
		s->written[i] &= i >= first && i < end_page;
}

static void ranges(void)
{
	static const struct {
		uint32_t first, npages;
		const char *name;
	} parts[] = {
		{ 0, 1, "the first page" },
		{ DIRTY_PAGES - 1, 1, "the last page" },
		{ 77, 1000, "not aligned to words of the bitmap" },
		{ 512, 1024, "aligned to blocks of 2M" },
		{ 63, 4001, "across many words" },
	};
	struct vmm_config config = { .io_exit = true };
	struct kvm_ext_tracker t = dirty_log(true);
	struct dirty_diff diff;
	bool good;
	void *memory;
	size_t i;
	int round;

	for (config.log = VMM_LOG_PLAIN; config.log <= VMM_LOG_ALL_SET; config.log++) {
		memory = begin(&config, VMM_THP, 1);
		for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
			t.first_gfn = DIRTY_GFN + parts[i].first;
			t.npages = parts[i].npages;
			kx_start(&kx, &t);
			dirty_settle(&vm, &kx, &got);
			good = true;
			for (round = 0; round < 4; round++) {
				dirty_pick(&set, DIRTY_PAGES / 2);
				dirty_touch(&vm, &set);
				cut(&set, parts[i].first, parts[i].first + parts[i].npages);
				kx_pass(&kx, &got);
				diff = dirty_compare(&set, &got);
				good &= dirty_same(&diff) && dirty_account_agrees(&got);
			}
			ok(good, "%s log: a range that is %s is exact", dirty_log_name[config.log],
			   parts[i].name);
		}
		end(memory);
	}
}

static void touch_second(uint64_t gfn, uint32_t step)
{
	static uint32_t list[SECOND_PAGES];
	uint32_t n = 0, i;

	for (i = 0; i < SECOND_PAGES; i += step)
		list[n++] = vmm_write(gfn + i);
	vmm_touch(&vm, 0, list, n);
}

static uint64_t found_from(uint64_t gfn, uint32_t npages)
{
	uint64_t n = 0;
	uint32_t i;

	for (i = 0; i < npages; i++)
		n += got.page[gfn + i] != 0;
	return n;
}

static bool every_nth(uint64_t gfn, uint32_t step)
{
	uint32_t i;

	for (i = 0; i < SECOND_PAGES; i++) {
		if (got.page[gfn + i] != (i % step == 0))
			return false;
	}
	return true;
}

/* If a memslot is deleted, KVM unmaps all memslots, and then also reports reads: no reads here. */
static bool writes_are_exact(void)
{
	struct dirty_diff diff;

	dirty_pick(&set, dirty_size());
	dirty_drop_reads(&set);
	dirty_touch(&vm, &set);
	kx_pass(&kx, &got);
	diff = dirty_compare(&set, &got);
	return dirty_same(&diff);
}

/* One memslot is created, moved and deleted; passes over the other memslot stay exact. */
static void memslots(void)
{
	const uint64_t moved_gpa = SECOND_GPA + (64ul << 20), moved = moved_gpa / VMM_PAGE;
	struct vmm_config config = { .mode = VMM_64, .io_exit = true };
	void *second = vmm_memory(SECOND_SIZE, VMM_SMALL), *memory;
	struct kvm_ext_tracker t = dirty_log(false);
	const char *name;
	bool rest;

	for (config.log = VMM_LOG_PLAIN; config.log <= VMM_LOG_ALL_SET; config.log++) {
		name = dirty_log_name[config.log];
		memory = begin(&config, VMM_SMALL, 1);
		kx_start(&kx, &t);

		vmm_map(&vm, SECOND_SLOT, SECOND_GPA, SECOND_SIZE, second, 0);
		kx_pass(&kx, &got); /* switches the log of the new memslot on */
		touch_second(SECOND_GFN, 3);
		rest = writes_are_exact();
		ok(every_nth(SECOND_GFN, 3), "%s log: passes over a new memslot are exact", name);

		touch_second(SECOND_GFN, 1);
		vmm_map(&vm, SECOND_SLOT, moved_gpa, SECOND_SIZE, second, 0);
		rest &= writes_are_exact();
		ok_eq(found_from(SECOND_GFN, SECOND_PAGES) + found_from(moved, SECOND_PAGES), 0,
		      "%s log: nothing is reported of a moved memslot, at neither place", name);
		touch_second(moved, 5);
		rest &= writes_are_exact();
		ok(every_nth(moved, 5), "%s log: after the move, passes are exact at the new place",
		   name);

		touch_second(moved, 1);
		vmm_map(&vm, SECOND_SLOT, moved_gpa, 0, second, 0);
		rest &= writes_are_exact();
		ok_eq(found_from(moved, SECOND_PAGES), 0,
		      "%s log: nothing is reported of a deleted memslot", name);
		ok(rest, "%s log: passes over the other memslot were always exact", name);
		ok(kx_stats(kx.fd).log.pages == DIRTY_PAGES + VMM_LOW_SIZE / VMM_PAGE,
		   "%s log: the remaining memslots are logged", name);
		end(memory);
	}
	vmm_free(second, SECOND_SIZE);
}

static void read_all(void)
{
	uint32_t i;

	dirty_clear(&set);
	for (i = 0; i < DIRTY_PAGES; i++)
		set.list[i] = vmm_read(DIRTY_GFN + i);
	set.count = DIRTY_PAGES;
	dirty_touch(&vm, &set);
}

/* The guest only reads, but its CPU writes to the guest's page tables. */
static void only_reads(void)
{
	static const struct vmm_config config = { .mode = VMM_64_4K, .io_exit = true };
	struct kvm_ext_tracker t = kx_tracker(KVM_EXT_TRACKER_DIRTY_LOG);
	void *memory = vmm_memory(DIRTY_SIZE, VMM_SMALL);
	uint64_t low;

	vmm_create_as(&vm, &config, 1, -1);
	dirty_map(&vm, memory, 0);
	kx_attach(&kx, vm.fd, 0);
	kx_start(&kx, &t);
	read_all();
	kx_pass(&kx, &got);
	note("the first reads of %u pages: %llu of them were reported", DIRTY_PAGES,
	     (unsigned long long)found_from(DIRTY_GFN, DIRTY_PAGES));
	vmm_age_page_tables(&vm);
	read_all();
	kx_pass(&kx, &got);
	low = found_from(0, VMM_LOW_SIZE / VMM_PAGE);
	note("when these pages are read again: %llu pages of the guest's own memory were written",
	     (unsigned long long)low);
	ok_eq(found_from(DIRTY_GFN, DIRTY_PAGES), 0, "pages that are only read are not reported");
	/* One table for each 2 MiB, the tables above these, and the control block. */
	ok(low > DIRTY_SIZE / VMM_2M,
	   "page tables in which the CPU has set accessed bits are reported");
	end(memory);
}

int main(void)
{
	dirty_seed();
	kx_samples_init(&got);
	matrix();
	further();
	full_buffers();
	halts();
	refusals();
	ring();
	ranges();
	memslots();
	only_reads();
	kx_samples_free(&got);
	return tap_end();
}
