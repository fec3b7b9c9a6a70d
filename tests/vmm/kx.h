/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * /dev/kvm-ext as a test uses it: thin calls that return what the kernel
 * returned, and a reader of the ring that turns records into sets of pages.
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

	/* Optional: shown each record that is read, after its own fields were checked. */
	void (*hook)(void *arg, const struct kvm_ext_record *record);
	void *hook_arg;
};

/* Sets of pages of guest memory (below VMM_GPA_END), one byte each. */
#define KX_GFNS (1u << 23)

/* What the ring said of one pass, or of several added up. */
struct kx_samples {
	uint8_t *page;	  /* per gfn: times found accessed */
	uint8_t *smm;	  /* the same for address space 1 */
	uint64_t samples; /* leaves */
	uint64_t pages;
	uint64_t by_order[32]; /* samples, by order of the leaf */
	uint64_t begins, ends, primes, cuts, yields, controls, losts;
	bool begin_known; /* of the pass whose end comes next: it was read, and nothing was lost since */
	uint64_t faults;   /* of trap: these are samples, too */
	uint64_t regions;  /* as often as they were written */
	uint64_t prime_ns; /* when the priming pass began */
	uint64_t lost_samples, lost_records;
	uint64_t bad; /* records against the rules */
	uint64_t last_pass;
	uint16_t last_flags;		 /* of its PASS_BEGIN */
	uint64_t first_gfn, end_gfn;	 /* all that is set in @page and @smm lies between */
	struct kvm_ext_rec_pass_end sum; /* counters of counted passes added up */
	struct kvm_ext_rec_pass_end all; /* of every pass, priming and cut ones, too */
};

int kx_open(void);
/* Attaches and maps the ring; ends the test program if that fails. */
void kx_attach(struct kx *kx, int vm_fd, uint32_t ring_pages);
int kx_try_attach(int fd, int vm_fd, uint32_t ring_pages);
int kx_map(struct kx *kx);
void kx_close(struct kx *kx);

/* A tracker with everything at its default and passes only on request. */
struct kvm_ext_tracker kx_tracker(uint32_t id);
int kx_set(int fd, const struct kvm_ext_tracker *tracker);
/* Sets it, waits for the priming pass to be over and drops what is in the ring. */
void kx_start(struct kx *kx, const struct kvm_ext_tracker *tracker);

int kx_run_pass(int fd, uint64_t *pass);
struct kvm_ext_stats kx_stats(int fd);
struct kvm_ext_vm kx_vm(int fd);
struct kvm_ext_caps kx_caps(int fd);

/*
 * Has no vCPU left the guest since the last call with this @exits? Then what CPUs had
 * cached of the VM's page tables they still have, but for what had no room. (A vCPU that was
 * on its way back into the guest at the last call counts as one that stayed: rare.)
 */
bool kx_stayed(int fd, uint64_t *exits);

void kx_samples_init(struct kx_samples *s);
void kx_samples_clear(struct kx_samples *s);
void kx_samples_free(struct kx_samples *s);
/* Consumes all that is in the ring. */
void kx_read(struct kx *kx, struct kx_samples *s);
/* Runs a pass and reads what it found into the cleared @s. */
void kx_pass(struct kx *kx, struct kx_samples *s);
void kx_discard(struct kx *kx);

/*
 * Is no stretch of a pass longer than a millisecond without a point of rescheduling? Of up to @most_accounts, each of a
 * setting of @t anew, the least longest stretch is judged: any can be long where an emulated host was not run, one that is long by
 * construction is so in every account. @before: is called before each; may be NULL.
 */
void kx_ok_stretch(struct kx *kx, const struct kvm_ext_tracker *t, int most_accounts,
		   void (*before)(void), const char *name);

uint64_t now_ns(void);

#endif /* KX_H */
