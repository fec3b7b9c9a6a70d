// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The module's own trace events, as a user reads them in tracefs: does each event exist, does it
 * occur as often as what it describes, and does it agree with the ring and the statistics?
 *
 * The test uses a trace instance of its own, so that no other reader takes its events.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kx.h"
#include "tap.h"
#include "vmm.h"

#define TRACING	  "/sys/kernel/tracing"
#define INSTANCE  TRACING "/instances/kvm-ext-test"
#define DATA_GFN  (VMM_DATA_GPA / VMM_PAGE)
#define DATA_SLOT 1u
#define PAGES	  512u

static struct vmm vm;
static struct kx kx;
static struct kx_samples got;
static void *memory;
static uint32_t list[PAGES];

/* --- tracefs ------------------------------------------------------------------ */

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		bail("%s: %s", path, strerror(errno));
	close(fd);
}

static void clear(void)
{
	put(INSTANCE "/trace", "\n");
}

/* False: this kernel has no tracefs. */
static bool begin_tracing(void)
{
	if (access(TRACING "/instances", F_OK) && mount("tracefs", TRACING, "tracefs", 0, NULL))
		return false;
	if (mkdir(INSTANCE, 0700) && errno != EEXIST)
		bail(INSTANCE ": %s", strerror(errno));
	put(INSTANCE "/buffer_size_kb", "4096");
	put(INSTANCE "/events/kvm_ext/enable", "1");
	clear();
	return true;
}

static void end_tracing(void)
{
	put(INSTANCE "/events/kvm_ext/enable", "0");
	rmdir(INSTANCE);
}

/* Calls @see with the fields ("name=value …") of each @event. Returns the number of events. */
static uint32_t each(const char *event, void (*see)(const char *fields, void *data), void *data)
{
	FILE *trace = fopen(INSTANCE "/trace", "r");
	char line[1024], name[64];
	uint32_t n = 0;

	if (!trace)
		bail(INSTANCE "/trace: %s", strerror(errno));
	snprintf(name, sizeof(name), " kvm_ext_%s: ", event);
	while (fgets(line, sizeof(line), trace)) {
		char *fields = line[0] == '#' ? NULL : strstr(line, name);

		if (!fields)
			continue;
		line[strcspn(line, "\n")] = '\0';
		n++;
		if (see)
			see(fields + strlen(name), data);
	}
	fclose(trace);
	return n;
}

static const char *field(const char *fields, const char *name)
{
	const char *at = fields;
	size_t length = strlen(name);

	while ((at = strstr(at, name))) {
		if ((at == fields || at[-1] == ' ') && at[length] == '=')
			return at + length + 1;
		at += length;
	}
	bail("no %s in \"%s\"", name, fields);
}

static uint64_t number(const char *fields, const char *name)
{
	return strtoull(field(fields, name), NULL, 0);
}

static bool is_word(const char *fields, const char *name, const char *word)
{
	const char *value = field(fields, name);

	return strcspn(value, " ") == strlen(word) && !strncmp(value, word, strlen(word));
}

/* --- the VM --------------------------------------------------------------------- */

static void begin(void)
{
	const struct vmm_config config = { .mode = VMM_64, .io_exit = true };
	uint32_t i;

	vmm_create_as(&vm, &config, 1, -1);
	memory = vmm_memory(PAGES * VMM_PAGE, VMM_SMALL);
	if (!memory || vmm_map(&vm, DATA_SLOT, VMM_DATA_GPA, PAGES * VMM_PAGE, memory, 0))
		bail("guest memory");
	for (i = 0; i < PAGES; i++)
		list[i] = vmm_write(DATA_GFN + i);
	vmm_touch(&vm, 0, list, PAGES);
	kx_attach(&kx, vm.fd, 1024);
	kx_samples_init(&got);
}

static void end(void)
{
	kx_samples_free(&got);
	kx_close(&kx);
	vmm_destroy(&vm);
	vmm_free(memory, PAGES * VMM_PAGE);
}

/* A setting that tracks only the data. */
static struct kvm_ext_tracker tracker(uint32_t id)
{
	struct kvm_ext_tracker t = kx_tracker(id);

	t.first_gfn = DATA_GFN;
	t.npages = PAGES;
	return t;
}

static void off(void)
{
	struct kvm_ext_tracker t = kx_tracker(KVM_EXT_TRACKER_OFF);

	if (kx_set(kx.fd, &t))
		bail("off");
}

/* --- passes --------------------------------------------------------------------- */

struct passes {
	uint32_t primes, others, wrong;
	uint64_t last, samples, wall_ns;
};

static void see_pass(const char *fields, void *data)
{
	struct passes *p = data;

	p->wrong += number(fields, "vm") != (uint64_t)getpid();
	if (is_word(fields, "flags", "prime"))
		p->primes++;
	else
		p->others++;
	p->last = number(fields, "pass");
}

static void see_begin(const char *fields, void *data)
{
	struct passes *p = data;

	see_pass(fields, data);
	p->wrong += !is_word(fields, "tracker", "abit-flush");
}

static void see_end(const char *fields, void *data)
{
	struct passes *p = data;

	see_pass(fields, data);
	p->samples += number(fields, "samples");
	p->wall_ns += number(fields, "wall_ns");
	p->wrong += number(fields, "error") || number(fields, "lost");
}

static void passes(void)
{
	struct kvm_ext_tracker t = tracker(KVM_EXT_TRACKER_ABIT_FLUSH);
	struct passes begins = {}, ends = {};
	struct kvm_ext_stats s;
	uint64_t samples = 0;
	int i;

	clear();
	kx_start(&kx, &t);
	for (i = 0; i < 3; i++) {
		vmm_touch(&vm, 0, list, PAGES);
		kx_pass(&kx, &got);
		samples += got.samples;
	}
	s = kx_stats(kx.fd);
	off();
	each("pass_begin", see_begin, &begins);
	each("pass_end", see_end, &ends);
	ok(begins.primes == 1 && begins.others == s.passes && begins.last == got.last_pass &&
		   !begins.wrong,
	   "passes: each beginning has an event (%u + %u, %u wrong)", begins.primes, begins.others,
	   begins.wrong);
	ok(ends.primes == 1 && ends.others == s.passes && ends.last == got.last_pass && !ends.wrong,
	   "passes: each end has an event (%u + %u, %u wrong)", ends.primes, ends.others,
	   ends.wrong);
	ok(samples && ends.samples == s.samples,
	   "passes: the events have the samples of the statistics (%llu)",
	   (unsigned long long)samples);
	ok(ends.wall_ns >= s.pass_ns_sum, "passes: the events have the time of the passes");
}

/* --- yield ---------------------------------------------------------------------- */

static void see_yield(const char *fields, void *data)
{
	uint32_t *good = data;

	*good += number(fields, "vm") == (uint64_t)getpid() &&
		 number(fields, "slot") == DATA_SLOT && number(fields, "gfn") == DATA_GFN &&
		 number(fields, "npages") == PAGES;
}

static void yield(void)
{
	struct kvm_ext_tracker t = tracker(KVM_EXT_TRACKER_DIRTY_LOG);
	uint32_t good = 0, before;

	clear();
	kx_start(&kx, &t);
	kx_pass(&kx, &got);
	before = each("yield", NULL, NULL);
	if (vmm_map(&vm, DATA_SLOT, VMM_DATA_GPA, PAGES * VMM_PAGE, memory,
		    KVM_MEM_LOG_DIRTY_PAGES))
		bail("the VMM's log");
	ok(!before && each("yield", see_yield, &good) == 1 && good == 1,
	   "yield: an event names the memslot whose log the VMM takes");
	ok_eq(kx_stats(kx.fd).log.yields, 1, "yield: the statistics agree");
	if (vmm_map(&vm, DATA_SLOT, VMM_DATA_GPA, PAGES * VMM_PAGE, memory, 0))
		bail("the VMM's log off");
	off();
}

/* --- traps ---------------------------------------------------------------------- */

static void see_armed(const char *fields, void *data)
{
	uint64_t *nr = data;

	*nr += number(fields, "nr");
}

static void see_hit(const char *fields, void *data)
{
	uint64_t gfn = number(fields, "gfn");
	uint8_t *hit = data;

	if (gfn >= DATA_GFN && gfn < DATA_GFN + PAGES && is_word(fields, "access", "write") &&
	    !number(fields, "vcpu") && !number(fields, "order"))
		hit[gfn - DATA_GFN]++;
}

static void traps(void)
{
	struct kvm_ext_tracker t = tracker(KVM_EXT_TRACKER_TRAP);
	uint8_t hit[PAGES] = { 0 };
	uint64_t armed = 0;
	uint32_t hits, once = 0, i;
	struct kvm_ext_stats s;

	t.trap_faults_per_s = 1000000;
	t.trap_time_ppm = 1000000;
	clear();
	if (kx_set(kx.fd, &t))
		bail("SET_TRACKER");
	i = 0;
	do {
		if (kx_run_pass(kx.fd, NULL))
			bail("RUN_PASS");
		s = kx_stats(kx.fd);
	} while (s.trap.armed < PAGES && ++i < 50);
	vmm_touch(&vm, 0, list, PAGES);
	s = kx_stats(kx.fd);
	each("trap_armed", see_armed, &armed);
	hits = each("trap_hit", see_hit, hit);
	for (i = 0; i < PAGES; i++)
		once += hit[i] == 1;
	ok(armed == s.trap.armings && armed == PAGES + s.trap_more.idle,
	   "traps: each armed mapping is in an event (%llu)", (unsigned long long)armed);
	ok(hits == PAGES && once == PAGES,
	   "traps: each fault has an event with page, vCPU, access (%u, %u of %u pages once)", hits,
	   once, PAGES);
	off();
}

/* --- refusals ------------------------------------------------------------------- */

static void see_refused(const char *fields, void *data)
{
	snprintf(data, 128, "%s", fields);
}

static void refusal(const struct kvm_ext_tracker *t, const char *word)
{
	char why[128] = "";
	uint32_t n;

	clear();
	ok_errno(kx_set(kx.fd, t), EINVAL, "refusal: %s", word);
	n = each("refused", see_refused, why);
	ok(n == 1 && strstr(why, word), "refusal: the event has the reason: %s", why);
}

static void refusals(void)
{
	struct kvm_ext_tracker t = tracker(KVM_EXT_TRACKER_ABIT);

	t.interval_ns = 1;
	refusal(&t, "interval");
	t = tracker(99);
	refusal(&t, "tracker");
	t = tracker(KVM_EXT_TRACKER_ABIT);
	t.trap_share_ppm = 1;
	refusal(&t, "traps");
}

int main(void)
{
	if (!begin_tracing()) {
		skip("no tracefs", "the module's events");
		return tap_end();
	}
	begin();
	passes();
	yield();
	traps();
	refusals();
	end();
	end_tracing();
	return tap_end();
}
