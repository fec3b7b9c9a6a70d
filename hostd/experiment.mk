# SPDX-License-Identifier: GPL-2.0-or-later
# Experiments: their file, their VMs' XML, what is concluded from their runs.

KX_LIB_SRCS += \
	hostd/experiment/agent.c \
	hostd/experiment/clone.c \
	hostd/experiment/experiment.c \
	hostd/experiment/experiment-json.c \
	hostd/experiment/experiment-notes.c \
	hostd/experiment/experiment-rows.c \
	hostd/experiment/experiment-text.c \
	hostd/experiment/placing.c \
	hostd/experiment/plan.c \
	hostd/experiment/plan-error.c \
	hostd/experiment/plan-once.c \
	hostd/experiment/point.c \
	hostd/experiment/sharing.c \
	hostd/experiment/sharing-arguments.c \
	hostd/experiment/plan-sweep.c \
	hostd/experiment/xml.c

KX_UNIT_TESTS += test-agent test-agent-work test-clone test-experiment test-plan
KX_UNIT_EXTRA_test-agent-work := $(patsubst %,$(BUILD)/san/hostd/cli/%.o,experiment-work question job exitcode) -Ihostd/cli
