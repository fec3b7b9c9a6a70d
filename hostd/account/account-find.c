// SPDX-License-Identifier: GPL-2.0-or-later
/* Finds windows, for all files of the account. */
#include "account-internal.h"

KxAccountWindow *kx_account_last_window(const KxAccount *a)
{
	return a->windows->len ? a->windows->pdata[a->windows->len - 1] : NULL;
}

KxAccountWindow *kx_account_by_id(const KxAccount *a, guint64 id)
{
	KxAccountWindow *first;

	if (!a->windows->len)
		return NULL;
	first = a->windows->pdata[0];
	if (id < first->w->id || id - first->w->id >= a->windows->len)
		return NULL;
	return a->windows->pdata[id - first->w->id];
}

KxAccountWindow *kx_account_by_epoch(const KxAccount *a, guint64 epoch)
{
	for (guint i = a->windows->len; i-- > 0;) {
		KxAccountWindow *win = a->windows->pdata[i];

		if (win->epoch == epoch)
			return win;
	}
	return NULL;
}
