# SPDX-License-Identifier: GPL-2.0-or-later
# The known-truth workload: one static program, so that any guest can run it from an initramfs.
WORKLOAD_DIR     := bench/workloads
WORKLOAD_BUILD   := build/workload
WORKLOAD_VERSION ?= $(or $(VERSION),unreleased)
WORKLOAD_SRCS    := $(wildcard $(WORKLOAD_DIR)/*.c)
WORKLOAD_OBJS    := $(WORKLOAD_SRCS:$(WORKLOAD_DIR)/%.c=$(WORKLOAD_BUILD)/%.o)
WORKLOAD_CFLAGS   = -std=gnu11 -O2 -Wall -Wextra -Wstrict-prototypes -Wmissing-prototypes \
		    -D_GNU_SOURCE -DWL_VERSION='"$(WORKLOAD_VERSION)"' -pthread

$(WORKLOAD_BUILD)/kx-workload: $(WORKLOAD_OBJS)
	$(CC) $(CFLAGS) $(LDFLAGS) -static -pthread -o $@ $^ -lm

$(WORKLOAD_BUILD)/%.o: $(WORKLOAD_DIR)/%.c $(WORKLOAD_DIR)/workloads.mk
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(WORKLOAD_CFLAGS) -MMD -MP -c -o $@ $<

-include $(WORKLOAD_OBJS:.o=.d)
