# SPDX-License-Identifier: GPL-2.0-or-later
# The code that the module shares with user space, built with the sanitizers for the unit tests.

KX_COMMON_SAN := $(BUILD)/san/kvm-ext/common
-include $(wildcard $(KX_COMMON_SAN)/*.d)

# Tables to walk, for whoever tests or measures the walk.
KX_TABLES_SAN := $(BUILD)/san/tests/unit/tables.o
$(KX_TABLES_SAN): KX_CPPFLAGS += -Ikvm-ext/common
-include $(KX_TABLES_SAN:.o=.d)

KX_UNIT_TESTS += test-ranges test-regions test-walk
KX_UNIT_EXTRA_test-ranges := -Ikvm-ext/common $(KX_COMMON_SAN)/ranges.o
KX_UNIT_EXTRA_test-regions := -Ikvm-ext/common $(KX_COMMON_SAN)/regions.o
KX_UNIT_EXTRA_test-walk := -Ikvm-ext/common $(KX_COMMON_SAN)/walk.o $(KX_TABLES_SAN)
$(BUILD)/tests/test-ranges: $(KX_COMMON_SAN)/ranges.o
$(BUILD)/tests/test-regions: $(KX_COMMON_SAN)/regions.o
$(BUILD)/tests/test-walk: $(KX_COMMON_SAN)/walk.o $(KX_TABLES_SAN)
