// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "kx.h"
#include "tap.h"

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

/* --- calls --------------------------------------------------------------------- */

int kx_open(void)
{
	return open(KVM_EXT_DEVICE_PATH, O_RDWR | O_CLOEXEC);
}

int kx_try_attach(int fd, int vm_fd, uint32_t ring_pages)
{
	struct kvm_ext_attach attach = { .size = sizeof(attach),
					 .vm_fd = vm_fd,
					 .ring_pages = ring_pages };

	return ioctl(fd, KVM_EXT_ATTACH, &attach);
}

int kx_map(struct kx *kx)
{
	long page = sysconf(_SC_PAGESIZE);
	struct kvm_ext_ring *ring;
	uint64_t size;

	ring = mmap(NULL, page + kx->size, PROT_READ | PROT_WRITE, MAP_SHARED, kx->fd, 0);
	if (ring == MAP_FAILED)
		return -1;
	size = ring->data_size;
	if (ring->magic != KVM_EXT_RING_MAGIC || size != kx->size || ring->data_offset != page)
		bail("the ring's control page is wrong");
	kx->ring = ring;
	kx->data = (uint8_t *)ring + ring->data_offset;
	return 0;
}

void kx_attach(struct kx *kx, int vm_fd, uint32_t ring_pages)
{
	*kx = (struct kx){ .fd = kx_open() };
	if (kx->fd < 0)
		bail(KVM_EXT_DEVICE_PATH);
	if (kx_try_attach(kx->fd, vm_fd, ring_pages))
		bail("KVM_EXT_ATTACH");
	kx->size = (ring_pages ? ring_pages : KVM_EXT_RING_PAGES_DEFAULT) * 4096ull;
	if (kx_map(kx))
		bail("mmap of the ring");
}

void kx_close(struct kx *kx)
{
	if (kx->ring)
		munmap(kx->ring, kx->ring->data_offset + kx->size);
	close(kx->fd);
	*kx = (struct kx){ .fd = -1 };
}

struct kvm_ext_tracker kx_tracker(uint32_t id)
{
	return (struct kvm_ext_tracker){ .size = sizeof(struct kvm_ext_tracker),
					 .tracker = id,
					 .cpu = -1 };
}

int kx_set(int fd, const struct kvm_ext_tracker *tracker)
{
	return ioctl(fd, KVM_EXT_SET_TRACKER, tracker);
}

int kx_run_pass(int fd, uint64_t *pass)
{
	struct kvm_ext_run_pass run = { .size = sizeof(run) };
	int ret = ioctl(fd, KVM_EXT_RUN_PASS, &run);

	if (pass)
		*pass = run.pass;
	return ret;
}

void kx_start(struct kx *kx, const struct kvm_ext_tracker *tracker)
{
	if (kx_set(kx->fd, tracker))
		bail("KVM_EXT_SET_TRACKER");
	/* The requested pass is run after the priming pass. */
	if (kx_run_pass(kx->fd, NULL))
		bail("KVM_EXT_RUN_PASS");
	kx_discard(kx);
}

struct kvm_ext_stats kx_stats(int fd)
{
	struct kvm_ext_stats stats = { .size = sizeof(stats) };

	if (ioctl(fd, KVM_EXT_GET_STATS, &stats))
		bail("KVM_EXT_GET_STATS");
	return stats;
}

struct kvm_ext_vm kx_vm(int fd)
{
	struct kvm_ext_vm vm = { .size = sizeof(vm) };

	if (ioctl(fd, KVM_EXT_GET_VM, &vm))
		bail("KVM_EXT_GET_VM");
	return vm;
}

struct kvm_ext_caps kx_caps(int fd)
{
	struct kvm_ext_caps caps = { .size = sizeof(caps) };

	if (ioctl(fd, KVM_EXT_GET_CAPS, &caps))
		bail("KVM_EXT_GET_CAPS");
	return caps;
}

bool kx_stayed(int fd, uint64_t *exits)
{
	uint64_t before = *exits;

	*exits = kx_vm(fd).exits;
	return *exits == before;
}

/* --- the ring --------------------------------------------------------------------- */

void kx_samples_init(struct kx_samples *s)
{
	memset(s, 0, sizeof(*s));
	s->page = calloc(KX_GFNS, 1);
	s->smm = calloc(KX_GFNS, 1);
	if (!s->page || !s->smm)
		bail("memory");
}

void kx_samples_clear(struct kx_samples *s)
{
	uint8_t *page = s->page, *smm = s->smm;
	uint64_t n = s->end_gfn - s->first_gfn;

	/* Only a part is cleared: to clear all takes much longer than a pass of microseconds. */
	memset(page + s->first_gfn, 0, n);
	memset(smm + s->first_gfn, 0, n);
	memset(s, 0, sizeof(*s));
	s->page = page;
	s->smm = smm;
}

void kx_samples_free(struct kx_samples *s)
{
	free(s->page);
	free(s->smm);
}

static void found(struct kx_samples *s, uint32_t as_id, uint64_t gfn, uint64_t npages)
{
	uint8_t *set = as_id ? s->smm : s->page;
	uint64_t i;

	if (as_id > 1 || gfn + npages > KX_GFNS) {
		s->bad++;
		return;
	}
	if (!s->pages) {
		s->first_gfn = gfn;
		s->end_gfn = gfn;
	}
	s->first_gfn = gfn < s->first_gfn ? gfn : s->first_gfn;
	s->end_gfn = gfn + npages > s->end_gfn ? gfn + npages : s->end_gfn;
	for (i = 0; i < npages; i++)
		set[gfn + i]++;
	s->pages += npages;
}

static void read_begin(struct kx_samples *s, const void *record)
{
	const struct kvm_ext_rec_pass_begin *begin = record;

	s->begins++;
	s->begin_known = true;
	s->last_pass = begin->pass;
	s->last_flags = begin->h.flags;
	if (begin->h.flags & KVM_EXT_PASS_PRIME)
		s->prime_ns = begin->time_ns;
}

static void read_run(struct kx_samples *s, const void *record)
{
	const struct kvm_ext_rec_run *run = record;

	if ((run->leaf_order != 0 && run->leaf_order != 9 && run->leaf_order != 18) ||
	    !run->npages || run->npages % (1ull << run->leaf_order) ||
	    run->gfn % (1ull << run->leaf_order)) {
		s->bad++;
		return;
	}
	s->samples += run->npages >> run->leaf_order;
	s->by_order[run->leaf_order] += run->npages >> run->leaf_order;
	found(s, run->as_id, run->gfn, run->npages);
}

static void read_bitmap(struct kx_samples *s, const void *record)
{
	const struct kvm_ext_rec_bitmap *map = record;
	uint32_t i, words = (map->nbits + 63) / 64;

	if (map->h.size != sizeof(*map) + words * 8 ||
	    (map->nbits % 64 && map->bits[words - 1] >> (map->nbits % 64))) {
		s->bad++;
		return;
	}
	for (i = 0; i < map->nbits; i++) {
		if (map->bits[i / 64] >> (i % 64) & 1) {
			s->samples++;
			s->by_order[0]++;
			found(s, map->as_id, map->gfn + i, 1);
		}
	}
}

static void add(struct kvm_ext_rec_pass_end *sum, const struct kvm_ext_rec_pass_end *end)
{
	sum->wall_ns += end->wall_ns;
	sum->cpu_ns += end->cpu_ns;
	sum->pages_scanned += end->pages_scanned;
	sum->leaves_tested += end->leaves_tested;
	sum->samples += end->samples;
	sum->sample_pages += end->sample_pages;
	sum->lost_samples += end->lost_samples;
	sum->flushes += end->flushes;
	sum->flush_ipis += end->flush_ipis;
	sum->flush_ns += end->flush_ns;
}

static void read_end(struct kx_samples *s, const void *record)
{
	const struct kvm_ext_rec_pass_end *end = record;

	s->ends++;
	s->primes += !!(end->h.flags & KVM_EXT_PASS_PRIME);
	s->cuts += !!(end->h.flags & KVM_EXT_PASS_CUT);
	s->yields += !!(end->h.flags & KVM_EXT_PASS_YIELDED);
	s->controls += !!(end->h.flags & KVM_EXT_PASS_CONTROL);
	/* Without @begin_known, PASS_BEGIN was lost, or was read before @s was cleared. */
	if (s->begin_known &&
	    (end->pass != s->last_pass ||
	     ((end->h.flags ^ s->last_flags) & (KVM_EXT_PASS_PRIME | KVM_EXT_PASS_CONTROL))))
		s->bad++;
	if (!(end->h.flags & (KVM_EXT_PASS_PRIME | KVM_EXT_PASS_CUT | KVM_EXT_PASS_YIELDED)))
		add(&s->sum, end);
	add(&s->all, end);
}

static void read_lost(struct kx_samples *s, const void *record)
{
	const struct kvm_ext_rec_lost *lost = record;

	s->losts++;
	s->begin_known = false;
	s->lost_samples += lost->samples;
	s->lost_records += lost->records;
}

static void read_faults(struct kx_samples *s, const void *record)
{
	const struct kvm_ext_rec_faults *rec = record;
	uint64_t last_ns = 0;
	uint32_t i;

	if (!rec->nr || rec->h.size != sizeof(*rec) + rec->nr * sizeof(rec->faults[0])) {
		s->bad++;
		return;
	}
	for (i = 0; i < rec->nr; i++) {
		const struct kvm_ext_fault *f = &rec->faults[i];

		if (f->access > KVM_EXT_ACCESS_EXEC || f->flags & ~KVM_EXT_FAULT_PAGE_WALK ||
		    f->reserved || f->time_ns < last_ns ||
		    (f->order != 0 && f->order != 9 && f->order != 18)) {
			s->bad++;
			continue;
		}
		last_ns = f->time_ns;
		s->faults++;
		s->samples++;
		s->by_order[f->order]++;
		found(s, 0, f->gfn >> f->order << f->order, 1ull << f->order);
	}
}

static void read_regions(struct kx_samples *s, const void *record)
{
	const struct kvm_ext_rec_regions *rec = record;

	uint32_t i;

	if (!rec->nr || rec->first + rec->nr > rec->total ||
	    rec->h.size != sizeof(*rec) + rec->nr * sizeof(rec->regions[0])) {
		s->bad++;
		return;
	}
	s->regions += rec->nr;
	for (i = 0; i < rec->nr; i++)
		s->bad += rec->regions[i].accesses > rec->checks;
}

static const struct {
	void (*read)(struct kx_samples *s, const void *record);
	uint32_t size; /* of the record, at least */
} readers[] = {
	[KVM_EXT_REC_PASS_BEGIN] = { read_begin, sizeof(struct kvm_ext_rec_pass_begin) },
	[KVM_EXT_REC_RUN] = { read_run, sizeof(struct kvm_ext_rec_run) },
	[KVM_EXT_REC_BITMAP] = { read_bitmap, sizeof(struct kvm_ext_rec_bitmap) },
	[KVM_EXT_REC_PASS_END] = { read_end, sizeof(struct kvm_ext_rec_pass_end) },
	[KVM_EXT_REC_LOST] = { read_lost, sizeof(struct kvm_ext_rec_lost) },
	[KVM_EXT_REC_FAULTS] = { read_faults, sizeof(struct kvm_ext_rec_faults) },
	[KVM_EXT_REC_REGIONS] = { read_regions, sizeof(struct kvm_ext_rec_regions) },
};

static void read_record(struct kx_samples *s, const struct kvm_ext_record *rec)
{
	if (rec->type == KVM_EXT_REC_PAD)
		return;
	if (rec->type >= sizeof(readers) / sizeof(readers[0]) ||
	    rec->size < readers[rec->type].size)
		s->bad++;
	else
		readers[rec->type].read(s, rec);
}

void kx_read(struct kx *kx, struct kx_samples *s)
{
	uint64_t head = __atomic_load_n(&kx->ring->data_head, __ATOMIC_ACQUIRE);
	uint64_t tail = kx->ring->data_tail;

	if (head - tail > kx->size)
		bail("the ring's head is beyond its size");
	while (tail != head) {
		const struct kvm_ext_record *rec = (void *)(kx->data + (tail & (kx->size - 1)));

		if (rec->size < sizeof(*rec) || rec->size % 8 || rec->size > head - tail ||
		    rec->size > kx->size - (tail & (kx->size - 1)))
			bail("a record of %u bytes does not fit the ring", rec->size);
		read_record(s, rec);
		if (kx->hook)
			kx->hook(kx->hook_arg, rec);
		tail += rec->size;
	}
	__atomic_store_n(&kx->ring->data_tail, tail, __ATOMIC_RELEASE);
}

void kx_pass(struct kx *kx, struct kx_samples *s)
{
	kx_samples_clear(s);
	if (kx_run_pass(kx->fd, NULL))
		bail("KVM_EXT_RUN_PASS");
	kx_read(kx, s);
}

void kx_discard(struct kx *kx)
{
	uint64_t head = __atomic_load_n(&kx->ring->data_head, __ATOMIC_ACQUIRE);

	__atomic_store_n(&kx->ring->data_tail, head, __ATOMIC_RELEASE);
}

/* The quickest of many short calls takes so long on the machine for which the limits were made. */
#define CALL_NS	   3000u
#define STRETCH_NS 1000000u

uint64_t kx_limit(int fd, uint64_t ns)
{
	uint64_t quickest = UINT64_MAX, start, took;
	int i;

	for (i = 0; i < 1000; i++) {
		start = now_ns();
		kx_caps(fd);
		took = now_ns() - start;
		quickest = took < quickest ? took : quickest;
	}
	note("the quickest call of the module takes %llu ns", (unsigned long long)quickest);
	return quickest > CALL_NS ? ns * quickest / CALL_NS : ns;
}

void kx_ok_stretch(struct kx *kx, const struct kvm_ext_tracker *t, int most_accounts,
		   void (*before)(void), const char *name)
{
	const uint64_t limit = kx_limit(kx->fd, STRETCH_NS);
	uint64_t hold, least = UINT64_MAX, most = 0;
	int i;

	for (i = 0; i < most_accounts && (i < 3 || least >= limit); i++) {
		if (before)
			before();
		kx_start(kx, t);
		hold = kx_stats(kx->fd).max_hold_ns;
		least = hold < least ? hold : least;
		most = hold > most ? hold : most;
	}
	ok(least > 0 && least < limit,
	   "%s: longest stretch without a rescheduling point: %llu us, allowed %llu us (up to %llu "
	   "us in %d accounts)",
	   name, (unsigned long long)least / 1000, (unsigned long long)limit / 1000,
	   (unsigned long long)most / 1000, i);
}
