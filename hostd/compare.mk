# SPDX-License-Identifier: GPL-2.0-or-later
# Comparisons: the order of settings, measured stretches, what is concluded from them.

KX_LIB_SRCS += \
	hostd/compare/comparison.c \
	hostd/compare/comparison-ground.c \
	hostd/compare/comparison-json.c \
	hostd/compare/comparison-misses.c \
	hostd/compare/comparison-notes.c \
	hostd/compare/comparison-parts.c \
	hostd/compare/comparison-rows.c \
	hostd/compare/comparison-text.c \
	hostd/compare/design.c \
	hostd/compare/difference.c \
	hostd/compare/difference-json.c \
	hostd/compare/difference-text.c \
	hostd/compare/doubts.c \
	hostd/compare/effect.c \
	hostd/compare/effect-tests.c \
	hostd/compare/effect-trend.c \
	hostd/compare/estimate.c \
	hostd/compare/fit.c \
	hostd/compare/reasons.c \
	hostd/compare/sameness.c \
	hostd/compare/setting.c \
	hostd/compare/stretch.c \
	hostd/compare/trial.c

# Where comparisons are kept.
KX_LIB_SRCS += \
	hostd/store/read.c \
	hostd/store/save.c \
	hostd/store/schema.c \
	hostd/store/sql.c \
	hostd/store/store.c \
	hostd/store/writer.c

KX_UNIT_TESTS += test-store test-store-crash test-store-file test-difference
KX_UNIT_TESTS += test-comparison test-coverage test-design test-effect test-estimate test-setting test-stretch
KX_UNIT_TESTS += test-vcpuevents
KX_UNIT_TESTS += test-textfmt test-jsontext
