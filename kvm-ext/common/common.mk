# SPDX-License-Identifier: GPL-2.0-or-later
# The code that the modules share with user space, built with the sanitizers for the unit tests.

KX_COMMON_SAN := $(BUILD)/san/kvm-ext/common

# Page tables for tests and benchmarks of the walk.
KX_TABLES_SAN := $(BUILD)/san/tests/unit/tables.o
$(KX_TABLES_SAN): KX_CPPFLAGS += -Ikvm-ext/common
-include $(KX_TABLES_SAN:.o=.d)

KX_UNIT_TESTS += test-mpsc test-mpsc-steps test-ranges test-regions test-walk test-pace test-thrift
KX_UNIT_EXTRA_test-mpsc := -Ikvm-ext/common $(KX_COMMON_SAN)/mpsc.o
KX_UNIT_EXTRA_test-mpsc-steps := -Ikvm-ext/common $(BUILD)/obj/kvm-ext/common/mpsc.o
KX_UNIT_EXTRA_test-pace := -Ikvm-ext/common
KX_UNIT_EXTRA_test-thrift := -Ikvm-ext/common
KX_UNIT_EXTRA_test-ranges := -Ikvm-ext/common $(KX_COMMON_SAN)/ranges.o
KX_UNIT_EXTRA_test-regions := -Ikvm-ext/common $(KX_COMMON_SAN)/regions.o
KX_UNIT_EXTRA_test-walk := -Ikvm-ext/common $(KX_COMMON_SAN)/walk.o $(KX_TABLES_SAN)

# ThreadSanitizer cannot be combined with the other sanitizers, so it has its own binary.
KX_TSAN := $(BUILD)/tests/tsan-mpsc
$(KX_TSAN): tests/unit/test-mpsc.c tests/unit/mpsc-samples.h kvm-ext/common/mpsc.c $(wildcard kvm-ext/common/*.h)
	@mkdir -p $(@D)
	$(CC) $(KX_WARN) -O1 -g -fsanitize=thread -Ikvm-ext/common -o $@ $(filter %.c,$^) -lcmocka

KX_UNIT_EXTRA_BINS += tests/unit/test-tsan
unit-build: $(KX_TSAN)

## tsan: the sample ring under ThreadSanitizer, which must find removed barriers (part of unit)
.PHONY: tsan
tsan: $(KX_TSAN)
	@tests/unit/test-tsan
