/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The service on its socket, with a module in memory for each attached VM. Include this file after cmocka.h. */
#ifndef FAKE_WORLD_H
#define FAKE_WORLD_H

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fake-service.h"

#define FIRST_PID 100000u

/* --- the modules ------------------------------------------------------------------------------------------------------- */

typedef struct {
	int fd, peer;
	struct kvm_ext_ring *ring;
	gsize ring_bytes;
	struct kvm_ext_stats stats;
	gint blocked, waits; /* GET_STATS waits while the first is set; the second: it waits now */
} Instance;

static struct {
	GMutex lock;
	GHashTable *by_fd; /* Instance */
	Instance *last;	   /* attached last */
	gsize ring_bytes;
	guint64 ram_pages;
} world;

static void instance_free(gpointer data)
{
	Instance *i = data;

	close(i->peer);
	g_free(i);
}

static Instance *instance_of(int fd)
{
	Instance *i;

	g_mutex_lock(&world.lock);
	i = g_hash_table_lookup(world.by_fd, GINT_TO_POINTER(fd));
	g_mutex_unlock(&world.lock);
	return i;
}

static int world_open(void)
{
	Instance *i = g_new0(Instance, 1);
	int pair[2];

	g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
	i->fd = pair[0];
	i->peer = pair[1];
	g_mutex_lock(&world.lock);
	g_hash_table_replace(world.by_fd, GINT_TO_POINTER(i->fd), i);
	world.last = i;
	g_mutex_unlock(&world.lock);
	return i->fd;
}

static void put(Instance *i, const void *record, guint32 size)
{
	struct kvm_ext_ring *r = i->ring;
	guint64 at = r->data_head & (r->data_size - 1);
	guint8 *data = (guint8 *)r + r->data_offset;

	g_assert_cmpuint(r->data_head + size - r->data_tail, <=, r->data_size);
	if (r->data_size - at < size) {
		struct kvm_ext_record pad = { KVM_EXT_REC_PAD, 0, (guint32)(r->data_size - at) };

		memcpy(data + at, &pad, sizeof(pad));
		r->data_head += pad.size;
		at = 0;
	}
	memcpy(data + at, record, size);
	__atomic_store_n(&r->data_head, r->data_head + size, __ATOMIC_RELEASE);
}

static void begin_pass(Instance *i, guint16 flags)
{
	struct kvm_ext_rec_pass_begin b = { .h = { KVM_EXT_REC_PASS_BEGIN, flags, sizeof(b) },
					    .epoch = i->stats.epoch,
					    .pass = i->stats.passes + !flags };

	put(i, &b, sizeof(b));
}

static void end_pass(Instance *i, guint16 flags)
{
	struct kvm_ext_rec_pass_end e = { .h = { KVM_EXT_REC_PASS_END, flags, sizeof(e) },
					  .pass = i->stats.passes + !flags,
					  .time_ns = (guint64)g_get_monotonic_time() * 1000 };

	i->stats.passes += !flags;
	put(i, &e, sizeof(e));
}

static int world_ioctl(int fd, unsigned long request, void *arg)
{
	Instance *i = instance_of(fd);
	struct kvm_ext_tracker *t = arg;

	switch (request) {
	case KVM_EXT_GET_CAPS:
		((struct kvm_ext_caps *)arg)->api_version = KVM_EXT_API_VERSION;
		return 0;
	case KVM_EXT_ATTACH:
		i->ring_bytes = world.ring_bytes;
		((struct kvm_ext_attach *)arg)->ring_pages = (guint32)(i->ring_bytes / 4096);
		return 0;
	case KVM_EXT_GET_VM:
		*(struct kvm_ext_vm *)arg = (struct kvm_ext_vm){ .size = sizeof(struct kvm_ext_vm),
								 .vcpus = 2,
								 .ram_pages = world.ram_pages,
								 .last_gfn = world.ram_pages - 1,
								 .exits = 1000 };
		return 0;
	case KVM_EXT_SET_TRACKER:
		i->stats = (struct kvm_ext_stats){ .epoch = i->stats.epoch + 1,
						   .tracker = t->tracker,
						   .memory_bytes = 70000 };
		if (t->tracker) {
			begin_pass(i, KVM_EXT_PASS_PRIME);
			end_pass(i, KVM_EXT_PASS_PRIME);
		}
		return 0;
	case KVM_EXT_GET_STATS:
		g_atomic_int_set(&i->waits, g_atomic_int_get(&i->blocked));
		while (g_atomic_int_get(&i->blocked))
			g_usleep(1000);
		i->stats.size = sizeof(i->stats);
		i->stats.now_ns = (guint64)g_get_monotonic_time() * 1000;
		*(struct kvm_ext_stats *)arg = i->stats;
		return 0;
	}
	errno = ENOTTY;
	return -1;
}

static void *world_map(int fd, gsize len)
{
	Instance *i = instance_of(fd);

	i->ring = g_malloc0(len);
	i->ring->magic = KVM_EXT_RING_MAGIC;
	i->ring->api_version = KVM_EXT_API_VERSION;
	i->ring->data_offset = 4096;
	i->ring->data_size = i->ring_bytes;
	return i->ring;
}

static void world_unmap(void *map, gsize len)
{
	g_free(map);
}

static const KxModuleSys world_sys = { world_open, world_ioctl, world_map, world_unmap };

static gboolean world_open_vm(const char *proc_root, pid_t pid, const char *uuid, KxVmFd *out,
			      GError **error)
{
	*out = (KxVmFd){ dup(0), 7 };
	return TRUE;
}

/* --- the service ------------------------------------------------------------------------------------------------------- */

typedef struct {
	FakeService on;
	KxHost host;
} State;

static int setup(void **state)
{
	State *s = g_new0(State, 1);

	world.by_fd = g_hash_table_new_full(NULL, NULL, NULL, instance_free);
	world.ring_bytes = 64 << 10;
	world.ram_pages = 1 << 20;
	fake_service_root(&s->on);
	s->host = (KxHost){ .proc_root = s->on.root,
			    .debugfs_root = "/nonexistent",
			    .root = "/nonexistent",
			    .module_sys = &world_sys,
			    .open_vm = world_open_vm };
	fake_service_start(&s->on, &s->host);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	State *s = *state;

	fake_service_stop(&s->on);
	g_hash_table_unref(world.by_fd);
	g_free(s);
	return 0;
}

/* NULL: it failed, and that was expected. */
static GVariant *call(State *s, const char *method, GVariant *params, gboolean may_fail)
{
	FakeAnswer a = { 0 };

	fake_start_call(&s->on, method, params, G_MAXINT, &a);
	fake_finish_call(&a);
	if (!a.reply && !may_fail)
		fail_msg("%s: %s", method, a.error->message);
	g_clear_error(&a.error);
	return a.reply;
}

static char *target_of(guint i)
{
	return g_strdup_printf("pid:%u", FIRST_PID + i);
}

static void attach_named(State *s, guint i, const char *name)
{
	g_autofree char *target = target_of(i);
	g_autofree char *path = g_strdup_printf("%u/cmdline", FIRST_PID + i);
	g_autoptr(GString) line = g_string_new(NULL);
	g_autoptr(GVariant) reply = NULL;
	GVariantDict d;

	g_string_append_printf(line, "qemu%c-name%cguest=%s%c-uuid%c6b7f3f2e-0000-4000-8000-%012u",
			       0, 0, name, 0, 0, i);
	fake_write_len(s->on.root, path, line->str, (gssize)line->len + 1);
	g_variant_dict_init(&d, NULL);
	g_variant_dict_insert(&d, "tracker", "s", "abit");
	reply = call(s, "Attach", g_variant_new("(s@a{sv})", target, g_variant_dict_end(&d)),
		     FALSE);
}

static void attach(State *s, guint i)
{
	g_autofree char *name = g_strdup_printf("vm%u", i);

	attach_named(s, i, name);
}

static void G_GNUC_UNUSED detach(State *s, guint i)
{
	g_autofree char *target = target_of(i);
	g_autoptr(GVariant) reply = call(s, "Detach", g_variant_new("(s)", target), FALSE);
}

static GVariant G_GNUC_UNUSED *all(void)
{
	const char *const none[] = { NULL };

	return g_variant_new("(^as)", none);
}

#endif /* FAKE_WORLD_H */
