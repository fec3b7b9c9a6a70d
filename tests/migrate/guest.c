// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The guest that is migrated: no operating system, 32-bit protected mode without paging, loaded by
 * -kernel as multiboot. It writes pages in a pseudo-random order without end, and checks each page
 * before it writes it again: so the guest also finds a page that a migration lost.
 *
 * In every STAMP_EVERY-th page KVM writes a byte instead of the CPU (string input from a port).
 * This write reaches the dirty log in another way than by a page fault or PML.
 */
#include "guest.h"

#define STAMP_EVERY 32
#define STAMP_PORT  0x80 /* POST codes: every PC has it, a read has no effect */

__asm__(".section .multiboot, \"a\"\n"
	".align 4\n"
	".long 0x1badb002, 0, -0x1badb002\n" /* magic, flags, sum is 0 */
	".text\n"
	".globl start\n"
	"start:\n"
	"	cli\n"
	"	cld\n"
	"	movl $stack_top, %esp\n"
	"	call run\n"
	".bss\n"
	".align 16\n"
	".skip 4096\n"
	"stack_top:\n"
	".previous\n");

static volatile struct guest_mailbox *const box = (void *)GUEST_MAILBOX;
static volatile uint32_t *const versions = (void *)GUEST_VERSIONS;

static volatile uint32_t *page_at(uint32_t index)
{
	return (volatile uint32_t *)(GUEST_AREA + index * GUEST_PAGE);
}

static void stamp(volatile uint32_t *word)
{
	uint32_t count = 1;

	__asm__ volatile("rep insb" : "+D"(word), "+c"(count) : "d"(STAMP_PORT) : "memory");
}

static void check(uint32_t index)
{
	if (guest_page_is(page_at(index), index, versions[index]))
		return;
	if (!box->bad)
		box->bad_page = index;
	box->bad++;
}

static void write_page(uint32_t index)
{
	volatile uint32_t *page = page_at(index);
	uint32_t version = versions[index] + 1, fill = (index + 1) * 2654435761u ^ version, i;

	box->writing = index;
	page[GUEST_WORD_GFN] = GUEST_FIRST_GFN + index;
	page[GUEST_WORD_VERSION] = version;
	for (i = GUEST_WORD_FILL; i < GUEST_WORD_SUM; i++) {
		fill = fill * 1664525 + 1013904223;
		page[i] = fill;
	}
	if (box->writes % STAMP_EVERY == 0)
		stamp(&page[GUEST_WORD_KVM]);
	page[GUEST_WORD_SUM] = guest_checksum(page);
	versions[index] = version;
	box->writing = GUEST_NO_PAGE;
	box->writes++;
}

static void wait(void)
{
	uint32_t loops = box->loops, i;

	for (i = 0; i < loops; i++)
		__asm__ volatile("");
}

__attribute__((noreturn, used)) static void run(void)
{
	uint32_t random = 1, i;

	box->writing = GUEST_NO_PAGE;
	for (i = 0; i < GUEST_PAGES; i++)
		write_page(i);
	box->magic = GUEST_MAGIC;
	for (;;) {
		/* Marsaglia's xorshift reaches every page, in a random order. */
		random ^= random << 13;
		random ^= random >> 17;
		random ^= random << 5;
		i = random % GUEST_PAGES;
		/* check() may be the first access: KVM then maps the page and logs a write. */
		box->writing = i;
		check(i);
		write_page(i);
		wait();
	}
}
