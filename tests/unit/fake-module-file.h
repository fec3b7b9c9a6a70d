/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file of a kernel module with only the given properties, and optionally a signature that cannot be verified. */
#ifndef FAKE_MODULE_FILE_H
#define FAKE_MODULE_FILE_H

#include <elf.h>

#include "fake-root.h"

/* include/linux/module_signature.h */
struct fake_signature {
	guint8 algorithm, hash, id_type, signer_len, key_id_len, pad[3];
	guint32 length; /* big endian */
};

static inline void fake_sign(GString *file, const char *signer)
{
	struct fake_signature s = {
		.algorithm = 1, /* RSA */
		.hash = 4,
		.id_type = 1, /* X.509: the signer's name is in clear text */
		.signer_len = (guint8)strlen(signer),
		.key_id_len = 4,
		.length = GUINT32_TO_BE(16),
	};

	g_string_append(file, signer);
	g_string_append_len(file, "\1\2\3\4", 4);
	g_string_append_len(file, "not a signature.", 16);
	g_string_append_len(file, (const char *)&s, sizeof(s));
	g_string_append(file, "~Module signature appended~\n");
}

/* @info: "version=1;vermagic=6.1 SMP". @signer NULL: without a signature. */
static inline void fake_module_file(const char *root, const char *path, const char *info,
				    const char *signer)
{
	static const char names[] = "\0.shstrtab\0.modinfo";
	gsize info_len = strlen(info) + 1;
	Elf64_Ehdr header = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
			     EV_CURRENT },
		.e_type = ET_REL,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_ehsize = sizeof(header),
		.e_shentsize = sizeof(Elf64_Shdr),
		.e_shnum = 3,
		.e_shstrndx = 1,
	};
	Elf64_Shdr sections[3] = {
		{ 0 },
		{ .sh_name = 1, .sh_type = SHT_STRTAB, .sh_size = sizeof(names) },
		{ .sh_name = 11, .sh_type = SHT_PROGBITS, .sh_size = info_len },
	};
	GString *file = g_string_new(NULL);

	sections[1].sh_offset = sizeof(header);
	sections[2].sh_offset = sizeof(header) + sizeof(names);
	header.e_shoff = (sections[2].sh_offset + info_len + 7) & ~7ull;
	g_string_append_len(file, (const char *)&header, sizeof(header));
	g_string_append_len(file, names, sizeof(names));
	for (gsize i = 0; i < info_len; i++)
		g_string_append_c(file, info[i] == ';' ? '\0' : info[i]);
	while (file->len < header.e_shoff)
		g_string_append_c(file, '\0');
	g_string_append_len(file, (const char *)sections, sizeof(sections));
	if (signer)
		fake_sign(file, signer);
	fake_write_len(root, path, file->str, (gssize)file->len);
	g_string_free(file, TRUE);
}

#endif /* FAKE_MODULE_FILE_H */
