# SPDX-License-Identifier: GPL-2.0-or-later
# The daemon, the library modules it is made of, their unit tests.

KX_LIB_SRCS += \
	hostd/account/account.c \
	hostd/account/ages.c \
	hostd/account/account-find.c \
	hostd/account/account-passes.c \
	hostd/account/account-pauses.c \
	hostd/account/account-records.c \
	hostd/account/account-stats.c \
	hostd/account/placement.c \
	hostd/control/config.c \
	hostd/vm/domain-words.c \
	hostd/vm/domains.c \
	hostd/vm/environment.c \
	hostd/vm/layout.c \
	hostd/vm/dirtyrate.c \
	hostd/vm/libvirt.c \
	hostd/vm/log-users.c \
	hostd/vm/nodes.c \
	hostd/vm/pagenodes.c \
	hostd/vm/vcpuevents.c \
	hostd/base/error.c \
	hostd/base/gfnset.c \
	hostd/account/heat.c \
	hostd/account/heat-pick.c \
	hostd/base/jsontext.c \
	hostd/vm/kvmstat.c \
	hostd/base/lane.c \
	hostd/control/holds.c \
	hostd/control/letalone.c \
	hostd/base/log.c \
	hostd/base/refusal.c \
	hostd/control/manager.c \
	hostd/control/manager-attach.c \
	hostd/control/manager-call.c \
	hostd/control/manager-channel.c \
	hostd/control/manager-ended.c \
	hostd/control/manager-environment.c \
	hostd/control/manager-list.c \
	hostd/control/manager-metrics.c \
	hostd/control/manager-names.c \
	hostd/control/manager-overtime.c \
	hostd/control/manager-pauses.c \
	hostd/control/manager-placement.c \
	hostd/control/manager-record.c \
	hostd/control/manager-report.c \
	hostd/control/manager-rules.c \
	hostd/control/manager-selftest.c \
	hostd/control/manager-set.c \
	hostd/control/manager-state.c \
	hostd/control/manager-stop.c \
	hostd/control/manager-turn.c \
	hostd/control/manager-wait.c \
	hostd/control/manager-yield.c \
	hostd/tracker/damon-events.c \
	hostd/tracker/damon-kernel.c \
	hostd/tracker/damon-setup.c \
	hostd/tracker/epoch.c \
	hostd/tracker/module.c \
	hostd/base/onlinecpus.c \
	hostd/vm/procstat.c \
	hostd/base/progress.c \
	hostd/account/rangemap.c \
	hostd/account/timemap.c \
	hostd/account/timemap-report.c \
	hostd/record/format.c \
	hostd/record/reader.c \
	hostd/record/recorder.c \
	hostd/record/replay.c \
	hostd/control/session.c \
	hostd/control/session-loop.c \
	hostd/control/session-record.c \
	hostd/control/session-recording.c \
	hostd/control/session-records.c \
	hostd/control/session-report.c \
	hostd/control/session-vm.c \
	hostd/control/session-yield.c \
	hostd/base/stepmap.c \
	hostd/tracker/release.c \
	hostd/tracker/stream.c \
	hostd/base/stretches.c \
	hostd/tracker/framemap.c \
	hostd/tracker/pagemap.c \
	hostd/tracker/passfound.c \
	hostd/tracker/passthread.c \
	hostd/tracker/ring.c \
	hostd/tracker/tracker.c \
	hostd/tracker/tracker-module.c \
	hostd/tracker/tracker-off.c \
	hostd/tracker/tracker-damon.c \
	hostd/tracker/firststep.c \
	hostd/tracker/option-log.c \
	hostd/tracker/tapoffer.c \
	hostd/tracker/tapring.c \
	hostd/tracker/tracker-dirty-tap.c \
	hostd/vm/dirtytap.c \
	hostd/vm/dommonitor.c \
	hostd/tracker/lrugen.c \
	hostd/tracker/tracker-idle-page.c \
	hostd/tracker/tracker-mglru.c \
	hostd/tracker/tracker-qemu-dirty-rate.c \
	hostd/tracker/tracker-soft-dirty.c \
	hostd/vm/vmfd.c

# Skeleton and proxy of the D-Bus interface, for the daemon and for whoever talks to it.
KX_GEN := $(BUILD)/hostd/gen/kvmext1-dbus.h $(BUILD)/hostd/gen/kvmext1-dbus.c

$(KX_GEN) &: hostd/dbus/org.kvmext1.xml
	@mkdir -p $(BUILD)/hostd/gen
	gdbus-codegen --interface-prefix org.kvmext1. --c-namespace KxDbus \
		--generate-c-code kvmext1-dbus --output-directory $(BUILD)/hostd/gen $<

# systemd is told of start, reload and end.
# libsoup serves the metrics.
KX_DAEMON_LIBS = $(shell pkg-config --libs libsystemd libsoup-3.0)
KX_DAEMON_FLAGS = $(shell pkg-config --cflags libsoup-3.0)

KX_DAEMON_SRCS := hostd/daemon/main.c hostd/daemon/service.c hostd/daemon/listen.c hostd/daemon/metrics.c \
	hostd/daemon/socketfile.c hostd/daemon/writer.c
KX_DAEMON_OBJS := $(KX_DAEMON_SRCS:%.c=$(BUILD)/obj/%.o) $(BUILD)/obj/gen/kvmext1-dbus.o

$(BUILD)/obj/hostd/daemon/metrics.o $(BUILD)/san/hostd/daemon/metrics.o: KX_CPPFLAGS += $(KX_DAEMON_FLAGS)

# Generated code is not held to our warnings.
$(BUILD)/obj/gen/%.o: $(BUILD)/hostd/gen/%.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -w $(CFLAGS) $(KX_HARDEN) $(KX_CPPFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/san/gen/%.o: $(BUILD)/hostd/gen/%.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -w $(KX_SANFLAGS) $(KX_CPPFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/hostd/kvm-extd: $(KX_DAEMON_OBJS) $(BUILD)/hostd/libkvmext.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -pie -Wl,-z,relro,-z,now -o $@ $^ $(LDFLAGS) $(KX_PKGLIBS) $(KX_DAEMON_LIBS) -lm

-include $(KX_DAEMON_OBJS:.o=.d)

KX_UNIT_TESTS += test-environment test-stream test-ring test-passthread test-soft-dirty test-idle-page test-damon test-dirty-rate test-dirty-tap test-mglru test-gfnset test-stepmap test-heat test-timemap test-record test-rangemap test-account test-vmfd test-kvmstat test-layout test-config test-domains \
	test-service test-scale test-metrics test-daemon test-holds test-letalone test-bus test-names test-pagenodes test-placement

# The service is tested where it is; the library does not know D-Bus.
KX_SERVICE_OBJS := hostd/daemon/service.o hostd/daemon/listen.o hostd/daemon/socketfile.o gen/kvmext1-dbus.o
KX_METRICS_OBJS := $(KX_SERVICE_OBJS) hostd/daemon/metrics.o
KX_UNIT_EXTRA_test-service := $(KX_SERVICE_OBJS:%=$(BUILD)/san/%)
KX_UNIT_EXTRA_test-scale := $(KX_UNIT_EXTRA_test-service)
KX_UNIT_EXTRA_test-metrics := $(KX_METRICS_OBJS:%=$(BUILD)/san/%) $(shell pkg-config --cflags --libs libsoup-3.0)
$(BUILD)/tests/test-daemon: $(BUILD)/tests/kvm-extd

# The daemon with the sanitizers on: what it leaves behind at its end fails the test.
KX_DAEMON_SAN := $(KX_DAEMON_SRCS:%.c=$(BUILD)/san/%.o) $(BUILD)/san/gen/kvmext1-dbus.o
$(BUILD)/tests/kvm-extd: $(KX_DAEMON_SAN) $(BUILD)/san/libkvmext.a
	@mkdir -p $(@D)
	$(CC) $(KX_SANFLAGS) -o $@ $^ $(KX_PKGLIBS) $(KX_DAEMON_LIBS) -lm

-include $(KX_DAEMON_SAN:.o=.d)
