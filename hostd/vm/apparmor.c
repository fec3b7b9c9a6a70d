// SPDX-License-Identifier: GPL-2.0-or-later
#include "apparmor.h"

#include <gio/gio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"

#define PROFILES "/etc/apparmor.d/libvirt"
#define TRIES	 3u

char *kx_apparmor_with_rule(const char *text, const char *path)
{
	const char *end = strrchr(text, '}');

	/* The names that kvm-ext gives need no quoting; other names must not get into a profile. */
	if (!end || strpbrk(path, "\"\\\n*?[]{}^@ "))
		return NULL;
	return g_strdup_printf("%.*s  owner %s rw,\n%s", (int)(end - text), text, path, end);
}

char *kx_apparmor_parser(const char *root)
{
	static const char *const places[] = { "/usr/sbin/apparmor_parser",
					      "/sbin/apparmor_parser" };

	for (guint i = 0; i < G_N_ELEMENTS(places); i++) {
		g_autofree char *path = g_strconcat(root, places[i], NULL);

		if (g_file_test(path, G_FILE_TEST_IS_EXECUTABLE))
			return g_steal_pointer(&path);
	}
	return NULL;
}

/* Replaces the loaded profile of that name by @text, or by the file if @text is NULL. */
static gboolean load(const char *file, const char *text, GError **error)
{
	g_autofree char *parser = kx_apparmor_parser(""), *said = NULL;
	g_autoptr(GSubprocess) child = NULL;
	const char *args[] = { parser, "-r", text ? NULL : file, NULL };

	if (!parser) {
		g_set_error_literal(error, KX_ERROR, KX_ERROR_NOT_SUPPORTED,
				    "apparmor_parser is not installed (package apparmor)");
		return FALSE;
	}
	child = g_subprocess_newv(args,
				  (text ? G_SUBPROCESS_FLAGS_STDIN_PIPE : G_SUBPROCESS_FLAGS_NONE) |
					  G_SUBPROCESS_FLAGS_STDOUT_PIPE |
					  G_SUBPROCESS_FLAGS_STDERR_MERGE,
				  error);
	if (!child || !g_subprocess_communicate_utf8(child, text, NULL, &said, NULL, error))
		return FALSE;
	if (g_subprocess_get_successful(child))
		return TRUE;
	g_set_error(error, KX_ERROR, KX_ERROR_ACCESS_DENIED, "apparmor_parser: %s",
		    said && *said ? g_strstrip(said) : "failed without a word");
	return FALSE;
}

static char *file_of(const char *profile)
{
	/* The name comes from libvirt's description of the domain, which a user may have edited. */
	return g_str_has_prefix(profile, "libvirt-") && !strchr(profile, '/')
		       ? g_build_filename(PROFILES, profile, NULL)
		       : NULL;
}

/* When libvirt last wrote the file that the profile includes, with the files of the domain. */
static struct timespec written(const char *file)
{
	g_autofree char *files = g_strconcat(file, ".files", NULL);
	struct stat st = { 0 };

	stat(files, &st);
	return st.st_mtim;
}

/* libvirt may load the profile at the same time, with a new file in it. The text here is then outdated, and is made again. */
static gboolean load_current(const char *file, const char *text, GError **error)
{
	for (guint i = 0; i < TRIES; i++) {
		struct timespec before = written(file), after;

		if (!load(file, text, error))
			return FALSE;
		after = written(file);
		if (before.tv_sec == after.tv_sec && before.tv_nsec == after.tv_nsec)
			break;
	}
	return TRUE;
}

static gboolean allow(const char *profile, const char *path, GError **error)
{
	g_autofree char *file = file_of(profile), *text = NULL, *with = NULL;

	if (!file) {
		g_set_error(error, KX_ERROR, KX_ERROR_NOT_SUPPORTED,
			    "its profile \"%s\" is none of libvirt's making", profile);
		return FALSE;
	}
	if (!g_file_get_contents(file, &text, NULL, error))
		return FALSE;
	with = kx_apparmor_with_rule(text, path);
	if (!with) {
		g_set_error(error, KX_ERROR, KX_ERROR_FAILED, "%s is no profile", file);
		return FALSE;
	}
	return load_current(file, with, error);
}

gboolean kx_apparmor_allow(const char *profile, const char *path, GError **error)
{
	if (allow(profile, path, error))
		return TRUE;
	g_prefix_error(error,
		       "AppArmor confines QEMU by the profile %s, which lacks the rule \"owner %s "
		       "rw,\", and it could not be added: ",
		       profile, path);
	return FALSE;
}

void kx_apparmor_restore(const char *profile)
{
	g_autofree char *file = file_of(profile);

	if (file)
		load_current(file, NULL, NULL);
}
