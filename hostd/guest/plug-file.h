/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file in /dev/shm that is the memory of a channel's device. The file belongs to QEMU's user, and nobody else may open
 * it. The file is named after the domain, so that the next daemon finds it.
 */
#ifndef KX_PLUG_FILE_H
#define KX_PLUG_FILE_H

#include <glib.h>
#include <sys/types.h>

#include "base/filewatch.h"
#include "channel.h"

/* The owner of the file: QEMU's user and group, and SELinux's label for files of the domain (NULL: none). */
typedef struct {
	uid_t uid;
	gid_t gid;
	const char *selinux;
} KxPlugOwner;

typedef struct {
	char *path;
	guint8 *map; /* NULL: neither made nor taken over */
	int fd; /* of @map's file, locked as long as it is mapped: no other daemon may use it */
	KxChannel *channel; /* on @map */
	KxFileWatch *watch; /* nullable */
} KxPlugFile;

/* @dir NULL: /dev/shm. */
char *kx_plug_file_path(const char *dir, const char *uuid);

/**
 * kx_plug_file_make - make the memory of a device that will be plugged in
 *
 * An existing file of that name is removed: no device uses it. KX_ERROR_BUSY: another daemon uses it; it stays. KX_ERROR_ACCESS_DENIED,
 * KX_ERROR_FAILED: there is no file.
 */
gboolean kx_plug_file_make(KxPlugFile *f, const KxPlugOwner *owner, GError **error);
/**
 * kx_plug_file_take - take over the memory of a device that is plugged in
 *
 * An earlier daemon has made the file, or QEMU has when the domain was restored or migrated in; in the latter case the access
 * of other users is removed first. KX_ERROR_BUSY: another daemon uses it. Another error: the file is not the device's memory, or other
 * users can write to it.
 */
gboolean kx_plug_file_take(KxPlugFile *f, const KxPlugOwner *owner, GError **error);
/* Whether another daemon uses the file. A file that neither we nor QEMU's user own, whoever has locked it, is not meant. */
gboolean kx_plug_file_is_held(const KxPlugFile *f, const KxPlugOwner *owner);
gboolean kx_plug_file_remove(const KxPlugFile *f, GError **error);
/* Frees @f; the file stays. */
void kx_plug_file_clear(KxPlugFile *f);

/* Whether there is a file for the domain. */
gboolean kx_plug_left_behind(const char *dir, const char *uuid);
/* UUIDs of the domains for which there is a file. */
char **kx_plug_all_left_behind(const char *dir);

#endif /* KX_PLUG_FILE_H */
