/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's idle page tracking (Documentation/admin-guide/mm/idle_page_tracking.rst), which tracker idle-page uses. */
#ifndef KX_IDLE_PAGE_H
#define KX_IDLE_PAGE_H

#include <glib.h>

#define KX_IDLE_BITMAP "sys/kernel/mm/page_idle/bitmap" /* below the root */

/* Whether the running kernel has it. FALSE: @error says what is missing (KX_ERROR_NOT_SUPPORTED). */
gboolean kx_idle_page_check(const char *root, GError **error);

#endif /* KX_IDLE_PAGE_H */
