// SPDX-License-Identifier: GPL-2.0-only
/* Common code, compiled a second time because an object file belongs to one module. */
#include "../common/mpsc.c"
