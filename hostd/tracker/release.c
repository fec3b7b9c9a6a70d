// SPDX-License-Identifier: GPL-2.0-or-later
#include "release.h"

#include <kvm-ext/version.h>

#include "vm/hostinfo.h"

#define NO_VERSION "the loaded module kvm_ext has no version: it was built before modules had one"

static gboolean is_loaded(const char *root)
{
	g_autofree char *path = g_build_filename(root ? root : "/", "sys/module/kvm_ext", NULL);

	return g_file_test(path, G_FILE_TEST_IS_DIR);
}

char *kx_release_of_module(const char *root, const char **why)
{
	g_autofree char *version = kx_read_line(root, "sys/module/kvm_ext/version");

	if (version && *version)
		return g_steal_pointer(&version);
	*why = is_loaded(root) ? NO_VERSION : "the module kvm_ext is not loaded";
	return NULL;
}

char *kx_release_daemon_warning(const char *daemon_version, const char *program)
{
	if (!daemon_version || g_str_equal(daemon_version, KVM_EXT_VERSION))
		return NULL;
	return g_strdup_printf("the running daemon has version %s, %s has version %s; "
			       "'systemctl restart kvm-extd' starts the installed daemon, and ends "
			       "all sessions",
			       daemon_version, program, KVM_EXT_VERSION);
}

char *kx_release_module_warning(const char *root, const char *program)
{
	const char *why;
	g_autofree char *module = kx_release_of_module(root, &why);

	if (g_strcmp0(module, KVM_EXT_VERSION) == 0 || (!module && !is_loaded(root)))
		return NULL;
	return g_strdup_printf("the loaded module kvm_ext has %s%s, %s has version %s; 'systemctl "
			       "stop kvm-extd; modprobe -r kvm_ext; systemctl start kvm-extd' "
			       "loads the installed module, and ends all sessions",
			       module ? "version " : "no version", module ? module : "", program,
			       KVM_EXT_VERSION);
}
