# SPDX-License-Identifier: GPL-2.0-or-later
# User space: library, daemon and CLI. `make hostd` builds them; build/san holds the same library
# with the sanitizers on, for the unit tests.

KX_PKGS     := gio-unix-2.0 libvirt libvirt-qemu libvirt-glib-1.0 json-glib-1.0 gsl libxml-2.0 sqlite3 numa zlib libkmod
# Asked once, at first use: only then are the packages installed for certain.
KX_PKGFLAGS  = $(eval KX_PKGFLAGS := $$(shell pkg-config --cflags $(KX_PKGS) cairo))$(KX_PKGFLAGS)
KX_PKGLIBS   = $(eval KX_PKGLIBS := $$(shell pkg-config --libs $(KX_PKGS)))$(KX_PKGLIBS)
KX_WARN     := -std=gnu11 -Wall -Wextra -Wshadow -Wmissing-prototypes -Wno-unused-parameter
KX_CPPFLAGS  = -Iinclude -Ihostd -I$(BUILD)/hostd/gen $(KX_PKGFLAGS)
KX_HARDEN   := -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
KX_SANFLAGS := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
KX_LIB_SRCS :=

include hostd/daemon.mk
include hostd/cli.mk
include hostd/guest.mk
include hostd/compare.mk
include hostd/experiment.mk
include hostd/html.mk

# Code that the kernel modules share.
KX_LIB_SRCS += kvm-ext/common/ranges.c

KX_LIB_OBJS := $(KX_LIB_SRCS:%.c=$(BUILD)/obj/%.o) $(KX_LIB_GEN:%=$(BUILD)/obj/gen/%.o)
KX_SAN_OBJS := $(KX_LIB_SRCS:%.c=$(BUILD)/san/%.o) $(KX_LIB_GEN:%=$(BUILD)/san/gen/%.o)

$(BUILD)/obj/%.o: %.c | $(KX_GEN)
	@mkdir -p $(@D)
	$(CC) $(KX_WARN) $(CFLAGS) $(KX_HARDEN) $(KX_CPPFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/san/%.o: %.c | $(KX_GEN)
	@mkdir -p $(@D)
	$(CC) $(KX_WARN) $(KX_SANFLAGS) $(KX_CPPFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/hostd/libkvmext.a: $(KX_LIB_OBJS)
	@mkdir -p $(@D)
	@rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/san/libkvmext.a: $(KX_SAN_OBJS)
	@mkdir -p $(@D)
	@rm -f $@
	$(AR) rcs $@ $^

-include $(KX_LIB_OBJS:.o=.d) $(KX_SAN_OBJS:.o=.d)

## hostd: the daemon kvm-extd and the CLI kvm-ext
.PHONY: hostd
hostd: $(BUILD)/hostd/kvm-extd $(BUILD)/hostd/kvm-ext $(BUILD)/hostd/kvm-ext-testvm
