// SPDX-License-Identifier: GPL-2.0-or-later
#include "damon-kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int put_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err = 0;
	gssize done;

	if (fd < 0)
		return errno;
	do
		done = write(fd, text, strlen(text));
	while (done < 0 && errno == EINTR);
	if (done < 0)
		err = errno;
	close(fd);
	return err;
}

static int open_events(guint64 id, pid_t tid, gsize bytes, void **map)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attr),
		.config = id,
		.sample_period = 1,
		.sample_type = PERF_SAMPLE_TIME | PERF_SAMPLE_RAW,
		.watermark = 1, /* wakes the reader at half of the buffer; before that, it polls */
		.wakeup_watermark = (guint32)(bytes / 2),
		.use_clockid = 1,
		.clockid = CLOCK_MONOTONIC,
	};
	int fd = (int)syscall(SYS_perf_event_open, &attr, tid, -1, -1, PERF_FLAG_FD_CLOEXEC), err;

	if (fd < 0)
		return -1;
	*map = mmap(NULL, (gsize)sysconf(_SC_PAGESIZE) + bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
		    fd, 0);
	if (*map != MAP_FAILED)
		return fd;
	err = errno;
	close(fd);
	errno = err;
	return -1;
}

const KxDamonKernel kx_damon_kernel_real = { .put = put_file, .open_events = open_events };
const KxDamonKernel *kx_damon_kernel = &kx_damon_kernel_real;
