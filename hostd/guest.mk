# SPDX-License-Identifier: GPL-2.0-or-later
# The guest's side of the daemon: the channel, its device, the trackers behind it.

KX_LIB_SRCS += \
	hostd/vm/apparmor.c \
	hostd/guest/channel.c \
	hostd/tracker/declared.c \
	hostd/base/filewatch.c \
	hostd/guest/hotplug.c \
	hostd/vm/patience.c \
	hostd/guest/plug-file.c \
	hostd/guest/plug-xml.c \
	hostd/base/sigbus.c \
	hostd/tracker/tracker-guest.c \
	hostd/tracker/tracker-guest-command.c

KX_UNIT_TESTS += test-channel test-hotplug test-guest test-patience test-hostile
KX_UNIT_TESTS += test-apparmor test-sigbus

# The fuzzer needs clang; what it found worth keeping is replayed by every `make unit`, with any compiler.
KX_UNIT_EXTRA_BINS += $(BUILD)/tests/fuzz-channel-replay
FUZZ_CHANNEL_DEPS := tests/fuzz/channel.c hostd/guest/channel.c hostd/guest/channel.h include/kvm-ext/channel.h

$(BUILD)/tests/fuzz-channel-replay: $(FUZZ_CHANNEL_DEPS) $(BUILD)/san/libkvmext.a
	@mkdir -p $(@D)
	$(CC) $(KX_WARN) $(KX_SANFLAGS) $(KX_CPPFLAGS) -DREPLAY='"tests/fuzz/corpus/channel"' -o $@ $< \
		$(BUILD)/san/libkvmext.a $(KX_PKGLIBS) -lm

$(BUILD)/fuzz/channel: $(FUZZ_CHANNEL_DEPS) $(KX_GEN)
	@mkdir -p $(@D)
	@mk/deps tests/fuzz/packages.txt
	clang $(KX_WARN) -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
		$(KX_CPPFLAGS) -o $@ tests/fuzz/channel.c hostd/guest/channel.c hostd/base/sigbus.c hostd/base/error.c $(KX_PKGLIBS)

## fuzz-channel: fuzz the parser of the guest channel (FUZZ_SECONDS=600); what fails is kept in out/fuzz
.PHONY: fuzz-channel
fuzz-channel: $(BUILD)/fuzz/channel
	@mkdir -p out/fuzz $(BUILD)/fuzz/corpus/channel
	$(BUILD)/fuzz/channel -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=1024 -max_len=16384 \
		-artifact_prefix=out/fuzz/channel- $(BUILD)/fuzz/corpus/channel tests/fuzz/corpus/channel
