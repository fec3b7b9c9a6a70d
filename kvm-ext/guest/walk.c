// SPDX-License-Identifier: GPL-2.0-only
/* Common code; compiled here once more, for an object belongs to one module. */
#include "../common/walk.c"
