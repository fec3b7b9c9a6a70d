// SPDX-License-Identifier: GPL-2.0-or-later
/* Checks why the module is not loaded: it is not built, built for something else, or refused by the kernel. */
#include "doctor-internal.h"

#include <string.h>

#include <kvm-ext/version.h>

#include "base/textfmt.h"
#include "module-file.h"
#include "tracker/release.h"
#include "vm/hostinfo.h"

#define LOCKDOWN "sys/kernel/security/lockdown"

/* The word in brackets: "none [integrity] confidentiality"; NULL: the kernel has no lockdown. */
static char *lockdown(const KxDoctor *d)
{
	g_autofree char *line = kx_read_line(d->facts->root, LOCKDOWN);
	const char *begin = line ? strchr(line, '[') : NULL,
		   *end = begin ? strchr(begin, ']') : NULL;

	return end ? g_strndup(begin + 1, (gsize)(end - begin - 1)) : NULL;
}

/* The reason why this kernel loads signed modules only; NULL: it loads others, too. */
static char *wants_signature(const KxDoctor *d)
{
	g_autofree char *enforced = kx_doctor_parameter(d, "module", "sig_enforce");
	g_autofree char *level = lockdown(d);

	if (level && !g_str_equal(level, "none"))
		return g_strdup_printf("lockdown is \"%s\", as Secure Boot sets it", level);
	return kx_doctor_is_on(enforced) ? g_strdup("module.sig_enforce is set") : NULL;
}

/* Whether the module's source is there for DKMS to build: the package kvm-ext-dkms. */
static gboolean has_dkms(const KxDoctor *d)
{
	return kx_doctor_exists(d, "usr/src/kvm-ext-" KVM_EXT_VERSION "/dkms.conf") ||
	       kx_doctor_exists(d, "var/lib/dkms/kvm-ext");
}

/* How the module is built for the kernel that runs and installed, and what to do @then. */
static char *build_command(const KxDoctor *d, const char *then)
{
	g_autofree char *headers = NULL;

	if (!kx_doctor_exists(d, "lib/modules/%s/build", d->release))
		headers = g_strdup_printf("apt install linux-headers-%s, then ", d->release);
	if (has_dkms(d))
		return g_strdup_printf("%sdkms install --force kvm-ext/" KVM_EXT_VERSION
				       " -k %s, then %s",
				       headers ? headers : "", d->release, then);
	return g_strdup_printf("%smake modules install, then %s", headers ? headers : "", then);
}

static void say_not_built(KxDoctor *d)
{
	g_autofree char *others = kx_module_file_other_kernels(d->facts->root, d->release);
	g_autofree char *remedy = build_command(d, "modprobe kvm_ext");
	gboolean headers = kx_doctor_exists(d, "lib/modules/%s/build", d->release);

	kx_doctor_say(d, KX_CHECK_NO, remedy, "not loaded, and not built for %s%s%s%s", d->release,
		      others ? ", but for " : "", others ? others : "",
		      headers ? "" : "; the kernel's headers are missing");
}

/* DKMS makes its key, and signs, when it builds, with openssl; installing what is built already signs nothing. */
static char *signing_command(const KxDoctor *d)
{
	const char *openssl =
		kx_doctor_exists(d, "usr/bin/openssl") ? "" : "apt install openssl, then ";

	if (!has_dkms(d))
		return g_strdup("sign the file with a key that the kernel knows; see Secure Boot "
				"in kvm-extd(8)");
	return g_strdup_printf("%sdkms build --force kvm-ext/" KVM_EXT_VERSION " -k %s, then dkms "
			       "install --force kvm-ext/" KVM_EXT_VERSION " -k %s, then mokutil "
			       "--import /var/lib/dkms/mok.pub, reboot and enrol the key, then "
			       "modprobe kvm_ext; see Secure Boot in kvm-extd(8)",
			       openssl, d->release, d->release);
}

static void say_unsigned(KxDoctor *d, const KxModuleFile *f, const char *reason)
{
	g_autofree char *remedy = signing_command(d);

	kx_doctor_say(d, KX_CHECK_NO, remedy,
		      "not loaded: %s has no signature, and this kernel refuses such modules: %s",
		      f->path, reason);
}

/* Only the kernel itself knows whether it has the key. */
static void say_signed(KxDoctor *d, const KxModuleFile *f, const char *reason)
{
	g_autofree char *signer = kx_text_clean(f->signer ? f->signer : "a key without a name");

	kx_doctor_say(
		d, KX_CHECK_NO,
		"modprobe kvm_ext; if the answer is \"Key was rejected by service\": mokutil "
		"--import the public key (of DKMS: /var/lib/dkms/mok.pub), reboot and enrol it",
		"not loaded, but installed: %s, signed by %s; this kernel wants a signature "
		"by a key that it knows: %s",
		f->path, signer, reason);
}

static void say_installed(KxDoctor *d, const KxModuleFile *f)
{
	g_autofree char *rebuild = build_command(d, "modprobe kvm_ext");
	g_autofree char *reason = wants_signature(d);
	const char *version = f->version ? f->version : "unknown";

	if (f->unreadable) {
		kx_doctor_say(d, KX_CHECK_NO, rebuild, "not loaded: %s cannot be read: %s", f->path,
			      f->unreadable);
	} else if (g_strcmp0(f->release, d->release) != 0) {
		g_autofree char *other = kx_text_clean(f->release ? f->release : "unknown");

		kx_doctor_say(d, KX_CHECK_NO, rebuild,
			      "not loaded: %s is built for the kernel %s, and this is %s", f->path,
			      other, d->release);
	} else if (!g_str_equal(version, KVM_EXT_VERSION)) {
		g_autofree char *other = kx_text_clean(version);

		kx_doctor_say(d, KX_CHECK_NO, rebuild,
			      "not loaded: %s has version %s, these programs have " KVM_EXT_VERSION,
			      f->path, other);
	} else if (reason && !f->is_signed) {
		say_unsigned(d, f, reason);
	} else if (!kx_module_file_is_listed(f, d->facts->root, d->release)) {
		kx_doctor_say(d, KX_CHECK_NO, "depmod -a, then modprobe kvm_ext",
			      "not loaded: %s is not in the list of modules, which modprobe reads",
			      f->path);
	} else if (reason) {
		say_signed(d, f, reason);
	} else {
		kx_doctor_say(d, KX_CHECK_NO, "modprobe kvm_ext", "not loaded, but installed: %s",
			      f->path);
	}
}

void kx_doctor_check_module(KxDoctor *d)
{
	g_autoptr(KxModuleFile) installed = NULL;
	g_autofree char *version = NULL;
	const char *why;

	if (kx_doctor_exists(d, "sys/module/kvm_ext")) {
		version = kx_release_of_module(d->facts->root, &why);
		kx_doctor_say(d, KX_CHECK_YES, NULL, "kvm_ext %s is loaded",
			      version ? version : "(without a version)");
		return;
	}
	installed = kx_module_file_find(d->facts->root, d->release);
	if (installed)
		say_installed(d, installed);
	else
		say_not_built(d);
}

/* What the kernel refuses even to root: kernel_lockdown(7). */
void kx_doctor_check_lockdown(KxDoctor *d)
{
	g_autofree char *level = lockdown(d);

	if (!level)
		kx_doctor_say(d, KX_CHECK_INFO, NULL,
			      "this kernel has none, or securityfs is not mounted");
	else if (g_str_equal(level, "none"))
		kx_doctor_say(d, KX_CHECK_INFO, NULL, "none");
	else
		kx_doctor_say(
			d, KX_CHECK_INFO, NULL,
			"%s: modules need a signature, and debugfs is refused (KVM's exits by "
			"reason; mglru)%s",
			level,
			g_str_equal(level, "confidentiality")
				? "; so are perf's and tracefs' data (damon)"
				: "");
}
