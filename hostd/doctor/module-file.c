// SPDX-License-Identifier: GPL-2.0-or-later
#include "module-file.h"

#include <libkmod.h>
#include <string.h>

#define MODULES "lib/modules"

typedef struct kmod_ctx KmodContext;
typedef struct kmod_module KmodModule;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KmodContext, kmod_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KmodModule, kmod_module_unref)

static char *below(const char *root, const char *path)
{
	return g_build_filename(root ? root : "/", path, NULL);
}

/* In the order in which depmod prefers the folders; "extra" is where make modules_install puts modules from outside. */
static char *find_file(const char *root, const char *release)
{
	static const char *const folders[] = { "updates", "updates/dkms", "extra" };
	static const char *const suffixes[] = { "", ".xz", ".zst", ".gz" };

	for (guint i = 0; i < G_N_ELEMENTS(folders); i++) {
		for (guint s = 0; s < G_N_ELEMENTS(suffixes); s++) {
			char *path = g_strdup_printf("/" MODULES "/%s/%s/kvm_ext.ko%s", release,
						     folders[i], suffixes[s]);
			g_autofree char *full = below(root, path);

			if (g_file_test(full, G_FILE_TEST_IS_REGULAR))
				return path;
			g_free(path);
		}
	}
	return NULL;
}

static void take(KxModuleFile *f, const char *key, const char *value)
{
	if (g_str_equal(key, "vermagic"))
		f->release = g_strndup(value, strcspn(value, " "));
	else if (g_str_equal(key, "version"))
		f->version = g_strdup(value);
	else if (g_str_equal(key, "signer"))
		f->signer = *value ? g_strdup(value) : NULL;
	else if (g_str_equal(key, "sig_id"))
		f->is_signed = TRUE;
}

static void read_file(KxModuleFile *f, const char *root)
{
	const char *no_config = NULL;
	g_autoptr(KmodContext) context = kmod_new(NULL, &no_config);
	g_autofree char *full = below(root, f->path);
	g_autoptr(KmodModule) module = NULL;
	struct kmod_list *info = NULL, *i;
	int err = context ? kmod_module_new_from_path(context, full, &module) : -ENOMEM;

	if (err >= 0)
		err = kmod_module_get_info(module, &info);
	if (err < 0) {
		f->unreadable = g_strdup(g_strerror(-err));
		return;
	}
	kmod_list_foreach(i, info)
		take(f, kmod_module_info_get_key(i), kmod_module_info_get_value(i));
	kmod_module_info_free_list(info);
}

KxModuleFile *kx_module_file_find(const char *root, const char *release)
{
	char *path = find_file(root, release);
	KxModuleFile *f;

	if (!path)
		return NULL;
	f = g_new0(KxModuleFile, 1);
	f->path = path;
	read_file(f, root);
	return f;
}

void kx_module_file_free(KxModuleFile *f)
{
	if (!f)
		return;
	g_free(f->path);
	g_free(f->release);
	g_free(f->version);
	g_free(f->signer);
	g_free(f->unreadable);
	g_free(f);
}

/* modules.dep has a line "updates/dkms/kvm_ext.ko.xz: DEPENDENCIES" for each module. */
gboolean kx_module_file_is_listed(const KxModuleFile *f, const char *root, const char *release)
{
	g_autofree char *folder = g_strconcat("/" MODULES "/", release, "/", NULL);
	g_autofree char *list = g_strconcat(folder, "modules.dep", NULL);
	g_autofree char *full = below(root, list), *text = NULL;
	g_autofree char *line = g_strconcat(f->path + strlen(folder), ":", NULL);
	g_auto(GStrv) lines = NULL;

	if (!g_file_get_contents(full, &text, NULL, NULL))
		return FALSE;
	lines = g_strsplit(text, "\n", -1);
	for (guint i = 0; lines[i]; i++) {
		if (g_str_has_prefix(lines[i], line))
			return TRUE;
	}
	return FALSE;
}

static gint by_name(gconstpointer a, gconstpointer b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

char *kx_module_file_other_kernels(const char *root, const char *release)
{
	g_autofree char *folder = below(root, MODULES);
	g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
	g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func(g_free);
	const char *name;

	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *path = g_str_equal(name, release) ? NULL : find_file(root, name);

		if (path)
			g_ptr_array_add(found, g_strdup(name));
	}
	if (!found->len)
		return NULL;
	g_ptr_array_sort(found, by_name);
	g_ptr_array_add(found, NULL);
	return g_strjoinv(", ", (char **)found->pdata);
}
