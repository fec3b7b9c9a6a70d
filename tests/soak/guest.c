// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A tiny guest for hosts with many VMs: no operating system, 32-bit protected mode without paging, loaded by -kernel as
 * multiboot. It sleeps (HLT) between the ticks of its timer, which are rare because each of them costs an emulated host much.
 * At each tick it writes some pages, whose contents it has checked before, and reads some. Then it writes a character to its
 * serial port, which shows that it is alive: 'b', or 'X' for ever after it has found a page that differs from what it had written.
 */
#include <stdint.h>

#define PAGE	 4096u
#define AREA	 (4u << 20)
#define PAGES	 1024u /* of the area; a power of two */
#define TOUCHED	 128u  /* pages written at a tick; as many are read */
#define SERIAL	 0x3f8
#define PIC_MASK 0x21 /* of the first; the second has 0xa1 */
#define VECTOR	 0x20

/* Registers of the local APIC (Intel SDM, "Advanced Programmable Interrupt Controller") */
#define APIC	     0xfee00000u
#define APIC_SVR     0xf0
#define APIC_TIMER   0x320
#define APIC_INITIAL 0x380
#define APIC_DIVIDE  0x3e0
#define ENABLED	     0x1ff
#define PERIODIC     0x20000
#define BY_128	     0xa
#define HALF_SECOND  (500000000u / 128) /* the clock of KVM's APIC has 1 GHz */

#define CODE 0x08 /* selectors */

__asm__(".section .multiboot, \"a\"\n"
	".align 4\n"
	".long 0x1badb002, 0, -0x1badb002\n" /* magic, flags, sum is 0 */
	".text\n"
	".globl start\n"
	"start:\n"
	"	cli\n"
	"	cld\n"
	"	movl $stack_top, %esp\n"
	"	lgdt gdt_register\n"
	"	ljmp $0x08, $1f\n"
	"1:	movl $0x10, %eax\n"
	"	movl %eax, %ds\n"
	"	movl %eax, %es\n"
	"	movl %eax, %ss\n"
	"	call run\n"
	".globl on_timer\n"
	"on_timer:\n"
	"	movl $0, 0xfee000b0\n" /* end of interrupt */
	"	iret\n"
	".data\n"
	".align 8\n"
	"gdt:	.quad 0, 0x00cf9a000000ffff, 0x00cf92000000ffff\n"
	"gdt_register:\n"
	"	.word 23\n"
	"	.long gdt\n"
	".bss\n"
	".align 16\n"
	".skip 4096\n"
	"stack_top:\n"
	".previous\n");

void on_timer(void);

/* Words of a page */
enum {
	WORD_INDEX,
	WORD_VERSION,
	WORD_SUM
};

static uint64_t gates[VECTOR + 1];
static uint32_t versions[PAGES], bad, random_state = 1;

static void out(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port));
}

static void apic(uint32_t offset, uint32_t value)
{
	*(volatile uint32_t *)(APIC + offset) = value;
}

static void start_timer(void)
{
	const struct __attribute__((packed)) {
		uint16_t limit;
		uint64_t *base;
	} idt = { sizeof(gates) - 1, gates };
	uint32_t handler = (uint32_t)on_timer;

	/* A 32-bit interrupt gate. Any other interrupt is a triple fault, which ends the VM. */
	gates[VECTOR] = (handler & 0xffff) | CODE << 16 | (uint64_t)0x8e00 << 32 |
			(uint64_t)(handler & 0xffff0000) << 32;
	__asm__ volatile("lidt %0" ::"m"(idt));
	out(PIC_MASK, 0xff);
	out(PIC_MASK + 0x80, 0xff);
	apic(APIC_SVR, ENABLED);
	apic(APIC_DIVIDE, BY_128);
	apic(APIC_TIMER, PERIODIC | VECTOR);
	apic(APIC_INITIAL, HALF_SECOND);
}

static volatile uint32_t *random_page(uint32_t *index)
{
	/* Marsaglia's xorshift */
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	*index = random_state % PAGES;
	return (volatile uint32_t *)(AREA + *index * PAGE);
}

static uint32_t sum_of(uint32_t index, uint32_t version)
{
	return (index + 1) * 2654435761u ^ version;
}

static void check(volatile uint32_t *page, uint32_t index)
{
	uint32_t version = versions[index];

	bad += version && (page[WORD_INDEX] != index || page[WORD_VERSION] != version ||
			   page[WORD_SUM] != sum_of(index, version));
}

static void work(void)
{
	volatile uint32_t *page;
	uint32_t i, index;

	for (i = 0; i < TOUCHED; i++) {
		page = random_page(&index);
		check(page, index);
		versions[index]++;
		page[WORD_INDEX] = index;
		page[WORD_VERSION] = versions[index];
		page[WORD_SUM] = sum_of(index, versions[index]);
		page = random_page(&index);
		check(page, index);
	}
}

__attribute__((noreturn, used)) static void run(void)
{
	start_timer();
	for (;;) {
		/* STI takes effect after the next instruction, so that no tick comes between the two. */
		__asm__ volatile("sti; hlt; cli" ::: "memory");
		work();
		out(SERIAL, bad ? 'X' : 'b');
	}
}
