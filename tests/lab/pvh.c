// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Makes the disk from which an emulated host boots. The disk consists of the boot sector (boot.S),
 * the segments of an uncompressed kernel, its initramfs, and the data that the kernel needs at its
 * entry.
 *
 * usage: pvh BOOT-SECTOR VMLINUX INITRAMFS COMMAND-LINE DISK
 */
#include "boot.h"
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define XEN_ELFNOTE_PHYS32_ENTRY 18
#define MIB			 (1UL << 20)
#define SECTOR			 512
#define CYLINDER		 (16 * 63)

struct start_info {
	uint32_t magic;
	uint32_t version;
	uint32_t flags;
	uint32_t nr_modules;
	uint64_t modlist_paddr;
	uint64_t cmdline_paddr;
	uint64_t rsdp_paddr; /* 0: the kernel searches the memory of the BIOS */
	uint64_t memmap_paddr;
	uint32_t memmap_entries;
	uint32_t reserved;
};
_Static_assert(BOOT_START_INFO + offsetof(struct start_info, memmap_entries) == BOOT_MEMMAP_ENTRIES,
	       "boot.h has the place where the boot sector writes the number of entries");

struct module {
	uint64_t paddr;
	uint64_t size;
	uint64_t cmdline_paddr;
	uint64_t reserved;
};

struct extent {
	uint32_t sector;
	uint32_t sectors;
	uint32_t address;
};

static const char *disk_path;
static int disk;
static uint8_t boot_sector[SECTOR];
static uint32_t next_sector = 1, extents;

static _Noreturn void fail(const char *what, const char *why)
{
	fprintf(stderr, "pvh: %s: %s\n", what, why);
	exit(1);
}

static const uint8_t *map_file(const char *path, size_t *size)
{
	int fd = open(path, O_RDONLY);
	struct stat st;
	void *data;

	if (fd < 0 || fstat(fd, &st))
		fail(path, strerror(errno));
	data = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		fail(path, strerror(errno));
	close(fd);
	*size = st.st_size;
	return data;
}

static void write_at(const void *data, size_t size, off_t at)
{
	if (pwrite(disk, data, size, at) != (ssize_t)size)
		fail(disk_path, strerror(errno));
}

/*
 * Writes @data to the disk, to be loaded to @address. Whole sectors are loaded, so extents have
 * ascending addresses.
 */
static void add_extent(const void *data, size_t size, uint64_t address)
{
	struct extent *extent = (struct extent *)(boot_sector + BOOT_EXTENTS) + extents++;

	if (extents > BOOT_EXTENTS_MAX - 1 || address + size > UINT32_MAX)
		fail(disk_path, "the kernel has too many segments, or at too high addresses");
	extent->sector = next_sector;
	extent->sectors = (size + SECTOR - 1) / SECTOR;
	extent->address = address;
	write_at(data, size, (off_t)next_sector * SECTOR);
	next_sector += extent->sectors;
}

/* Size without the zeros at the end: memory is zero already, and segments end with many zeros. */
static size_t without_zeros(const uint8_t *data, size_t size)
{
	while (size && !data[size - 1])
		size--;
	return size;
}

/* The PVH entry, which is in an ELF note of Xen. */
static uint32_t pvh_entry(const uint8_t *elf, const Elf64_Phdr *segment)
{
	const uint8_t *at = elf + segment->p_offset;
	const uint8_t *end = at + segment->p_filesz;

	while (at + sizeof(Elf64_Nhdr) <= end) {
		const Elf64_Nhdr *note = (const void *)at;
		const uint8_t *name = at + sizeof(*note);
		const uint8_t *desc = name + ((note->n_namesz + 3) & ~3U);

		if (note->n_type == XEN_ELFNOTE_PHYS32_ENTRY && note->n_namesz == 4 &&
		    !memcmp(name, "Xen", 4))
			return *(const uint32_t *)desc;
		at = desc + ((note->n_descsz + 3) & ~3U);
	}
	return 0;
}

/* Adds the kernel. Returns the end of the kernel's memory; *@entry: the kernel's entry. */
static uint64_t add_kernel(const char *path, uint32_t *entry)
{
	size_t size;
	const uint8_t *elf = map_file(path, &size);
	const Elf64_Ehdr *header = (const void *)elf;
	const Elf64_Phdr *segment;
	uint64_t end = 0;

	if (size < sizeof(*header) || memcmp(header->e_ident, ELFMAG, SELFMAG) ||
	    header->e_ident[EI_CLASS] != ELFCLASS64)
		fail(path, "not a 64-bit ELF file");
	segment = (const void *)(elf + header->e_phoff);
	*entry = 0;
	for (int i = 0; i < header->e_phnum; i++, segment++) {
		if (segment->p_type == PT_NOTE && !*entry)
			*entry = pvh_entry(elf, segment);
		if (segment->p_type != PT_LOAD)
			continue;
		if (segment->p_paddr < end || segment->p_paddr < BOOT_DATA + BOOT_DATA_SIZE)
			fail(path, "a segment where none is expected");
		add_extent(elf + segment->p_offset,
			   without_zeros(elf + segment->p_offset, segment->p_filesz),
			   segment->p_paddr);
		end = segment->p_paddr + segment->p_memsz;
	}
	if (!*entry)
		fail(path, "no PVH entry");
	return end;
}

int main(int argc, char **argv)
{
	static uint8_t data[BOOT_DATA_SIZE];
	struct start_info *info = (void *)(data + BOOT_START_INFO);
	struct module *module = (void *)(data + BOOT_MODULES);
	const uint8_t *sector, *initramfs;
	size_t size, initramfs_size;
	uint32_t entry;

	if (argc != 6) {
		fputs("usage: pvh BOOT-SECTOR VMLINUX INITRAMFS COMMAND-LINE DISK\n", stderr);
		return 2;
	}
	sector = map_file(argv[1], &size);
	if (size != SECTOR)
		fail(argv[1], "not a sector");
	memcpy(boot_sector, sector, SECTOR);
	if (strlen(argv[4]) >= BOOT_DATA_SIZE - BOOT_CMDLINE)
		fail("command line", "too long");
	disk_path = argv[5];
	disk = open(disk_path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (disk < 0)
		fail(disk_path, strerror(errno));

	initramfs = map_file(argv[3], &initramfs_size);
	/* Above the memory that the kernel uses before it knows of the initramfs. */
	module->paddr = (add_kernel(argv[2], &entry) + 32 * MIB) & -(2 * MIB);
	module->size = initramfs_size;
	add_extent(initramfs, initramfs_size, module->paddr);

	memcpy(data + BOOT_ENTRY, &entry, sizeof(entry));
	*info = (struct start_info){
		.magic = 0x336ec578,
		.version = 1,
		.nr_modules = 1,
		.modlist_paddr = BOOT_DATA + BOOT_MODULES,
		.cmdline_paddr = BOOT_DATA + BOOT_CMDLINE,
		.memmap_paddr = BOOT_MEMMAP,
	};
	strcpy((char *)data + BOOT_CMDLINE, argv[4]);
	add_extent(data, sizeof(data), BOOT_DATA);

	write_at(boot_sector, SECTOR, 0);
	/* A disk has whole cylinders, of 16 heads and 63 sectors. */
	if (ftruncate(disk, ((off_t)next_sector / CYLINDER + 1) * CYLINDER * SECTOR))
		fail(disk_path, strerror(errno));
	return 0;
}
