# SPDX-License-Identifier: GPL-2.0-or-later
# The daemon, the library modules it is made of, their unit tests.

KX_LIB_SRCS += \
	hostd/lib/account.c \
	hostd/lib/account-passes.c \
	hostd/lib/account-pauses.c \
	hostd/lib/config.c \
	hostd/lib/domains.c \
	hostd/lib/error.c \
	hostd/lib/gfnset.c \
	hostd/lib/heat.c \
	hostd/lib/kvmstat.c \
	hostd/lib/lane.c \
	hostd/lib/letalone.c \
	hostd/lib/log.c \
	hostd/lib/manager.c \
	hostd/lib/manager-attach.c \
	hostd/lib/manager-call.c \
	hostd/lib/manager-channel.c \
	hostd/lib/manager-list.c \
	hostd/lib/manager-names.c \
	hostd/lib/manager-pauses.c \
	hostd/lib/manager-report.c \
	hostd/lib/manager-rules.c \
	hostd/lib/manager-set.c \
	hostd/lib/manager-stop.c \
	hostd/lib/manager-wait.c \
	hostd/lib/manager-yield.c \
	hostd/lib/module.c \
	hostd/lib/onlinecpus.c \
	hostd/lib/procstat.c \
	hostd/lib/progress.c \
	hostd/lib/rangemap.c \
	hostd/lib/session.c \
	hostd/lib/session-loop.c \
	hostd/lib/stepmap.c \
	hostd/lib/stream.c \
	hostd/lib/stretches.c \
	hostd/lib/tracker.c \
	hostd/lib/tracker-module.c \
	hostd/lib/vmfd.c

# Skeleton and proxy of the D-Bus interface, for the daemon and for whoever talks to it.
KX_GEN := $(BUILD)/hostd/gen/kvmext1-dbus.h $(BUILD)/hostd/gen/kvmext1-dbus.c

$(KX_GEN) &: hostd/dbus/org.kvmext1.xml
	@mkdir -p $(BUILD)/hostd/gen
	gdbus-codegen --interface-prefix org.kvmext1. --c-namespace KxDbus \
		--generate-c-code kvmext1-dbus --output-directory $(BUILD)/hostd/gen $<

KX_DAEMON_SRCS := hostd/daemon/main.c hostd/daemon/service.c hostd/daemon/listen.c hostd/daemon/writer.c
KX_DAEMON_OBJS := $(KX_DAEMON_SRCS:%.c=$(BUILD)/obj/%.o) $(BUILD)/obj/gen/kvmext1-dbus.o

# Generated code is not held to our warnings.
$(BUILD)/obj/gen/%.o: $(BUILD)/hostd/gen/%.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -w $(CFLAGS) $(KX_HARDEN) $(KX_CPPFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/hostd/kvm-extd: $(KX_DAEMON_OBJS) $(BUILD)/hostd/libkvmext.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -pie -Wl,-z,relro,-z,now -o $@ $^ $(KX_PKGLIBS) -lm

-include $(KX_DAEMON_OBJS:.o=.d)

KX_UNIT_TESTS += test-stream test-gfnset test-stepmap test-heat test-rangemap test-account test-vmfd test-kvmstat test-config test-domains \
	test-service test-scale test-daemon test-letalone test-bus test-names

# The service is tested where it is; the library does not know D-Bus.
KX_UNIT_EXTRA_test-service := -Ihostd/daemon hostd/daemon/service.c hostd/daemon/listen.c \
	$(BUILD)/hostd/gen/kvmext1-dbus.c
KX_UNIT_EXTRA_test-scale := $(KX_UNIT_EXTRA_test-service)
$(BUILD)/tests/test-scale $(BUILD)/tests/test-service: hostd/daemon/service.c hostd/daemon/listen.c $(KX_GEN)
$(BUILD)/tests/test-daemon: $(BUILD)/tests/kvm-extd

# The daemon with the sanitizers on: what it leaves behind at its end fails the test.
$(BUILD)/tests/kvm-extd: $(KX_DAEMON_SRCS) $(BUILD)/san/libkvmext.a $(KX_GEN)
	@mkdir -p $(@D)
	$(CC) $(KX_WARN) $(KX_SANFLAGS) $(KX_CPPFLAGS) -o $@ $(KX_DAEMON_SRCS) $(BUILD)/hostd/gen/kvmext1-dbus.c \
		$(BUILD)/san/libkvmext.a $(KX_PKGLIBS) -lm
