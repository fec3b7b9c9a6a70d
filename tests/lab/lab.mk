# SPDX-License-Identifier: GPL-2.0-or-later
# What the lab's domains need beside the workload: static, for an initramfs without libraries, and for a host with few.

LAB_PROGRAMS := $(BUILD)/lab/clock $(BUILD)/lab/ask $(BUILD)/lab/stores

$(LAB_PROGRAMS): $(BUILD)/lab/%: tests/lab/%.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -O2 -g -Wall -Wextra -Wshadow -Wstrict-prototypes -static -o $@ $<

workload: $(LAB_PROGRAMS)
