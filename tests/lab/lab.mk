# SPDX-License-Identifier: GPL-2.0-or-later
# Programs of the lab's domains, besides the workload. Static, because the guests' initramfs has no libraries.

LAB_PROGRAMS := $(BUILD)/lab/clock $(BUILD)/lab/ask $(BUILD)/lab/stores

$(LAB_PROGRAMS): $(BUILD)/lab/%: tests/lab/%.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -O2 -g -Wall -Wextra -Wshadow -Wstrict-prototypes -static -o $@ $<

workload: $(LAB_PROGRAMS)

# What the workload would draw, made of its own files, and what the guest's classifier finds of it.
$(BUILD)/lab/drawn: tests/lab/drawn.c kvm-ext/common/ranges.c $(addprefix $(WORKLOAD_BUILD)/,options.o pattern.o)
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -O2 -g -Wall -Wextra -Wno-unused-parameter -Wshadow -Wstrict-prototypes -I$(WORKLOAD_DIR) -Ikvm-ext/common -static -o $@ $^ -lm

workload: $(BUILD)/lab/drawn
