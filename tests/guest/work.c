// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A workload that reports work to kvm_ext_guest.ko: adds N to the shared counter, and keeps the
 * device open until it is killed.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int fd = open("/dev/kvm-ext-guest", O_RDWR | O_CLOEXEC);
	uint64_t *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (fd < 0 || page == MAP_FAILED || argc != 2) {
		perror("/dev/kvm-ext-guest");
		return 1;
	}
	__atomic_fetch_add(page, strtoull(argv[1], NULL, 10), __ATOMIC_RELAXED);
	puts("added");
	fflush(stdout);
	pause();
	return 0;
}
