/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keeps the memory of guests' channels whole. QEMU's user may write to such a file, hence also cut it short; then a guest
 * that touches what is missing is stopped by QEMU for good, and the daemon reads zeros. A thread hears of it by inotify
 * and makes the file as long as it was at once, in most cases before the guest looks again (it does so every 100 ms).
 * What was in it is lost all the same, and the owner is told.
 */
#ifndef KX_FILEWATCH_H
#define KX_FILEWATCH_H

#include <glib.h>

typedef struct _KxFileWatch KxFileWatch;

/**
 * kx_filewatch_new - watch a file's length
 * @fd: of the file; a copy of it is made
 * @len: that the file has, and is to keep
 * @cut: called with @data on the watching thread after the file was made whole again; takes no lock that is held around
 *	 kx_filewatch_free()
 *
 * Returns NULL, with errno set, if it cannot be watched.
 */
KxFileWatch *kx_filewatch_new(int fd, gsize len, void (*cut)(gpointer data), gpointer data);
/* No call is under way behind it. */
void kx_filewatch_free(KxFileWatch *w);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxFileWatch, kx_filewatch_free)

#endif /* KX_FILEWATCH_H */
