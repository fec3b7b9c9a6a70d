/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Boot sector of an emulated host: gets the memory map from the BIOS, loads the extents that
 * pvh.c has listed in this sector, and jumps to the PVH entry of the uncompressed kernel, with the
 * address of the start information in EBX (Linux: xen/interface/hvm/start_info.h).
 *
 * A boot loader that reads a compressed kernel through the BIOS, and a kernel that unpacks itself,
 * would need a quarter of a minute in the emulator. This boot sector needs a second.
 */
#include "boot.h"

#define ATA_DATA 0x1f0
#define ATA_COUNT 0x1f2
#define ATA_LBA 0x1f3
#define ATA_DEVICE 0x1f6
#define ATA_COMMAND 0x1f7
#define ATA_READ_SECTORS 0x20
#define BURST 128

	.code16
	.globl _start
_start:
	cli
	cld
	xorl %eax, %eax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	movw $0x7c00, %sp

	/* An entry of the BIOS has 20 bytes, an entry of the start information has 24. */
	xorl %ebx, %ebx
	xorl %ebp, %ebp
	movl $BOOT_MEMMAP, %edi
1:	movl $0xe820, %eax
	movl $20, %ecx
	movl $0x534d4150, %edx
	int $0x15
	jc 2f
	movl $0, 20(%di)
	addw $24, %di
	incw %bp
	testl %ebx, %ebx
	jnz 1b

2:	inb $0x92, %al
	orb $2, %al
	outb %al, $0x92
	lgdtl gdt_pointer
	movl %cr0, %eax
	orb $1, %al
	movl %eax, %cr0
	ljmpl $8, $protected

	.code32
protected:
	movl $16, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl $_start + BOOT_EXTENTS, %esi
extent:
	movl 4(%esi), %ebx
	testl %ebx, %ebx
	jz loaded
	movl 8(%esi), %edi

	/* Each command reads at most BURST sectors. EBX: number of sectors left. */
burst:	movl $BURST, %eax
	cmpl %ebx, %eax
	jbe 1f
	movl %ebx, %eax
1:	subl %eax, %ebx
	pushl %eax
	movl $ATA_COUNT, %edx
	outb %al, %dx
	movl (%esi), %eax
	incl %edx
	outb %al, %dx
	shrl $8, %eax
	incl %edx
	outb %al, %dx
	shrl $8, %eax
	incl %edx
	outb %al, %dx
	shrl $8, %eax
	orb $0xe0, %al
	incl %edx
	outb %al, %dx
	incl %edx
	movb $ATA_READ_SECTORS, %al
	outb %al, %dx
	popl %eax
	addl %eax, (%esi)

sector:	pushl %eax
	movl $ATA_COMMAND, %edx
1:	inb %dx, %al
	andb $0x88, %al			/* busy, data request */
	cmpb $0x08, %al
	jne 1b
	movl $ATA_DATA, %edx
	movl $256, %ecx
	rep insw
	popl %eax
	decl %eax
	jnz sector

	testl %ebx, %ebx
	jnz burst
	addl $12, %esi
	jmp extent

loaded:	movl %ebp, BOOT_DATA + BOOT_MEMMAP_ENTRIES
	movl $BOOT_DATA + BOOT_START_INFO, %ebx
	jmp *BOOT_DATA + BOOT_ENTRY

	.balign 8
gdt:	.quad 0
	.quad 0x00cf9a000000ffff	/* code: 4 GiB, 32 bits */
	.quad 0x00cf92000000ffff	/* data */
gdt_pointer:
	.word gdt_pointer - gdt - 1
	.long gdt

	/* An extent: first sector, number of sectors, address. */
	.org BOOT_EXTENTS
	.fill BOOT_EXTENTS_MAX * 12
	.org 510
	.byte 0x55, 0xaa
