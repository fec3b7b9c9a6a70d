# SPDX-License-Identifier: GPL-2.0-or-later

BENCH_WALK := $(BUILD)/bench/walk

# As the kernel compiles it; POPCNT stands for the instruction that the kernel's hweight64() is patched to.
$(BUILD)/bench/walk-kernel.o: kvm-ext/common/walk.c
	@mkdir -p $(@D)
	$(CC) $(KX_WARN) -Werror -O2 -g -mgeneral-regs-only -mpopcnt -mno-red-zone -fno-strict-aliasing \
		-MMD -MP -c -o $@ $<

$(BENCH_WALK): bench/walk.c tests/unit/tables.c tests/unit/tables.h $(BUILD)/bench/walk-kernel.o
	@mkdir -p $(@D)
	$(CC) $(KX_WARN) -Werror $(CFLAGS) -Ikvm-ext/common -Itests/unit -o $@ $(filter %.c %.o,$^)

-include $(BUILD)/bench/walk-kernel.d

## bench-walk: ns per page of the table walk itself, on this machine, beside memcpy of the same tables (WALK_MIB=64 …)
.PHONY: bench-walk
bench-walk: $(BENCH_WALK)
	@bench/native walk $(WALK_MIB)
