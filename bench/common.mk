# SPDX-License-Identifier: GPL-2.0-or-later
# Benchmarks of kvm-ext/common on this machine, no VM.

# As the kernel compiles it.
BENCH_KERNEL_CFLAGS := -O2 -g -mgeneral-regs-only -mno-red-zone -fno-strict-aliasing
$(BUILD)/bench/kernel/%.o: kvm-ext/common/%.c
	@mkdir -p $(@D)
	$(CC) $(KX_WARN) -Werror $(BENCH_KERNEL_CFLAGS) -MMD -MP -c -o $@ $<
-include $(wildcard $(BUILD)/bench/kernel/*.d)

$(BUILD)/bench/classifier: bench/classifier.c $(BUILD)/bench/kernel/ranges.o
	@mkdir -p $(@D)
	$(CC) $(KX_WARN) -Werror $(CFLAGS) -Ikvm-ext/common $$(pkg-config --cflags glib-2.0) -o $@ $^ \
		$$(pkg-config --libs glib-2.0) -lm

## bench-classifier: the range classifier beside a GHashTable and an array of pages: samples/s, bytes, hot pages found
.PHONY: bench-classifier
bench-classifier: deps-build
	@GLIBC_TUNABLES=glibc.malloc.tcache_count=0 bench/native classifier

$(BUILD)/bench/ring: bench/ring.c $(BUILD)/bench/kernel/mpsc.o
	@mkdir -p $(@D)
	$(CC) $(KX_WARN) -Werror $(CFLAGS) -pthread -Ikvm-ext/common -o $@ $^

## bench-ring: the sample ring beside Concurrency Kit's ck_ring and liburcu's wfcqueue, samples/s
.PHONY: bench-ring
bench-ring:
	@mk/deps bench/packages.txt
	@bench/native ring

# What the test of their arguments runs: of bench-ring's only if its peers are installed.
BENCH_PROGRAMS := $(addprefix $(BUILD)/vmm/,scan regions dirtylog) $(BUILD)/bench/walk $(BUILD)/bench/classifier \
	$(BUILD)/bench/dirtylog-qemu $(if $(wildcard /usr/include/ck_ring.h),$(BUILD)/bench/ring)
tests/unit/test-bench: $(BENCH_PROGRAMS)
KX_UNIT_EXTRA_BINS += tests/unit/test-bench
unit-build: tests/unit/test-bench
