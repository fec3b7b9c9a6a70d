# SPDX-License-Identifier: GPL-2.0-or-later
# Fuzz targets: tests/fuzz/fuzz-NAME.c with its kept corpus tests/fuzz/corpus/NAME, which `make unit` replays
# without a fuzzer. What `make fuzz-NAME` finds beyond it grows in build/fuzz/NAME; `make fuzz-NAME-keep` takes
# from there what covers more.

FUZZ_SECONDS ?= 600
FUZZ_TARGETS := walk
FUZZ_SRCS_walk := tests/fuzz/fuzz-walk.c tests/unit/tables.c kvm-ext/common/walk.c
FUZZ_FLAGS := -std=gnu11 -Wall -Wextra -Wno-unknown-pragmas -g -Ikvm-ext/common -Itests/unit

$(BUILD)/fuzz/fuzz-%: $(wildcard kvm-ext/common/*.[ch] tests/unit/tables.[ch] tests/fuzz/*.c)
	@mkdir -p $(@D)
	@mk/deps tests/fuzz/packages.txt
	clang $(FUZZ_FLAGS) -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -o $@ $(FUZZ_SRCS_$*)

## fuzz-walk: fuzz the table walk with libFuzzer (FUZZ_SECONDS=600)
.PHONY: $(FUZZ_TARGETS:%=fuzz-%) $(FUZZ_TARGETS:%=fuzz-%-keep)
$(FUZZ_TARGETS:%=fuzz-%): fuzz-%: $(BUILD)/fuzz/fuzz-%
	@mkdir -p $(BUILD)/fuzz/$*
	$< -max_total_time=$(FUZZ_SECONDS) -timeout=10 -max_len=1024 -print_final_stats=1 \
		-artifact_prefix=$(BUILD)/fuzz/ $(BUILD)/fuzz/$* tests/fuzz/corpus/$*

$(FUZZ_TARGETS:%=fuzz-%-keep): fuzz-%-keep: $(BUILD)/fuzz/fuzz-%
	$< -merge=1 -max_len=1024 tests/fuzz/corpus/$* $(BUILD)/fuzz/$*

FUZZ_REPLAYS := $(FUZZ_TARGETS:%=$(BUILD)/tests/replay-%)
$(BUILD)/tests/replay-%: tests/fuzz/fuzz-%.c tests/fuzz/replay.c $(KX_COMMON_SAN)/walk.o $(KX_TABLES_SAN)
	@mkdir -p $(@D)
	$(CC) $(KX_WARN) $(KX_SANFLAGS) -Ikvm-ext/common -Itests/unit -DCORPUS='"tests/fuzz/corpus/$*"' -o $@ \
		$(filter %.c %.o,$^)

KX_UNIT_EXTRA_BINS += $(FUZZ_REPLAYS)
