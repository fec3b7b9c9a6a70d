# SPDX-License-Identifier: GPL-2.0-or-later
# The module's test programs: static, they run in emulated hosts of other distributions as well.

VMM_TESTS := $(patsubst tests/vmm/%.c,$(BUILD)/vmm/%,$(wildcard tests/vmm/t-*.c)) $(addprefix $(BUILD)/vmm/,scan regions dirtylog fuzz-device)
VMM_LIB   := $(addprefix $(BUILD)/vmm/,vmm.o kx.o tap.o child.o dirty.o exact.o aggregation.o asleep.o)
VMM_CFLAGS := -std=gnu11 -O2 -g -Wall -Wextra -Wshadow -Wstrict-prototypes -Werror -Iinclude -Itests/vmm -pthread

$(BUILD)/vmm/%.o: tests/vmm/%.c
	@mkdir -p $(@D)
	$(CC) $(VMM_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/vmm/%.o: bench/%.c
	@mkdir -p $(@D)
	$(CC) $(VMM_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/vmm/%: $(BUILD)/vmm/%.o $(VMM_LIB)
	$(CC) -static -pthread -o $@ $^

## vmm: the module's test programs and the tests' own VMM
.PHONY: vmm
vmm: $(VMM_TESTS)
.SECONDARY: $(VMM_LIB) $(VMM_TESTS:=.o)

-include $(VMM_LIB:.o=.d) $(VMM_TESTS:=.d)
