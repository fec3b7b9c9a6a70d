# SPDX-License-Identifier: GPL-2.0-or-later
# The CLI kvm-ext and the library parts that it shares with the daemon.

KX_LIB_SRCS += \
	hostd/tracker/blind.c \
	hostd/doctor/doctor.c \
	hostd/doctor/doctor-around.c \
	hostd/doctor/doctor-check.c \
	hostd/doctor/doctor-host.c \
	hostd/doctor/doctor-load.c \
	hostd/doctor/doctor-module.c \
	hostd/doctor/module-file.c \
	hostd/doctor/doctor-pebs.c \
	hostd/doctor/doctor-probe.c \
	hostd/report/figure.c \
	hostd/report/figures.c \
	hostd/report/figures-compare.c \
	hostd/report/figures-notes.c \
	hostd/report/figures-parts.c \
	hostd/report/figures-truth.c \
	hostd/report/accessmap-text.c \
	hostd/report/csv.c \
	hostd/report/csv-figures.c \
	hostd/report/damo.c \
	hostd/report/heatgrid.c \
	hostd/report/working-set.c \
	hostd/report/working-set-text.c \
	hostd/report/heat-text.c \
	hostd/report/json.c \
	hostd/report/placed.c \
	hostd/report/placement-text.c \
	hostd/report/metrics-text.c \
	hostd/report/pool.c \
	hostd/report/row.c \
	hostd/report/turns.c \
	hostd/report/vm-rows.c \
	hostd/report/text-cells.c \
	hostd/report/text-tables.c \
	hostd/model/accessmap.c \
	hostd/model/accessmap-json.c \
	hostd/model/fields.c \
	hostd/model/hardware.c \
	hostd/model/heatmap.c \
	hostd/model/json-fields.c \
	hostd/model/json-read.c \
	hostd/model/json-write.c \
	hostd/model/placement.c \
	hostd/model/report.c \
	hostd/model/window.c \
	hostd/vm/hostinfo.c \
	hostd/tracker/logmech.c \
	hostd/tracker/option.c \
	hostd/tracker/option-guest.c \
	hostd/tracker/option-heat.c \
	hostd/tracker/option-keys.c \
	hostd/tracker/option-pass.c \
	hostd/tracker/option-rate.c \
	hostd/tracker/option-ring.c \
	hostd/tracker/option-trap.c \
	hostd/tracker/options.c \
	hostd/tracker/options-check.c \
	hostd/tracker/options-uapi.c \
	hostd/tracker/rows.c \
	hostd/tracker/units.c \
	hostd/report/report-compare.c \
	hostd/report/report-notes.c \
	hostd/report/report-text.c \
	hostd/model/report-variant.c \
	hostd/model/series.c \
	hostd/model/totals.c \
	hostd/doctor/selftest-log.c \
	hostd/base/target.c \
	hostd/base/textfmt.c \
	hostd/report/worklog.c \
	hostd/report/worklog-file.c \
	hostd/report/worklog-join.c

# The test VM is a program of its own, which daemon and CLI find beside themselves or in libexec.
KX_TESTVM := $(BUILD)/hostd/kvm-ext-testvm
$(BUILD)/obj/hostd/doctor/selftest-log.o $(BUILD)/san/hostd/doctor/selftest-log.o: KX_CPPFLAGS += -DKX_LIBEXECDIR='"$(PREFIX)/libexec/kvm-ext"'

$(KX_TESTVM): $(BUILD)/obj/hostd/testvm/testvm.o
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -pie -Wl,-z,relro,-z,now -o $@ $^ $(LDFLAGS) $(shell pkg-config --libs glib-2.0)

-include $(BUILD)/obj/hostd/testvm/testvm.d

$(BUILD)/tests/kvm-ext-testvm: hostd/testvm/testvm.c
	@mkdir -p $(@D)
	$(CC) $(KX_WARN) $(KX_SANFLAGS) $(KX_CPPFLAGS) -o $@ $< $(shell pkg-config --libs glib-2.0)
unit-build: $(BUILD)/tests/kvm-ext-testvm

# The command alone draws pictures, and has a screen.
KX_CLI_LIBS = $(shell pkg-config --libs cairo ncursesw)

KX_CLI_SRCS := $(wildcard hostd/cli/*.c)
KX_CLI_OBJS := $(KX_CLI_SRCS:%.c=$(BUILD)/obj/%.o) $(BUILD)/obj/gen/kvmext1-dbus.o

$(BUILD)/hostd/kvm-ext: $(KX_CLI_OBJS) $(BUILD)/hostd/libkvmext.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -pie -Wl,-z,relro,-z,now -o $@ $^ $(LDFLAGS) $(KX_PKGLIBS) $(KX_CLI_LIBS) -lm

-include $(KX_CLI_OBJS:.o=.d)

KX_UNIT_TESTS += test-overtime-text test-damo test-metrics-text test-intervals test-golden test-manual test-series test-options test-figures test-worklog test-report-json test-report-heat \
	test-doctor test-exitcode test-selftest test-top-model
KX_UNIT_EXTRA_test-exitcode := $(BUILD)/san/hostd/cli/exitcode.o
KX_UNIT_EXTRA_test-top-model := $(patsubst %,$(BUILD)/san/hostd/cli/%.o,top-model rates exitcode)

# The CLI against a daemon that answers from canned data.
KX_UNIT_EXTRA_BINS += tests/unit/cli/test-cli
# What can go wrong while it measures.
KX_UNIT_EXTRA_BINS += tests/unit/cli/test-measure
# Its full screen, on a terminal of tmux.
KX_UNIT_EXTRA_BINS += tests/unit/cli/test-top
# Man pages, examples and packaging against the programs.
KX_UNIT_EXTRA_BINS += tests/unit/cli/test-docs
unit-build: $(BUILD)/tests/fake-daemon
