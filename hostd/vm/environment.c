// SPDX-License-Identifier: GPL-2.0-or-later
#include "environment.h"

#include <gio/gio.h>
#include <string.h>

#include "base/textfmt.h"
#include "hostinfo.h"

#define NA_SUFFIX "_na"

static void fact_free(gpointer data)
{
	KxFact *f = data;

	g_free(f->key);
	g_free(f->value);
	g_free(f->na);
	g_free(f);
}

GPtrArray *kx_environment_new(void)
{
	return g_ptr_array_new_with_free_func(fact_free);
}

void kx_environment_add(GPtrArray *environment, const char *key, const char *value, const char *na)
{
	KxFact *f = g_new0(KxFact, 1);

	f->key = kx_text_clean(key);
	f->value = value ? kx_text_clean(value) : NULL;
	f->na = value ? NULL : kx_text_clean(na ? na : "not told");
	g_ptr_array_add(environment, f);
}

const KxFact *kx_environment_find(const GPtrArray *environment, const char *key)
{
	for (guint i = 0; i < environment->len; i++) {
		const KxFact *f = environment->pdata[i];

		if (g_str_equal(f->key, key))
			return f;
	}
	return NULL;
}

/* --- files of one line -------------------------------------------------------------------------------------------- */

static const struct {
	const char *key, *path;
} lines[] = {
	{ "kernel_build", "proc/sys/kernel/version" },
	{ "kernel_command_line", "proc/cmdline" },
	{ "clocksource", "sys/devices/system/clocksource/clocksource0/current_clocksource" },
	{ "smt", "sys/devices/system/cpu/smt/control" },
	{ "scaling_governor", "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor" },
	{ "numa_balancing", "proc/sys/kernel/numa_balancing" },
	{ "ksm", "sys/kernel/mm/ksm/run" },
	{ "transparent_hugepage", "sys/kernel/mm/transparent_hugepage/enabled" },
	{ "mglru", "sys/kernel/mm/lru_gen/enabled" },
};

static void add_lines(GPtrArray *e, const char *root)
{
	for (guint i = 0; i < G_N_ELEMENTS(lines); i++) {
		g_autofree char *value = kx_read_line(root, lines[i].path);

		kx_environment_add(e, lines[i].key, value, "the kernel does not tell");
	}
}

/* --- the CPU ------------------------------------------------------------------------------------------------------ */

static void add_cpu(GPtrArray *e, const char *root)
{
	g_autofree char *family = kx_cpuinfo_value(root, "cpu family");
	g_autofree char *model = kx_cpuinfo_value(root, "model");
	g_autofree char *stepping = kx_cpuinfo_value(root, "stepping");
	g_autofree char *microcode = kx_cpuinfo_value(root, "microcode");
	g_autofree char *signature = NULL;

	if (family && model && stepping)
		signature = g_strdup_printf("family %s, model %s, stepping %s", family, model,
					    stepping);
	kx_environment_add(e, "cpu_signature", signature, "/proc/cpuinfo does not tell");
	kx_environment_add(e, "microcode", microcode, "/proc/cpuinfo does not tell");
}

/* --- the kernel's configuration ----------------------------------------------------------------------------------- */

/* Options that decide how pages are aged, flushed, logged and accounted, and how the kernel schedules. */
static const char *const options[] = {
	"CONFIG_KVM_ELIDE_TLB_FLUSH_IF_YOUNG",
	"CONFIG_LRU_GEN",
	"CONFIG_LRU_GEN_ENABLED",
	"CONFIG_LRU_GEN_WALKS_MMU",
	"CONFIG_MEM_SOFT_DIRTY",
	"CONFIG_IDLE_PAGE_TRACKING",
	"CONFIG_TRANSPARENT_HUGEPAGE",
	"CONFIG_DEBUG_VM",
	"CONFIG_KASAN",
	"CONFIG_PROVE_LOCKING",
	"CONFIG_PREEMPT_NONE",
	"CONFIG_PREEMPT_VOLUNTARY",
	"CONFIG_PREEMPT",
	"CONFIG_PREEMPT_LAZY",
	"CONFIG_PREEMPT_RT",
	"CONFIG_PREEMPT_DYNAMIC",
	"CONFIG_HZ",
};

static char *unzip(const char *path)
{
	g_autoptr(GFile) file = g_file_new_for_path(path);
	g_autoptr(GFileInputStream) in = g_file_read(file, NULL, NULL);
	g_autoptr(GConverter) gunzip =
		G_CONVERTER(g_zlib_decompressor_new(G_ZLIB_COMPRESSOR_FORMAT_GZIP));
	g_autoptr(GOutputStream) out = g_memory_output_stream_new_resizable();
	g_autoptr(GInputStream) plain = NULL;

	if (!in)
		return NULL;
	plain = g_converter_input_stream_new(G_INPUT_STREAM(in), gunzip);
	if (g_output_stream_splice(out, plain, G_OUTPUT_STREAM_SPLICE_CLOSE_TARGET, NULL, NULL) < 0)
		return NULL;
	return g_strndup(g_memory_output_stream_get_data(G_MEMORY_OUTPUT_STREAM(out)),
			 g_memory_output_stream_get_data_size(G_MEMORY_OUTPUT_STREAM(out)));
}

/* The text of the running kernel's configuration; NULL: no file has it. */
static char *configuration(const char *root)
{
	g_autofree char *release = kx_read_line(root, "proc/sys/kernel/osrelease");
	g_autofree char *packed = g_build_filename(root ? root : "/", "proc/config.gz", NULL);
	g_autofree char *in_boot = g_strdup_printf("boot/config-%s", release ? release : "");
	g_autofree char *in_modules =
		g_strdup_printf("lib/modules/%s/config", release ? release : "");
	char *text = unzip(packed);

	text = text ? text : kx_read_line(root, in_boot);
	return text ? text : kx_read_line(root, in_modules);
}

/* "y", "m", a number; "n" if the line is "# OPTION is not set"; "absent" if this kernel does not offer the option. */
static char *option_value(char *const *config, const char *option)
{
	g_autofree char *unset = g_strdup_printf("# %s is not set", option);
	gsize length = strlen(option);

	for (char *const *line = config; *line; line++) {
		if (g_str_has_prefix(*line, option) && (*line)[length] == '=')
			return g_strdup(*line + length + 1);
		if (g_str_equal(*line, unset))
			return g_strdup("n");
	}
	return g_strdup("absent");
}

static void add_options(GPtrArray *e, const char *root)
{
	g_autofree char *text = configuration(root);
	g_auto(GStrv) config = text ? g_strsplit(text, "\n", -1) : NULL;

	for (guint i = 0; i < G_N_ELEMENTS(options); i++) {
		g_autofree char *value = config ? option_value(config, options[i]) : NULL;

		kx_environment_add(e, options[i], value,
				   "no file has the configuration of the running kernel");
	}
}

/* --- modules ------------------------------------------------------------------------------------------------------ */

static const struct {
	const char *module, *parameter;
} parameters[] = {
	{ "kvm", "tdp_mmu" },	    { "kvm", "eager_page_split" }, { "kvm", "halt_poll_ns" },
	{ "kvm", "nx_huge_pages" }, { "kvm_intel", "ept" },	   { "kvm_intel", "eptad" },
	{ "kvm_intel", "pml" },	    { "kvm_intel", "vpid" },	   { "kvm_intel", "nested" },
	{ "kvm_amd", "npt" },	    { "kvm_amd", "avic" },	   { "kvm_amd", "nested" },
};

static void add_parameters(GPtrArray *e, const char *root)
{
	for (guint i = 0; i < G_N_ELEMENTS(parameters); i++) {
		g_autofree char *path =
			g_strdup_printf("sys/module/%s/parameters/%s", parameters[i].module,
					parameters[i].parameter);
		g_autofree char *key =
			g_strdup_printf("%s.%s", parameters[i].module, parameters[i].parameter);
		g_autofree char *value = kx_read_line(root, path);

		if (value)
			kx_environment_add(e, key, value, NULL);
	}
}

/* The data of an ELF note in hexadecimal: sizes of name and data, type, name ("GNU"), data. NULL: the note is no build id. */
static char *build_id(const char *note, gsize size)
{
	guint32 head[3];
	GString *text;

	if (size < sizeof(head))
		return NULL;
	memcpy(head, note, sizeof(head));
	if (head[0] != 4 || head[2] != 3 || head[1] > 64 || size < sizeof(head) + 4 + head[1])
		return NULL;
	text = g_string_new(NULL);
	for (guint i = 0; i < head[1]; i++)
		g_string_append_printf(text, "%02x", (guchar)note[sizeof(head) + 4 + i]);
	return g_string_free(text, FALSE);
}

static void add_build(GPtrArray *e, const char *root)
{
	g_autofree char *path = g_build_filename(
		root ? root : "/", "sys/module/kvm_ext/notes/.note.gnu.build-id", NULL);
	g_autofree char *module = g_build_filename(root ? root : "/", "sys/module/kvm_ext", NULL);
	g_autofree char *note = NULL, *id = NULL;
	gsize size = 0;

	if (g_file_get_contents(path, &note, &size, NULL))
		id = build_id(note, size);
	kx_environment_add(e, "kvm_ext.build", id,
			   g_file_test(module, G_FILE_TEST_EXISTS)
				   ? "the module's build id cannot be read"
				   : "the module is not loaded");
}

/* --- libvirt ------------------------------------------------------------------------------------------------------ */

static void add_libvirt(GPtrArray *e, KxLibvirt *l)
{
	g_autofree char *libvirt = l ? kx_libvirt_version(l) : NULL;
	g_autofree char *qemu = l ? kx_libvirt_qemu_version(l) : NULL;
	const char *why = l ? "libvirt does not tell" : "there is no connection to libvirt";

	kx_environment_add(e, "libvirt", libvirt, why);
	kx_environment_add(e, "qemu", qemu, why);
}

GPtrArray *kx_environment_read(const char *root, KxLibvirt *libvirt)
{
	GPtrArray *e = kx_environment_new();

	add_cpu(e, root);
	add_lines(e, root);
	add_options(e, root);
	add_parameters(e, root);
	add_build(e, root);
	add_libvirt(e, libvirt);
	return e;
}

/* --- D-Bus -------------------------------------------------------------------------------------------------------- */

GVariant *kx_environment_to_variant(const GPtrArray *environment)
{
	GVariantBuilder b;

	g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
	for (guint i = 0; i < environment->len; i++) {
		const KxFact *f = environment->pdata[i];
		g_autofree char *na = g_strconcat(f->key, NA_SUFFIX, NULL);

		g_variant_builder_add(&b, "{sv}", f->value ? f->key : na,
				      g_variant_new_string(f->value ? f->value : f->na));
	}
	return g_variant_builder_end(&b);
}

GPtrArray *kx_environment_from_variant(GVariant *facts)
{
	GPtrArray *e = kx_environment_new();
	GVariantIter it;
	const char *key;
	GVariant *value;

	g_variant_iter_init(&it, facts);
	while (g_variant_iter_loop(&it, "{&sv}", &key, &value)) {
		g_autofree char *bare = g_str_has_suffix(key, NA_SUFFIX)
						? g_strndup(key, strlen(key) - strlen(NA_SUFFIX))
						: NULL;
		const char *text;

		if (!g_variant_is_of_type(value, G_VARIANT_TYPE_STRING))
			continue;
		text = g_variant_get_string(value, NULL);
		kx_environment_add(e, bare ? bare : key, bare ? NULL : text, text);
	}
	return e;
}
