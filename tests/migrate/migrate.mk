# SPDX-License-Identifier: GPL-2.0-or-later
# The test of live migration with a tracker: the guest that is migrated, and the program that migrates it.

MIGRATE_BIN    := $(BUILD)/tests/migrate
MIGRATE_GUEST  := $(BUILD)/tests/migrate-guest
MIGRATE_SRCS   := $(wildcard tests/migrate/*.c)
MIGRATE_OBJS   := $(patsubst tests/migrate/%.c,$(BUILD)/obj/tests/migrate/%.o,$(filter-out %/guest.c,$(MIGRATE_SRCS)))
# Without libc and without SSE (which nothing enables); loops are not replaced by calls of libc functions.
MIGRATE_GUEST_CFLAGS := -std=gnu11 -m32 -march=i686 -O2 -Wall -Wextra -Wno-array-bounds -ffreestanding -nostdlib -static \
	-fno-pic -no-pie -fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables -mgeneral-regs-only \
	-fno-tree-loop-distribute-patterns -Wl,--build-id=none -Wl,-z,noexecstack -Wl,--no-warn-rwx-segments

$(MIGRATE_GUEST): tests/migrate/guest.c tests/migrate/guest.h tests/migrate/guest.ld
	@mkdir -p $(@D)
	$(CC) $(MIGRATE_GUEST_CFLAGS) -T tests/migrate/guest.ld -o $@ $<

$(BUILD)/obj/tests/migrate/%.o: tests/migrate/%.c
	@mkdir -p $(@D)
	$(CC) $(KX_WARN) -Werror $(CFLAGS) $(KX_CPPFLAGS) -Itests/vmm -MMD -MP -c -o $@ $<

# --as-needed: only the code that opens a VM's descriptor is used of the library, and libvirt takes long to load.
$(MIGRATE_BIN): $(MIGRATE_OBJS) $(BUILD)/vmm/kx.o $(BUILD)/vmm/tap.o $(BUILD)/hostd/libkvmext.a
	$(CC) -Wl,--as-needed -o $@ $^ $(KX_PKGLIBS)

## migrate: the test of live migration with a tracker (run it with tests/e2e/migrate)
.PHONY: migrate
migrate: $(MIGRATE_BIN) $(MIGRATE_GUEST)

-include $(MIGRATE_OBJS:.o=.d)
