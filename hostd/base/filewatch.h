/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keeps the files of guests' channels at their full length. QEMU's user may write to such a file, hence also truncate it.
 * If a guest then touches missing memory, QEMU stops the guest permanently; the daemon reads zeros. A thread is notified by
 * inotify and restores the length of the file at once, in most cases before the guest reads the memory again (every 100 ms).
 * The content is lost nevertheless, and the owner is told.
 */
#ifndef KX_FILEWATCH_H
#define KX_FILEWATCH_H

#include <glib.h>

typedef struct _KxFileWatch KxFileWatch;

/**
 * kx_filewatch_new - watch a file's length
 * @fd: of the file; the function makes a copy of this descriptor
 * @len: the length of the file, which the file shall keep
 * @cut: called with @data on the watching thread after the length of the file was restored; takes no lock that is held
 *	 around kx_filewatch_free()
 *
 * Returns NULL, with errno set, if the file cannot be watched.
 */
KxFileWatch *kx_filewatch_new(int fd, gsize len, void (*cut)(gpointer data), gpointer data);
/* When this function returns, no call of @cut is in progress. */
void kx_filewatch_free(KxFileWatch *w);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxFileWatch, kx_filewatch_free)

#endif /* KX_FILEWATCH_H */
