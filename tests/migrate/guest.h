/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the migrated guest and its driver agree upon: where things lie in the guest's memory, and what a page holds.
 *
 * Every page of the area says which page it is, how often it has been written, and carries a checksum over all of it.
 * The table of versions lies elsewhere, so that a page that arrives old but whole is still seen to be old.
 */
#ifndef MIGRATE_GUEST_H
#define MIGRATE_GUEST_H

#include <stdint.h>

#define GUEST_PAGE	4096u
#define GUEST_WORDS	(GUEST_PAGE / sizeof(uint32_t))
#define GUEST_RAM	(48u << 20)
#define GUEST_MAILBOX	(2u << 20)		     /* struct guest_mailbox, a page of its own */
#define GUEST_VERSIONS	(GUEST_MAILBOX + GUEST_PAGE) /* uint32_t each, by page of the area */
#define GUEST_AREA	(8u << 20)
#define GUEST_PAGES	8192u /* of the area; a power of two */
#define GUEST_FIRST_GFN (GUEST_AREA / GUEST_PAGE)

#define GUEST_MAGIC   0x4d494752u
#define GUEST_NO_PAGE UINT32_MAX

struct guest_mailbox {
	uint32_t magic; /* set once every page has been written */
	uint32_t
		loops; /* for the driver: how long to wait between two pages; never changed in a migration */
	uint32_t writes;   /* pages written, with wraparound */
	uint32_t writing;  /* index of the page that is looked at and written, else GUEST_NO_PAGE */
	uint32_t bad;	   /* pages that the guest found other than it had left them */
	uint32_t bad_page; /* the first of them */
};

/* Of a page: */
enum guest_word {
	GUEST_WORD_GFN,
	GUEST_WORD_VERSION,
	GUEST_WORD_KVM, /* now and then written by KVM on the guest's behalf */
	GUEST_WORD_FILL,
	GUEST_WORD_SUM = GUEST_WORDS - 1,
};

static inline uint32_t guest_checksum(const volatile uint32_t *page)
{
	uint32_t sum = GUEST_MAGIC, i;

	for (i = 0; i < GUEST_WORD_SUM; i++)
		sum = ((sum << 5) | (sum >> 27)) ^ (page[i] + i);
	return sum;
}

/* Is it page @index of the area, written @version times, and whole? A page that was never written is. */
static inline int guest_page_is(const volatile uint32_t *page, uint32_t index, uint32_t version)
{
	if (!version)
		return 1;
	return page[GUEST_WORD_GFN] == GUEST_FIRST_GFN + index &&
	       page[GUEST_WORD_VERSION] == version && page[GUEST_WORD_SUM] == guest_checksum(page);
}

#endif /* MIGRATE_GUEST_H */
