# SPDX-License-Identifier: GPL-2.0-or-later
# The known-truth workload: one static program, so that any guest can run it from an initramfs.
WORKLOAD_DIR     := bench/workloads
WORKLOAD_BUILD   := build/workload
WORKLOAD_BINARY  := $(WORKLOAD_BUILD)/kx-workload
WORKLOAD_SRCS    := $(wildcard $(WORKLOAD_DIR)/*.c)
WORKLOAD_OBJS    := $(WORKLOAD_SRCS:$(WORKLOAD_DIR)/%.c=$(WORKLOAD_BUILD)/%.o)
WORKLOAD_CFLAGS   = -std=gnu11 -Wall -Wextra -Wstrict-prototypes -Wmissing-prototypes -D_GNU_SOURCE \
		    -DWL_VERSION='"$(or $(VERSION),unreleased)"' -pthread

.PHONY: workload
## workload: kx-workload, the static guest program whose memory accesses are known
workload: $(WORKLOAD_BINARY)

$(WORKLOAD_BINARY): $(WORKLOAD_OBJS)
	$(CC) $(CFLAGS) $(LDFLAGS) -static -pthread -o $@ $^ -lm

$(WORKLOAD_BUILD)/%.o: $(WORKLOAD_DIR)/%.c $(WORKLOAD_DIR)/workloads.mk
	@mkdir -p $(@D)
	$(CC) -O2 $(CFLAGS) $(WORKLOAD_CFLAGS) -MMD -MP -c -o $@ $<

# Tests: the pure files with sanitizers, and the program itself as a child.
WORKLOAD_TESTS    := build/tests/test-workload build/tests/test-workload-run
WORKLOAD_PURE     := $(addprefix $(WORKLOAD_DIR)/,options.c pattern.c touch.c truth.c)
WORKLOAD_SANFLAGS  = $(or $(KX_SANFLAGS),-O1 -g -fsanitize=address,undefined)
KX_UNIT_EXTRA_BINS += $(WORKLOAD_TESTS)

$(WORKLOAD_TESTS): build/tests/%: tests/unit/%.c $(WORKLOAD_PURE) $(wildcard $(WORKLOAD_DIR)/*.h) \
		$(WORKLOAD_BINARY) $(WORKLOAD_DIR)/profiles
	@mkdir -p $(@D)
	$(CC) $(WORKLOAD_CFLAGS) $(WORKLOAD_SANFLAGS) -I$(WORKLOAD_DIR) \
		-DWL_BINARY='"$(abspath $(WORKLOAD_BINARY))"' -DWL_PROFILES='"$(abspath $(WORKLOAD_DIR)/profiles)"' \
		-o $@ $< $(WORKLOAD_PURE) -lcmocka -lm

-include $(WORKLOAD_OBJS:.o=.d)
