# SPDX-License-Identifier: GPL-2.0-or-later
# Each benchmark is a script bench/NAME, run as `make bench-NAME`: it boots the emulated host, prints a table and,
# last, one headline line.

## bench-scan: ns per page of abit, ept-walk with and without skipping, and the kernel's DAMON, 64 MiB to 8 GiB
.PHONY: bench-scan
bench-scan: deps-lab
	@bench/scan

## bench-regions: region sampling beside the kernel's DAMON: how soon and how exactly a hot part is found, in how many checks
.PHONY: bench-regions
bench-regions: deps-lab
	@bench/regions

## bench-pebs: guest-pebs over periods from 127 to 65537, and policies: F1 of the hot pages after 60 epochs, PMIs, cost (table and plot)
.PHONY: bench-pebs
bench-pebs: deps-lab
	@mk/deps bench/packages-pebs.txt
	@bench/pebs

# Those that have the kernel's DAMON beside them.
$(BUILD)/vmm/scan $(BUILD)/vmm/regions: $(BUILD)/vmm/damon.o

## bench-dirtylog: the dirty log's phases against KVM's own dirty_log_perf_test and QEMU's calc-dirty-rate (BENCH_HOST=amd|intel)
.PHONY: bench-dirtylog bench-dirtylog-build
BENCH_HOST ?= amd
bench-dirtylog: deps-lab
	@bench/dirtylog --host $(BENCH_HOST)

BENCH_QEMU := $(BUILD)/bench/dirtylog-qemu
bench-dirtylog-build: $(BUILD)/vmm/dirtylog $(BENCH_QEMU) $(MIGRATE_GUEST)

$(BUILD)/obj/bench/%.o: bench/%.c
	@mkdir -p $(@D)
	$(CC) $(KX_WARN) -Werror $(CFLAGS) $(KX_CPPFLAGS) -Itests/vmm -MMD -MP -c -o $@ $<

# As needed: of the library only the way to a VM's descriptor is used, and libvirt takes long to load.
$(BENCH_QEMU): $(BUILD)/obj/bench/dirtylog-qemu.o $(addprefix $(BUILD)/obj/tests/migrate/,vm.o qmp.o child.o) \
		$(BUILD)/vmm/kx.o $(BUILD)/vmm/tap.o $(BUILD)/hostd/libkvmext.a
	@mkdir -p $(@D)
	$(CC) -Wl,--as-needed -o $@ $^ $(KX_PKGLIBS)

-include $(BUILD)/obj/bench/dirtylog-qemu.d
