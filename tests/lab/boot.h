/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Places that boot.S and pvh.c, which makes the disk, have in common. */

/* In the boot sector: the extents to load. An extent without sectors ends the list. */
#define BOOT_EXTENTS	 0x150
#define BOOT_EXTENTS_MAX 14

/* In memory, at BOOT_DATA: */
#define BOOT_DATA	    0xf00000
#define BOOT_ENTRY	    0
#define BOOT_START_INFO	    0x100
#define BOOT_MEMMAP_ENTRIES (BOOT_START_INFO + 48)
#define BOOT_MODULES	    0x200
#define BOOT_CMDLINE	    0x1000
#define BOOT_DATA_SIZE	    0x2000

/* The boot sector writes the memory map to this address. */
#define BOOT_MEMMAP 0x9000
