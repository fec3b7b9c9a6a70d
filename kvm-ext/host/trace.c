// SPDX-License-Identifier: GPL-2.0-only
/* The module's trace events, generated from trace.h. */
#define CREATE_TRACE_POINTS
#include "trace.h"
