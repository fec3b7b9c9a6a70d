// SPDX-License-Identifier: GPL-2.0-or-later
#include "filewatch.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

struct _KxFileWatch {
	int fd, wd;
	gsize len;
	void (*cut)(gpointer data);
	gpointer data;
};

static GMutex lock;	    /* protects the variables below; held during calls of @cut */
static int inotify = -1;    /* -1: not made yet */
static GHashTable *watches; /* wd: KxFileWatch, no-ref */

static void look(KxFileWatch *w)
{
	struct stat st;

	if (fstat(w->fd, &st) || (gsize)st.st_size >= w->len)
		return;
	/* If no memory is left for the file, the guard against SIGBUS still works. */
	if (ftruncate(w->fd, (off_t)w->len))
		g_warning("a channel's memory that was cut short cannot be made whole: %s",
			  g_strerror(errno));
	w->cut(w->data);
}

static void look_at_all(const char *from, gsize n)
{
	g_autoptr(GMutexLocker) locked G_GNUC_UNUSED = g_mutex_locker_new(&lock);

	for (gsize at = 0; at + sizeof(struct inotify_event) <= n;) {
		const struct inotify_event *e = (const void *)(from + at);
		KxFileWatch *w = g_hash_table_lookup(watches, GINT_TO_POINTER(e->wd));

		if (w)
			look(w);
		at += sizeof(*e) + e->len;
	}
}

static gpointer watch_thread(gpointer data)
{
	char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));

	for (;;) {
		ssize_t n = read(inotify, events, sizeof(events));

		if (n > 0)
			look_at_all(events, (gsize)n);
		else if (n < 0 && errno != EINTR)
			return NULL;
	}
}

static gboolean start(void)
{
	if (inotify >= 0)
		return TRUE;
	inotify = inotify_init1(IN_CLOEXEC);
	if (inotify < 0)
		return FALSE;
	watches = g_hash_table_new(NULL, NULL);
	g_thread_unref(g_thread_new("kx-filewatch", watch_thread, NULL));
	return TRUE;
}

static gboolean add(KxFileWatch *w)
{
	g_autoptr(GMutexLocker) locked G_GNUC_UNUSED = g_mutex_locker_new(&lock);
	/* By the descriptor: by now the path may name another file. */
	g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", w->fd);

	if (!start())
		return FALSE;
	w->wd = inotify_add_watch(inotify, path, IN_MODIFY);
	if (w->wd < 0)
		return FALSE;
	g_hash_table_insert(watches, GINT_TO_POINTER(w->wd), w);
	look(w);
	return TRUE;
}

KxFileWatch *kx_filewatch_new(int fd, gsize len, void (*cut)(gpointer data), gpointer data)
{
	KxFileWatch *w = g_new0(KxFileWatch, 1);

	*w = (KxFileWatch){ fcntl(fd, F_DUPFD_CLOEXEC, 0), -1, len, cut, data };
	if (w->fd >= 0 && add(w))
		return w;
	if (w->fd >= 0)
		close(w->fd);
	g_free(w);
	return NULL;
}

void kx_filewatch_free(KxFileWatch *w)
{
	if (!w)
		return;
	g_mutex_lock(&lock);
	/* Two watches of one file share the number: it belongs to the later watch. */
	if (g_hash_table_lookup(watches, GINT_TO_POINTER(w->wd)) == w) {
		g_hash_table_remove(watches, GINT_TO_POINTER(w->wd));
		inotify_rm_watch(inotify, w->wd);
	}
	g_mutex_unlock(&lock);
	close(w->fd);
	g_free(w);
}
