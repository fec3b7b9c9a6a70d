// SPDX-License-Identifier: GPL-2.0-or-later
#include "endpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

static int complain(const char *path)
{
	fprintf(stderr, "kx-workload: cannot open %s: %s\n", path, strerror(errno));
	return -1;
}

/* A serial line must neither echo the log back as commands nor change its newlines. */
static void make_raw(int fd)
{
	struct termios tio;

	if (tcgetattr(fd, &tio))
		return;
	cfmakeraw(&tio);
	tcsetattr(fd, TCSANOW, &tio);
}

static int open_path(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC | O_NOCTTY, 0644);

	if (fd < 0)
		return complain(path);
	make_raw(fd);
	return fd;
}

/* In /dev a missing port must be an error: creating it would make a file that nobody reads. */
static int log_flags(const char *path)
{
	return !strncmp(path, "/dev/", 5) ? O_WRONLY : O_WRONLY | O_CREAT | O_TRUNC;
}

/* A FIFO that is open for writing too never reads as EOF while its writers come and go; a device takes answers. */
static int control_flags(const char *path)
{
	struct stat st;

	return !stat(path, &st) && (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)) ? O_RDWR
										 : O_RDONLY;
}

static bool are_one_device(const char *a, const char *b)
{
	struct stat sa, sb;

	return a && b && !stat(a, &sa) && !stat(b, &sb) && S_ISCHR(sa.st_mode) &&
	       S_ISCHR(sb.st_mode) && sa.st_rdev == sb.st_rdev;
}

int wl_endpoints_open(const char *log_path, const char *control_path, int *log_fd, int *control_fd)
{
	*log_fd = STDOUT_FILENO;
	*control_fd = STDIN_FILENO;
	if (are_one_device(log_path, control_path)) {
		*log_fd = *control_fd = open_path(log_path, O_RDWR);
		return *log_fd < 0 ? -1 : 0;
	}
	if (log_path)
		*log_fd = open_path(log_path, log_flags(log_path));
	if (control_path)
		*control_fd = open_path(control_path, control_flags(control_path));
	return *log_fd < 0 || *control_fd < 0 ? -1 : 0;
}
