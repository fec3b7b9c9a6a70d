/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * /dev/kvm-ext for tests: functions that return what the ioctl has returned, and a reader of the
 * ring that converts records to sets of pages.
 */
#ifndef KX_H
#define KX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <kvm-ext/uapi.h>

struct kx {
	int fd;
	struct kvm_ext_ring *ring;
	uint8_t *data;
	uint64_t size; /* of the data */

	/* Optional: called for each record after the fields of the record were checked. */
	void (*hook)(void *arg, const struct kvm_ext_record *record);
	void *hook_arg;
};

/* Number of pages in a set: one byte for each page of guest memory below VMM_GPA_END. */
#define KX_GFNS (1u << 23)

/* The records of one pass, or the sums of the records of several passes. */
struct kx_samples {
	uint8_t *page;	  /* by gfn: how often the page was found accessed */
	uint8_t *smm;	  /* the same for address space 1 */
	uint64_t samples; /* number of leaves */
	uint64_t pages;
	uint64_t by_order[32]; /* samples, by order of the leaf */
	uint64_t begins, ends, primes, cuts, yields, controls, losts;
	bool begin_known;  /* the last PASS_BEGIN was read, and no record was lost since */
	uint64_t faults;   /* of trap; @samples contains them, too */
	uint64_t regions;  /* number of regions in all records */
	uint64_t prime_ns; /* when the priming pass began */
	uint64_t lost_samples, lost_records;
	uint64_t bad; /* number of records that violate a rule */
	uint64_t last_pass;
	uint16_t last_flags;		 /* of the PASS_BEGIN of @last_pass */
	uint64_t first_gfn, end_gfn;	 /* outside of these, @page and @smm are 0 */
	struct kvm_ext_rec_pass_end sum; /* sums of the counters of counted passes */
	struct kvm_ext_rec_pass_end all; /* the same of all passes, with priming and cut ones */
};

int kx_open(void);
/* Attaches and maps the ring; ends the test program if that fails. */
void kx_attach(struct kx *kx, int vm_fd, uint32_t ring_pages);
int kx_try_attach(int fd, int vm_fd, uint32_t ring_pages);
int kx_map(struct kx *kx);
void kx_close(struct kx *kx);

/* A setting with all fields at their defaults, whose passes run only on request. */
struct kvm_ext_tracker kx_tracker(uint32_t id);
int kx_set(int fd, const struct kvm_ext_tracker *tracker);
/* Sets the tracker, runs the priming pass and one counted pass, and discards all records. */
void kx_start(struct kx *kx, const struct kvm_ext_tracker *tracker);

int kx_run_pass(int fd, uint64_t *pass);
struct kvm_ext_stats kx_stats(int fd);
struct kvm_ext_vm kx_vm(int fd);
struct kvm_ext_caps kx_caps(int fd);

/*
 * True if no vCPU had a VM exit since the last call with this @exits. Then the CPUs still have what
 * they had cached of the VM's page tables, except for entries that were evicted. (Rare: a vCPU that
 * was about to enter the guest at the last call counts as one without VM exit.)
 */
bool kx_stayed(int fd, uint64_t *exits);

void kx_samples_init(struct kx_samples *s);
void kx_samples_clear(struct kx_samples *s);
void kx_samples_free(struct kx_samples *s);
/* Reads all records of the ring. */
void kx_read(struct kx *kx, struct kx_samples *s);
/* Clears @s, runs a pass and reads the records of the pass. */
void kx_pass(struct kx *kx, struct kx_samples *s);
void kx_discard(struct kx *kx);

/*
 * @ns, which is the limit of a time in the kernel; or more, if this machine is slower than the one
 * for which the limit was made. @fd: any descriptor of the module.
 */
uint64_t kx_limit(int fd, uint64_t ns);

/*
 * Asserts that no stretch of a pass without a rescheduling point is longer than a millisecond (on a
 * slow machine: than kx_limit() makes of a millisecond). Sets
 * @t up to @most_accounts times, which makes as many accounts, and judges the account whose longest
 * stretch is the shortest: while an emulated host does not run, any stretch can become long, but a
 * stretch that the code makes long is long in every account. @before is called before each setting;
 * it may be NULL.
 */
void kx_ok_stretch(struct kx *kx, const struct kvm_ext_tracker *t, int most_accounts,
		   void (*before)(void), const char *name);

uint64_t now_ns(void);

#endif /* KX_H */
