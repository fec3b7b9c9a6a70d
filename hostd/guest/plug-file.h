/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file in /dev/shm that is the memory of a channel's device. It belongs to QEMU's user and nobody else may open it;
 * it is named after the domain, so that the next daemon finds it.
 */
#ifndef KX_PLUG_FILE_H
#define KX_PLUG_FILE_H

#include <glib.h>
#include <sys/types.h>

#include "base/filewatch.h"
#include "channel.h"

/* Who opens it: QEMU's user and group, and SELinux's label for files of that domain (NULL: none). */
typedef struct {
	uid_t uid;
	gid_t gid;
	const char *selinux;
} KxPlugOwner;

typedef struct {
	char *path;
	guint8 *map;	    /* NULL: neither made nor taken */
	KxChannel *channel; /* on it */
	KxFileWatch *watch; /* nullable */
} KxPlugFile;

/* @dir NULL: /dev/shm. */
char *kx_plug_file_path(const char *dir, const char *uuid);

/**
 * kx_plug_file_make - make the memory of a device that is to be plugged
 *
 * What is there by that name is removed: no device uses it. KX_ERROR_ACCESS_DENIED, KX_ERROR_FAILED: there is no file.
 */
gboolean kx_plug_file_make(KxPlugFile *f, const KxPlugOwner *owner, GError **error);
/**
 * kx_plug_file_take - take the memory of a device that is plugged
 *
 * An earlier daemon has made it, or QEMU when the domain was restored or migrated in; then it is closed to others first.
 * An error: it is not what the device has, or not safe from others.
 */
gboolean kx_plug_file_take(KxPlugFile *f, const KxPlugOwner *owner, GError **error);
gboolean kx_plug_file_remove(const KxPlugFile *f, GError **error);
/* The file stays. */
void kx_plug_file_clear(KxPlugFile *f);

/* Whether there is one for the domain, whoever left it. */
gboolean kx_plug_left_behind(const char *dir, const char *uuid);
/* UUIDs of the domains for which there is one. */
char **kx_plug_all_left_behind(const char *dir);

#endif /* KX_PLUG_FILE_H */
