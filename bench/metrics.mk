# SPDX-License-Identifier: GPL-2.0-or-later
# How long a scrape of 300 VMs takes: the program of the unit test, as the daemon is built.

$(BUILD)/bench/metrics: tests/unit/daemon/test-metrics.c $(KX_METRICS_OBJS:%=$(BUILD)/obj/%) $(BUILD)/hostd/libkvmext.a | $(KX_GEN)
	@mkdir -p $(@D)
	$(CC) $(KX_WARN) $(CFLAGS) $(KX_CPPFLAGS) -Itests/unit -o $@ $^ \
		$(KX_PKGLIBS) $(shell pkg-config --cflags --libs libsoup-3.0) -lcmocka -lm

## bench-metrics: the time of a scrape of 300 VMs on this machine, modules in memory
.PHONY: bench-metrics
bench-metrics: deps-build $(BUILD)/bench/metrics
	@$(BUILD)/bench/metrics 2>/dev/null | grep -E '^scrape|FAILED'
