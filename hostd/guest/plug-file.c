// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE /* F_OFD_SETLK */
#include "plug-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/error.h"
#include "plug-xml.h"

#define SHM_DIR	    "/dev/shm"
#define OWNERS_ONLY 0600

char *kx_plug_file_path(const char *dir, const char *uuid)
{
	g_autofree char *name = kx_plug_name(uuid);

	return g_build_filename(dir ? dir : SHM_DIR, name, NULL);
}

static gboolean failed(const KxPlugFile *f, const char *what, GError **error)
{
	int err = errno;

	g_set_error(error, KX_ERROR,
		    err == EACCES || err == EPERM ? KX_ERROR_ACCESS_DENIED : KX_ERROR_FAILED,
		    "guest channel: %s %s: %s", f->path, what, g_strerror(err));
	return FALSE;
}

static void on_cut(gpointer channel)
{
	kx_channel_break(channel);
}

static gboolean in_use(const KxPlugFile *f, GError **error)
{
	g_set_error(
		error, KX_ERROR, KX_ERROR_BUSY,
		"guest channel: another kvm-extd (with another --socket) uses %s; detach the VM "
		"there first",
		f->path);
	return FALSE;
}

/*
 * The file is locked for writing, which only those can do who may write to it. QEMU makes files that everybody may read, and locks for
 * reading, with which any user could keep us from a file, are no reason to leave it alone.
 */
static gboolean is_locked(int fd)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_OFD_GETLK, &l) == 0 && l.l_type == F_WRLCK;
}

static gboolean lock_file(const KxPlugFile *f, int fd, GError **error)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_OFD_SETLK, &l) == 0 || !is_locked(fd) || in_use(f, error);
}

/* Keeps @fd, which has the lock, if @f->map is set afterwards. */
static gboolean map_file(KxPlugFile *f, int fd, GError **error)
{
	guint64 instance = 0;
	void *map = mmap(NULL, KVM_EXT_CHANNEL_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (map == MAP_FAILED)
		return failed(f, "cannot be mapped", error);
	f->map = map;
	f->fd = fd;
	while (!instance) {
		if (getrandom(&instance, sizeof(instance), 0) != sizeof(instance))
			return failed(f, "has no instance number", error);
	}
	f->channel = kx_channel_new(f->map, KVM_EXT_CHANNEL_SIZE, instance, error);
	if (f->channel)
		f->watch = kx_filewatch_new(fd, KVM_EXT_CHANNEL_SIZE, on_cut, f->channel);
	return f->channel != NULL;
}

/* Remove the access of others first, change the owner last: at no time may another user open the file. */
static gboolean give(const KxPlugFile *f, int fd, const KxPlugOwner *owner, GError **error)
{
	struct stat st;

	if (fstat(fd, &st) || (st.st_uid != geteuid() && fchown(fd, geteuid(), (gid_t)-1)))
		return failed(f, "cannot be taken from its owner", error);
	if (fchmod(fd, OWNERS_ONLY))
		return failed(f, "cannot be closed to others", error);
	if (owner->selinux &&
	    fsetxattr(fd, "security.selinux", owner->selinux, strlen(owner->selinux) + 1, 0))
		return failed(f, "cannot be given SELinux's label of the domain", error);
	if (fchown(fd, owner->uid, owner->gid))
		return failed(f, "cannot be given to QEMU's user", error);
	return TRUE;
}

/* Others, who can make files of this name as well, have not made it and cannot write to it. */
static gboolean is_owners(const struct stat *st, const KxPlugOwner *owner)
{
	return S_ISREG(st->st_mode) && !(st->st_mode & (S_IWGRP | S_IWOTH)) &&
	       (st->st_uid == owner->uid || st->st_uid == geteuid());
}

gboolean kx_plug_file_is_held(const KxPlugFile *f, const KxPlugOwner *owner)
{
	/* It may be anything, also what waits for a peer when it is opened. */
	int fd = open(f->path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	gboolean held;

	if (fd < 0)
		return FALSE;
	held = fstat(fd, &st) == 0 && is_owners(&st, owner) && is_locked(fd);
	close(fd);
	return held;
}

/*
 * A file that no device uses is a leftover, or the trap of a user who wants us to use it. A directory, which any user can make as well, may
 * not be empty; it is moved out of the way, because what is in it is not ours to remove.
 */
static gboolean clear_way(const char *path)
{
	g_autofree char *dir = g_path_get_dirname(path);
	g_autofree char *aside = g_build_filename(dir, "set-aside-by-kvm-extd-XXXXXX", NULL);

	if (!remove(path) || errno == ENOENT)
		return TRUE;
	return (errno == ENOTEMPTY || errno == EEXIST) && g_mkdtemp(aside) && !rename(path, aside);
}

gboolean kx_plug_file_make(KxPlugFile *f, const KxPlugOwner *owner, GError **error)
{
	int fd, err;
	gboolean ok;

	if (kx_plug_file_is_held(f, owner))
		return in_use(f, error);
	if (!clear_way(f->path))
		return failed(f, "is in the way and cannot be removed", error);
	fd = open(f->path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, OWNERS_ONLY);
	if (fd < 0)
		return failed(f, "cannot be made", error);
	/* Allocate all of it now: if memory is missing later, the result is a signal, not an error. */
	err = posix_fallocate(fd, 0, KVM_EXT_CHANNEL_SIZE);
	if (err) {
		errno = err;
		ok = failed(f, "gets no memory", error);
	} else {
		ok = lock_file(f, fd, error) && map_file(f, fd, error) && give(f, fd, owner, error);
	}
	if (!f->map)
		close(fd);
	if (!ok)
		unlink(f->path);
	return ok;
}

/*
 * When QEMU restores a domain, it makes the file itself, readable for everybody; such a file is as good as ours. If others
 * have opened the file in the meantime, it stays open for them, but only for reading. A file that others could write is
 * not taken over.
 */
static gboolean is_the_devices(const struct stat *st, const KxPlugOwner *owner)
{
	return is_owners(st, owner) && st->st_nlink == 1 &&
	       st->st_size == (off_t)KVM_EXT_CHANNEL_SIZE;
}

gboolean kx_plug_file_take(KxPlugFile *f, const KxPlugOwner *owner, GError **error)
{
	int fd = open(f->path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	gboolean ok;

	if (fd < 0)
		return failed(f, "is a device's memory, but cannot be opened", error);
	ok = fstat(fd, &st) == 0 && is_the_devices(&st, owner);
	if (!ok)
		g_set_error(error, KX_ERROR, KX_ERROR_FAILED,
			    "guest channel: %s is a device's memory, but neither kvm-ext nor QEMU "
			    "makes it like that (%u bytes, to be written by QEMU's user alone)",
			    f->path, KVM_EXT_CHANNEL_SIZE);
	else
		ok = lock_file(f, fd, error) && give(f, fd, owner, error) && map_file(f, fd, error);
	if (!f->map)
		close(fd);
	return ok;
}

gboolean kx_plug_file_remove(const KxPlugFile *f, GError **error)
{
	return unlink(f->path) == 0 || errno == ENOENT || failed(f, "cannot be removed", error);
}

void kx_plug_file_clear(KxPlugFile *f)
{
	g_clear_pointer(&f->watch, kx_filewatch_free);
	g_clear_pointer(&f->channel, kx_channel_free);
	if (f->map) {
		munmap(f->map, KVM_EXT_CHANNEL_SIZE);
		close(f->fd);
	}
	f->map = NULL;
	g_clear_pointer(&f->path, g_free);
}

gboolean kx_plug_left_behind(const char *dir, const char *uuid)
{
	g_autofree char *path = kx_plug_file_path(dir, uuid);
	struct stat st;

	return lstat(path, &st) == 0;
}

char **kx_plug_all_left_behind(const char *dir)
{
	g_autoptr(GPtrArray) uuids = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GDir) files = g_dir_open(dir ? dir : SHM_DIR, 0, NULL);
	const char *name;

	while (files && (name = g_dir_read_name(files))) {
		const char *uuid = name + strlen(KX_PLUG_NAME_PREFIX);

		if (g_str_has_prefix(name, KX_PLUG_NAME_PREFIX) && g_uuid_string_is_valid(uuid))
			g_ptr_array_add(uuids, g_strdup(uuid));
	}
	g_ptr_array_add(uuids, NULL);
	return (char **)g_ptr_array_free(g_steal_pointer(&uuids), FALSE);
}
