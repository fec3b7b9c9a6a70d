// SPDX-License-Identifier: GPL-2.0-or-later
/* Shared by all checks: reading files, and setting the result. */
#include "doctor-internal.h"

#include "vm/hostinfo.h"

void kx_doctor_say(KxDoctor *d, KxCheckStatus status, const char *remedy, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	d->check->status = status;
	d->check->found = g_strdup_vprintf(format, args);
	d->check->remedy = g_strdup(remedy);
	va_end(args);
}

gboolean kx_doctor_exists(const KxDoctor *d, const char *format, ...)
{
	g_autofree char *path = NULL, *full = NULL;
	va_list args;

	va_start(args, format);
	path = g_strdup_vprintf(format, args);
	va_end(args);
	full = g_build_filename(d->facts->root ? d->facts->root : "/", path, NULL);
	return g_file_test(full, G_FILE_TEST_EXISTS);
}

char *kx_doctor_parameter(const KxDoctor *d, const char *module, const char *name)
{
	g_autofree char *path = g_strdup_printf("sys/module/%s/parameters/%s", module, name);

	return kx_read_line(d->facts->root, path);
}

gboolean kx_doctor_is_on(const char *value)
{
	return value && (*value == 'Y' || *value == 'y' || *value == '1');
}

gboolean kx_doctor_has_flag(const KxDoctor *d, const char *flag)
{
	g_auto(GStrv) words = g_strsplit(d->flags ? d->flags : "", " ", -1);

	return g_strv_contains((const char *const *)words, flag);
}

gboolean kx_doctor_is_intel(const KxDoctor *d)
{
	return g_strcmp0(d->vendor_module, "kvm_intel") == 0;
}
