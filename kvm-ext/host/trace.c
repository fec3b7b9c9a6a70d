// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module's events, made of trace.h.
 */
#define CREATE_TRACE_POINTS
#include "trace.h"
