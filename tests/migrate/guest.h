/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The interface of the migrated guest and its driver: the layout of the guest's memory and of a
 * page.
 *
 * Every page of the area contains its gfn, the number of times that it was written (its version),
 * and a checksum of the page. A separate table also contains the versions, so that an old page with
 * a right checksum is found as well.
 */
#ifndef MIGRATE_GUEST_H
#define MIGRATE_GUEST_H

#include <stdint.h>

#define GUEST_PAGE	4096u
#define GUEST_WORDS	(GUEST_PAGE / sizeof(uint32_t))
#define GUEST_RAM	(48u << 20)
#define GUEST_MAILBOX	(2u << 20)		     /* struct guest_mailbox, alone in its page */
#define GUEST_VERSIONS	(GUEST_MAILBOX + GUEST_PAGE) /* a uint32_t per page of the area */
#define GUEST_AREA	(8u << 20)
#define GUEST_PAGES	8192u /* of the area; a power of two */
#define GUEST_FIRST_GFN (GUEST_AREA / GUEST_PAGE)

#define GUEST_MAGIC   0x4d494752u
#define GUEST_NO_PAGE UINT32_MAX

struct guest_mailbox {
	uint32_t magic;	  /* set after every page has been written once */
	uint32_t loops;	  /* wait between two pages; the driver sets it, never during a migration */
	uint32_t writes;  /* number of pages written, with wraparound */
	uint32_t writing; /* index of the page that is checked and written, or GUEST_NO_PAGE */
	uint32_t bad;	  /* number of pages that differed from what the guest had written */
	uint32_t bad_page; /* index of the first of them */
};

/* Words of a page */
enum guest_word {
	GUEST_WORD_GFN,
	GUEST_WORD_VERSION,
	GUEST_WORD_KVM, /* sometimes written by KVM, for the guest's string input */
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

/*
 * Is it page @index of the area, with @version and a right checksum? True for version 0 (never
 * written).
 */
static inline int guest_page_is(const volatile uint32_t *page, uint32_t index, uint32_t version)
{
	if (!version)
		return 1;
	return page[GUEST_WORD_GFN] == GUEST_FIRST_GFN + index &&
	       page[GUEST_WORD_VERSION] == version && page[GUEST_WORD_SUM] == guest_checksum(page);
}

#endif /* MIGRATE_GUEST_H */
