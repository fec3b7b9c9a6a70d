/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A directory in place of /proc or debugfs. */
#ifndef FAKE_ROOT_H
#define FAKE_ROOT_H

#include <gio/gio.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

static inline char *fake_root_new(void)
{
	return g_dir_make_tmp("kvm-ext-XXXXXX", NULL);
}

static inline void fake_write_len(const char *root, const char *path, const char *text, gssize len)
{
	g_autofree char *full = g_build_filename(root, path, NULL);
	g_autofree char *dir = g_path_get_dirname(full);

	g_mkdir_with_parents(dir, 0755);
	g_assert_true(g_file_set_contents(full, text, len, NULL));
}

static inline void fake_write(const char *root, const char *path, const char *text)
{
	fake_write_len(root, path, text, -1);
}

/* /proc/PID/stat of a process that started at this tick. */
static inline void fake_process(const char *proc, const char *pid, const char *started)
{
	g_autofree char *path = g_build_filename(pid, "stat", NULL);
	g_autofree char *text = g_strdup_printf(
		"%s (qemu) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 %s 20\n", pid, started);

	fake_write(proc, path, text);
}

/* The beginning of /proc/PID/stat of a process in this state. */
static inline void fake_process_state(const char *proc, const char *pid, char state)
{
	g_autofree char *path = g_build_filename(pid, "stat", NULL);
	g_autofree char *text = g_strdup_printf("%s (qemu) %c 1 2 3 4 5 4194560 0", pid, state);

	fake_write(proc, path, text);
}

static inline void fake_link(const char *root, const char *path, const char *target)
{
	g_autofree char *full = g_build_filename(root, path, NULL);
	g_autofree char *dir = g_path_get_dirname(full);

	g_mkdir_with_parents(dir, 0755);
	g_assert_cmpint(symlink(target, full), ==, 0);
}

static inline void fake_remove(const char *path)
{
	GDir *dir = g_file_test(path, G_FILE_TEST_IS_SYMLINK) ? NULL : g_dir_open(path, 0, NULL);
	const char *name;

	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *child = g_build_filename(path, name, NULL);

		fake_remove(child);
	}
	if (dir)
		g_dir_close(dir);
	g_remove(path);
}

#endif /* FAKE_ROOT_H */
