/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Replaces the libvirt library: a libvirt with one domain whose QEMU has a tap of its dirty log. The functions that hostd/vm calls
 * for the tap are defined here, and a program that includes this header is linked with them. The test decides what QEMU writes to
 * the shared memory.
 */
#ifndef FAKE_DIRTY_TAP_H
#define FAKE_DIRTY_TAP_H

#include <fcntl.h>
#include <poll.h>
#include <libvirt/libvirt-qemu.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define FAKE_UUID "4a64cc71-19c4-2fd0-2323-3050941ea3c3"
#define FAKE_URI  "fake:///system"

#define FAKE_DATA 4096

/* The format of QEMU's migration/dirty-tap.h. */
typedef struct {
	guint32 magic, version;
	guint64 size, head;
	guint32 state, page_size;
	guint64 needed, reserved[3];
	guint64 tail;
} FakeHeader;

typedef struct {
	guint32 size, ranges;
	guint64 bytes, syncs, began_ns, sync_ns, clear_ns, skipped, cpu_ns;
} FakeRecord;

static struct {
	GMutex lock;
	gboolean stock;	 /* a QEMU without the patches */
	gboolean silent; /* libvirt takes commands, and passes none on to QEMU until this is over */
	gboolean unwell; /* libvirt fails */
	gboolean late;	 /* QEMU carries out a start when the other end is just being closed */
	gboolean taken;	 /* somebody else's tap runs */
	GCond heard;
	const char *refusal;
	guint32 version;
	guint opened, closed;
	guint starts, replaced;
	int passed[2];	/* the descriptors; -1: none */
	char *names[2]; /* theirs in QEMU */
	guint closefds;
	FakeHeader *ring; /* NULL: no tap */
	gsize bytes;
	int socket;
	guint64 head, syncs, skipped;
	guint64 needed;	   /* bytes of a record */
	guint64 ram_bytes; /* which the monitor tells of */
	guint interval_ms;
} fake;

static void fake_init(void)
{
	memset(&fake, 0, sizeof(fake));
	g_mutex_init(&fake.lock);
	g_cond_init(&fake.heard);
	fake.passed[0] = fake.passed[1] = fake.socket = -1;
	fake.version = 1;
	fake.needed = 256;
}

/* The caller has the lock, or is alone. */
static void fake_end(guint32 state)
{
	if (!fake.ring)
		return;
	__atomic_store_n(&fake.ring->state, state, __ATOMIC_RELEASE);
	munmap(fake.ring, fake.bytes);
	close(fake.socket);
	fake.ring = NULL;
	fake.socket = -1;
}

static void fake_tidy(void)
{
	fake_end(0);
	for (guint i = 0; i < 2; i++) {
		if (fake.passed[i] >= 0)
			close(fake.passed[i]);
		g_clear_pointer(&fake.names[i], g_free);
	}
}

static char *fake_error(const char *class, const char *desc)
{
	g_autofree char *text = g_strdup_printf(
		"{\"id\":\"libvirt-9\",\"error\":{\"class\":\"%s\",\"desc\":\"%s\"}}", class, desc);

	return strdup(text);
}

/* Takes the descriptor of the memory. */
static FakeHeader *fake_map(int fd, gsize *bytes)
{
	struct stat st;
	FakeHeader *ring;

	g_assert_cmpint(fd, >=, 0);
	g_assert_true(fcntl(fd, F_GET_SEALS) & F_SEAL_SHRINK);
	g_assert_cmpint(fstat(fd, &st), ==, 0);
	*bytes = (gsize)st.st_size;
	ring = mmap(NULL, *bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	g_assert_true(ring != MAP_FAILED);
	close(fd);
	*ring = (FakeHeader){ .version = fake.version,
			      .size = *bytes - FAKE_DATA,
			      .page_size = 4096,
			      .needed = fake.needed };
	__atomic_store_n(&ring->magic, 0x50415451, __ATOMIC_RELEASE);
	return ring;
}

static void fake_begin(FakeHeader *ring, gsize bytes, int socket, const char *command)
{
	fake.replaced += fake.ring != NULL;
	fake_end(3);
	fake.ring = ring;
	fake.bytes = bytes;
	fake.socket = socket;
	fake.head = fake.syncs = fake.skipped = 0;
	fake.starts++;
	fake.interval_ms =
		(guint)atoi(strstr(command, "\"interval\": ") + strlen("\"interval\": "));
}

/* QEMU has looked at the socket, and its other end is closed now. The tap begins, and ends as soon as QEMU notices. */
static void fake_begin_late(FakeHeader *ring, gsize bytes, int socket, const char *command)
{
	struct pollfd hup = { .fd = socket, .events = POLLRDHUP };

	fake.late = FALSE;
	g_assert_cmpint(poll(&hup, 1, 60000), ==, 1);
	fake_begin(ring, bytes, socket, command);
	fake_end(1);
}

static char *fake_start(const char *command)
{
	gsize bytes;
	FakeHeader *ring = fake_map(fake.passed[0], &bytes);
	int socket = fake.passed[1];
	const char *refusal = fake.refusal;
	char byte;

	g_assert_cmpint(socket, >=, 0);
	g_assert_nonnull(strstr(command, fake.names[0]));
	g_assert_nonnull(strstr(command, fake.names[1]));
	fake.passed[0] = fake.passed[1] = -1;
	if (recv(socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0)
		refusal = "The other end of the socket is closed";
	if (!refusal && (fake.ring || fake.taken) && !strstr(command, "\"replace\": true"))
		refusal = "The dirty log is tapped already";
	if (!refusal && fake.needed > ring->size)
		refusal = "The shared memory is too small; a record takes more";
	if (refusal) {
		munmap(ring, bytes);
		close(socket);
		return fake_error("GenericError", refusal);
	}
	(fake.late ? fake_begin_late : fake_begin)(ring, bytes, socket, command);
	return strdup("{\"return\":{},\"id\":\"libvirt-9\"}");
}

static char *fake_closefd(const char *command)
{
	guint i = strstr(command, "-memory-") ? 0 : 1;

	fake.closefds++;
	if (fake.passed[i] < 0 || !strstr(command, fake.names[i]))
		return fake_error("GenericError", "File descriptor not found");
	close(fake.passed[i]);
	fake.passed[i] = -1;
	return strdup("{\"return\":{},\"id\":\"libvirt-9\"}");
}

/* The human monitor: memory from 0 on, in one piece. */
static char *fake_hmp(const char *command)
{
	g_autofree char *text = NULL;
	unsigned long long gpa;

	if (sscanf(command, "gpa2hva 0x%llx", &gpa) == 1)
		text = g_strdup_printf("Host virtual address for 0x%llx (ram) is 0x%llx\r\n", gpa,
				       gpa + (1ull << 40));
	else
		text = g_strdup_printf(
			"address-space: memory\r\n"
			"  0000000000000000-ffffffffffffffff (prio 0, i/o): system\r\n"
			"    0000000000000000-%016" G_GINT64_MODIFIER
			"x (prio 0, ram): ram\r\n\r\n",
			fake.ram_bytes - 1);
	return strdup(text);
}

static char *fake_answer(const char *command)
{
	if (strstr(command, "\"closefd\""))
		return fake_closefd(command);
	if (fake.stock)
		return fake_error("CommandNotFound", "The command has not been found");
	if (strstr(command, "x-query-dirty-tap"))
		return strdup("{\"return\":{\"active\":false},\"id\":\"libvirt-9\"}");
	g_assert_nonnull(strstr(command, "x-dirty-tap-start"));
	return fake_start(command);
}

/* --- what QEMU writes -------------------------------------------------------------------------------------------------------- */

static void fake_put(const void *data, gsize len)
{
	guint8 *base = (guint8 *)fake.ring + FAKE_DATA;

	for (gsize i = 0; i < len; i++)
		base[(fake.head + i) % (fake.bytes - FAKE_DATA)] = ((const guint8 *)data)[i];
	fake.head += len;
}

static void fake_publish(void)
{
	__atomic_store_n(&fake.ring->head, fake.head, __ATOMIC_RELEASE);
	(void)!write(fake.socket, "x", 1);
}

/* One reading: a range of @pages from @gfn on, and its bits. Waits for room. */
static void fake_sync(guint64 gfn, guint64 pages, const guint64 *bits)
{
	gsize words = (pages + 63) / 64;
	const guint64 range[2] = { gfn << 12, pages };
	FakeRecord r = { .size = sizeof(r),
			 .ranges = 1,
			 .bytes = sizeof(r) + sizeof(range) + words * 8,
			 .syncs = ++fake.syncs,
			 .sync_ns = 1000,
			 .clear_ns = 200,
			 .cpu_ns = 1500,
			 .skipped = fake.skipped };

	while (fake.head + r.bytes - __atomic_load_n(&fake.ring->tail, __ATOMIC_ACQUIRE) >
	       fake.bytes - FAKE_DATA)
		g_usleep(1000);
	fake_put(&r, sizeof(r));
	fake_put(range, sizeof(range));
	fake_put(bits, words * 8);
	fake_publish();
}

/* --- libvirt ------------------------------------------------------------------------------------------------------------------ */

virConnectPtr virConnectOpen(const char *uri)
{
	g_mutex_lock(&fake.lock);
	fake.opened++;
	g_mutex_unlock(&fake.lock);
	return (virConnectPtr)&fake;
}

int virConnectClose(virConnectPtr conn)
{
	g_mutex_lock(&fake.lock);
	fake.closed++;
	g_mutex_unlock(&fake.lock);
	return 0;
}

int virConnectIsAlive(virConnectPtr conn)
{
	return 1;
}

int virConnectSetKeepAlive(virConnectPtr conn, int interval, unsigned int count)
{
	return 0;
}

virDomainPtr virDomainLookupByUUIDString(virConnectPtr conn, const char *uuid)
{
	g_assert_cmpstr(uuid, ==, FAKE_UUID);
	return (virDomainPtr)&fake;
}

int virDomainFree(virDomainPtr dom)
{
	return 0;
}

int virDomainQemuMonitorCommand(virDomainPtr dom, const char *command, char **reply,
				unsigned int flags)
{
	int rc = -1;

	g_mutex_lock(&fake.lock);
	while (fake.silent)
		g_cond_wait(&fake.heard, &fake.lock);
	if (!fake.unwell) {
		*reply = flags & VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP ? fake_hmp(command)
								     : fake_answer(command);
		rc = 0;
	}
	g_cond_broadcast(&fake.heard);
	g_mutex_unlock(&fake.lock);
	return rc;
}

int virDomainQemuMonitorCommandWithFiles(virDomainPtr dom, const char *command, unsigned int nfiles,
					 int *files, unsigned int *nout, int **out, char **reply,
					 unsigned int flags)
{
	guint i = strstr(command, "-memory-") ? 0 : 1;
	const char *name = strstr(command, "kvm-ext-");

	g_assert_cmpuint(nfiles, ==, 1);
	g_assert_nonnull(strstr(command, "\"getfd\""));
	g_assert_nonnull(name);
	g_mutex_lock(&fake.lock);
	/* A name is used once. */
	g_assert_true(!fake.names[i] || !strstr(command, fake.names[i]));
	if (fake.passed[i] >= 0)
		close(fake.passed[i]);
	fake.passed[i] = fcntl(*files, F_DUPFD_CLOEXEC, 0);
	g_free(fake.names[i]);
	fake.names[i] = g_strndup(name, strcspn(name, "\""));
	g_mutex_unlock(&fake.lock);
	*reply = strdup("{\"return\":{},\"id\":\"libvirt-8\"}");
	return 0;
}

int virGetLastErrorCode(void)
{
	return VIR_ERR_INTERNAL_ERROR;
}

const char *virGetLastErrorMessage(void)
{
	return "no reason";
}

#endif /* FAKE_DIRTY_TAP_H */
