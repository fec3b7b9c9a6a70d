# SPDX-License-Identifier: GPL-2.0-or-later
# The CLI kvm-ext and the library parts that it shares with the daemon.

KX_LIB_SRCS += \
	hostd/lib/blind.c \
	hostd/lib/doctor.c \
	hostd/lib/doctor-pebs.c \
	hostd/lib/figures.c \
	hostd/lib/figures-compare.c \
	hostd/lib/figures-notes.c \
	hostd/lib/figures-parts.c \
	hostd/lib/figures-truth.c \
	hostd/lib/hardware.c \
	hostd/lib/hostinfo.c \
	hostd/lib/logmech.c \
	hostd/lib/options.c \
	hostd/lib/report-compare.c \
	hostd/lib/report-heat.c \
	hostd/lib/report-json.c \
	hostd/lib/report-model.c \
	hostd/lib/report-notes.c \
	hostd/lib/report-text.c \
	hostd/lib/report-variant.c \
	hostd/lib/selftest-log.c \
	hostd/lib/textfmt.c \
	hostd/lib/worklog.c \
	hostd/lib/worklog-join.c

# The test VM is a program of its own, which daemon and CLI find beside themselves or in libexec.
KX_TESTVM := $(BUILD)/hostd/kvm-ext-testvm
$(BUILD)/obj/hostd/lib/selftest-log.o $(BUILD)/san/hostd/lib/selftest-log.o: KX_CPPFLAGS += -DKX_LIBEXECDIR='"$(PREFIX)/libexec/kvm-ext"'

$(KX_TESTVM): $(BUILD)/obj/hostd/testvm/testvm.o
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -pie -Wl,-z,relro,-z,now -o $@ $^ $(LDFLAGS) $(shell pkg-config --libs glib-2.0)

-include $(BUILD)/obj/hostd/testvm/testvm.d

$(BUILD)/tests/kvm-ext-testvm: hostd/testvm/testvm.c
	@mkdir -p $(@D)
	$(CC) $(KX_WARN) $(KX_SANFLAGS) $(KX_CPPFLAGS) -o $@ $< $(shell pkg-config --libs glib-2.0)
unit-build: $(BUILD)/tests/kvm-ext-testvm

KX_CLI_SRCS := $(wildcard hostd/cli/*.c)
KX_CLI_OBJS := $(KX_CLI_SRCS:%.c=$(BUILD)/obj/%.o)

$(BUILD)/hostd/kvm-ext: $(KX_CLI_OBJS) $(BUILD)/hostd/libkvmext.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -pie -Wl,-z,relro,-z,now -o $@ $^ $(LDFLAGS) $(KX_PKGLIBS) -lm

-include $(KX_CLI_OBJS:.o=.d)

KX_UNIT_TESTS += test-golden test-options test-figures test-worklog test-report-json test-report-heat \
	test-doctor test-exitcode test-selftest
KX_UNIT_EXTRA_test-exitcode := hostd/cli/exitcode.c

# The CLI against a daemon that answers from canned data.
KX_UNIT_EXTRA_BINS += tests/unit/test-cli
# Man pages, examples and packaging against the programs.
KX_UNIT_EXTRA_BINS += tests/unit/test-docs
unit-build: $(BUILD)/tests/fake-daemon
