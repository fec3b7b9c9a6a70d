// SPDX-License-Identifier: GPL-2.0-or-later
#include "socketfile.h"

#include <errno.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "base/names.h"

gid_t kx_socketfile_group(void)
{
	const struct group *group = getgrnam(KX_GROUP);

	return group ? group->gr_gid : KX_NO_GROUP;
}

gboolean kx_socketfile_make_directory(const char *path, GError **error)
{
	g_autofree char *dir = g_path_get_dirname(path);

	if (g_mkdir_with_parents(dir, 0755) == 0)
		return TRUE;
	g_set_error(error, KX_ERROR, KX_ERROR_FAILED, "%s: %s", dir, g_strerror(errno));
	return FALSE;
}

/* Whether nobody listens on the socket: the kernel refuses a connection. After any other error the socket may be in use. */
static gboolean is_dead(const char *path)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	gboolean dead;

	if (fd < 0)
		return FALSE;
	dead = g_strlcpy(at.sun_path, path, sizeof(at.sun_path)) < sizeof(at.sun_path) &&
	       connect(fd, (struct sockaddr *)&at, sizeof(at)) && errno == ECONNREFUSED;
	close(fd);
	return dead;
}

gboolean kx_socketfile_remove_stale(const char *path, GError **error)
{
	struct stat st;

	if (lstat(path, &st))
		return TRUE;
	if (!S_ISSOCK(st.st_mode)) {
		g_set_error(error, KX_ERROR, KX_ERROR_FAILED,
			    "%s exists and is no socket; remove it or name another path", path);
		return FALSE;
	}
	if (!is_dead(path)) {
		g_set_error(error, KX_ERROR, KX_ERROR_BUSY,
			    "a program listens on %s; stop it first, or name another path", path);
		return FALSE;
	}
	if (unlink(path) == 0)
		return TRUE;
	g_set_error(error, KX_ERROR, KX_ERROR_FAILED, "%s: %s", path, g_strerror(errno));
	return FALSE;
}

gboolean kx_socketfile_open_to_group(const char *path, gid_t group, GError **error)
{
	if (group == KX_NO_GROUP) {
		kx_log(G_LOG_LEVEL_MESSAGE, "no-group", NULL, NULL,
		       "there is no group " KX_GROUP
		       ": only root may connect to %s (groupadd --system " KX_GROUP ")",
		       path);
		return TRUE;
	}
	if (chown(path, (uid_t)-1, group) == 0 && chmod(path, 0660) == 0)
		return TRUE;
	g_set_error(error, KX_ERROR, KX_ERROR_FAILED,
		    "%s cannot be opened to the group " KX_GROUP ": %s", path, g_strerror(errno));
	return FALSE;
}
