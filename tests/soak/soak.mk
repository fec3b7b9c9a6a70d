# SPDX-License-Identifier: GPL-2.0-or-later
# The soak test: its tiny guest, and the program that attaches, switches and detaches.

SOAK := $(BUILD)/tests/soak $(BUILD)/tests/soak-guest

$(BUILD)/tests/soak-guest: tests/soak/guest.c tests/migrate/guest.ld
	@mkdir -p $(@D)
	$(CC) $(MIGRATE_GUEST_CFLAGS) -T tests/migrate/guest.ld -o $@ $<

$(BUILD)/tests/soak: tests/soak/soak.c $(BUILD)/hostd/libkvmext.a | $(KX_GEN)
	@mkdir -p $(@D)
	$(CC) $(KX_WARN) -Werror $(CFLAGS) $(KX_CPPFLAGS) -o $@ $< $(BUILD)/hostd/libkvmext.a $(KX_PKGLIBS) -lm

## soak: the programs of the soak test (run it with tests/e2e/soak)
.PHONY: soak
soak: $(SOAK)

## scale: 10 200 attaches and 102 000 switches of 300 VMs, with modules in memory: nothing grows
.PHONY: scale
scale: $(BUILD)/tests/test-scale
	LONG=1 $<
