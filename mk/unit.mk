# SPDX-License-Identifier: GPL-2.0-or-later
# CMocka unit tests of user space, built with ASan and UBSan. A module adds its test to
# KX_UNIT_TESTS; tests/unit/FOLDER/NAME.c, in the folder that hostd/ has its module in, plus the library makes
# build/tests/NAME.

KX_UNIT_EXTRA_BINS += tests/unit/test-circles
KX_UNIT_BINS := $(KX_UNIT_TESTS:%=$(BUILD)/tests/%)

vpath test-%.c tests/unit $(wildcard tests/unit/*/)
vpath fake-%.c tests/unit

# What a test needs beside the library, as objects, is in KX_UNIT_EXTRA_NAME.
.SECONDEXPANSION:
$(KX_UNIT_BINS): $$(filter %.o,$$(KX_UNIT_EXTRA_$$(@F)))

# Compiled apart from linking, so that a compiler's cache can serve it.
KX_UNIT_OBJS := $(KX_UNIT_BINS:=.o) $(BUILD)/tests/fake-daemon.o
$(KX_UNIT_OBJS): $(BUILD)/tests/%.o: %.c | $(KX_GEN)
	@mkdir -p $(@D)
	$(CC) $(KX_WARN) $(KX_SANFLAGS) $(KX_CPPFLAGS) $(filter -I% -D%,$(KX_UNIT_EXTRA_$*)) -Itests/unit -MMD -MP -c -o $@ $<

$(KX_UNIT_BINS) $(BUILD)/tests/fake-daemon: $(BUILD)/tests/%: $(BUILD)/tests/%.o $(BUILD)/san/libkvmext.a
	$(CC) $(KX_WARN) $(KX_SANFLAGS) $(KX_CPPFLAGS) -Itests/unit -o $@ $< $(KX_UNIT_EXTRA_$*) \
		$(BUILD)/san/libkvmext.a $(KX_PKGLIBS) -lcmocka -lm

-include $(KX_UNIT_OBJS:.o=.d)
-include $(patsubst %.o,%.d,$(filter %.o,$(foreach t,$(KX_UNIT_TESTS),$(KX_UNIT_EXTRA_$(t)))))

# Of an end-to-end test.
$(BUILD)/tests/place-pages: tests/e2e/place-pages.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -Wall -Wextra $(CFLAGS) -o $@ $< -lnuma

# Static, for a guest without libraries.
$(BUILD)/e2e/pebs-samples: tests/e2e/pebs-samples.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -Wall -Wextra $(CFLAGS) -static -o $@ $<

## unit: build and run the unit tests
.PHONY: unit unit-build
unit-build: hostd $(KX_UNIT_BINS) $(KX_UNIT_EXTRA_BINS)
# First those that wait for most of their time: the others fill the CPUs meanwhile.
unit: unit-build
	@tests/unit/run $(KX_UNIT_EXTRA_BINS) $(KX_UNIT_BINS)
