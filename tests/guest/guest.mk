# SPDX-License-Identifier: GPL-2.0-or-later
# For tests of the guest's module: the daemon's end of a channel, controlled by a script; a workload that reports work.

GUEST_TESTS := $(BUILD)/guest/peer $(BUILD)/guest/work

$(BUILD)/guest/peer: tests/guest/peer.c $(BUILD)/hostd/libkvmext.a | $(KX_GEN)
	@mkdir -p $(@D)
	$(CC) $(KX_WARN) $(CFLAGS) $(KX_CPPFLAGS) -o $@ $< $(BUILD)/hostd/libkvmext.a $(KX_PKGLIBS) -lm

$(BUILD)/guest/work: tests/guest/work.c
	@mkdir -p $(@D)
	$(CC) $(KX_WARN) $(CFLAGS) -o $@ $<

.PHONY: guest-tests
guest-tests: $(GUEST_TESTS)
