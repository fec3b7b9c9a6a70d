// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Prints the frequency of this machine's TSC in kHz.
 *
 * QEMU's TCG gives the machine's TSC to the emulated host, whose kernel measures the TSC's
 * frequency at boot by timers, which stop while the emulator has no CPU. On a busy machine the
 * result was nine times too low, and time in the emulated host passed nine times too fast. This
 * program reads both clocks together, at the start and at the end of a time, and uses the readings
 * that were interrupted least.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

#define STRETCH_NS 200000000
#define READINGS   1000

typedef struct {
	int64_t ns;
	uint64_t tsc;
} Reading;

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_RAW, &ts);
	return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}

static Reading read_both(void)
{
	int64_t least = INT64_MAX;
	Reading best = { 0 };

	for (int i = 0; i < READINGS; i++) {
		int64_t before = now_ns();
		uint64_t tsc = __rdtsc();
		int64_t took = now_ns() - before;

		if (took >= least)
			continue;
		least = took;
		best = (Reading){ before + took / 2, tsc };
	}
	return best;
}

int main(void)
{
	struct timespec stretch = { 0, STRETCH_NS };
	Reading a = read_both(), b;

	nanosleep(&stretch, NULL);
	b = read_both();
	printf("%.0f\n", (double)(b.tsc - a.tsc) * 1e6 / (double)(b.ns - a.ns));
	return 0;
}
