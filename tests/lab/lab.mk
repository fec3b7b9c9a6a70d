# SPDX-License-Identifier: GPL-2.0-or-later
# What the lab's guests need beside the workload: static, for an initramfs without libraries.

LAB_CLOCK := $(BUILD)/lab/clock

$(LAB_CLOCK): tests/lab/clock.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -O2 -g -Wall -Wextra -Wshadow -Wstrict-prototypes -static -o $@ $<

workload: $(LAB_CLOCK)
