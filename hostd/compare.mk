# SPDX-License-Identifier: GPL-2.0-or-later
# Comparisons: the order of settings, measured stretches, what is concluded from them.

KX_LIB_SRCS += \
	hostd/compare/doubts.c \
	hostd/compare/setting.c \
	hostd/compare/stretch.c

KX_UNIT_TESTS += test-setting test-stretch
