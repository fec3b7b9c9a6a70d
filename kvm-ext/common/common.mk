# SPDX-License-Identifier: GPL-2.0-or-later
# The code that the module shares with user space, built with the sanitizers for the unit tests.

KX_COMMON_SAN = $(BUILD)/san/kvm-ext/common/$(1).o
-include $(BUILD)/san/kvm-ext/common/*.d

KX_UNIT_TESTS += test-regions
KX_UNIT_EXTRA_test-regions := -Ikvm-ext/common $(call KX_COMMON_SAN,regions)
$(BUILD)/tests/test-regions: $(call KX_COMMON_SAN,regions)
