// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fuzzes the daemon's reader of the guest channel with data that a guest could write. An input is a
 * Header, the status, the head, and the ring from a chosen position on. The header selects fields
 * that are replaced by valid values, so that inputs pass the first checks. Changes during a read
 * are not possible here: tests/unit/test-channel.c tests these with a thread.
 *
 * With -DREPLAY=DIR the program runs the inputs in DIR.
 */
#include <stdint.h>
#include <string.h>

#include "guest/channel.h"

#define HOST_INSTANCE 7u

typedef struct {
	/*
	 * Bits that select valid values: 0: the status's magic and host instance; 1: the head's
	 * instance; 2: the head's position; 3: the status's seq.
	 */
	guint8 repair;
	guint8 look_ahead; /* time between two calls of kx_channel_look() in 16 ms, minus 1 */
	guint16 start;	   /* position of head and tail in the ring, in units of 32 bytes */
} Header;

static guint8 *map;
static guint64 sum;

static void on_ranges(void *data, const struct kvm_ext_channel_ranges *r)
{
	for (guint32 i = 0; i < r->nr; i++)
		sum += r->range[i].start + r->range[i].size - 1 + r->range[i].accesses;
	sum += strlen(r->name);
}

static void on_pages(void *data, const struct kvm_ext_channel_pages *r)
{
	for (guint32 i = 0; i < r->nr; i++)
		g_assert(r->span[i].gfn + r->span[i].npages <= (1ull << 40));
}

static void on_samples(void *data, const struct kvm_ext_channel_samples *r)
{
	for (guint32 i = 0; i < r->nr; i++)
		sum += r->sample[i].address ^ r->sample[i].tsc;
}

static const KxChannelOps ops = { on_ranges, on_pages, on_samples };

static gsize take(void *to, gsize n, const uint8_t **data, size_t *size)
{
	n = MIN(n, *size);
	memcpy(to, *data, n);
	*data += n;
	*size -= n;
	return n;
}

/* The start position, modulo the ring's size. */
static gsize ring_start(const Header *h)
{
	return (gsize)h->start * 32 % KVM_EXT_CHANNEL_RING_SIZE;
}

static void lay_out(KxChannel *c, const Header *h, const uint8_t *data, size_t size)
{
	struct kvm_ext_channel_status *st = (void *)(map + KVM_EXT_CHANNEL_STATUS_AT);
	struct kvm_ext_channel_position *head = (void *)(map + KVM_EXT_CHANNEL_HEAD_AT);
	guint64 at = ring_start(h);
	KxChannelStatus seen;
	gsize n;

	take(st, sizeof(*st), &data, &size);
	if (h->repair & 1) {
		st->magic = KVM_EXT_CHANNEL_MAGIC;
		st->host_instance = HOST_INSTANCE;
	}
	if (h->repair & 8)
		st->seq &= ~1u;
	take(head, sizeof(*head), &data, &size);
	if (h->repair & 2)
		head->instance = st->instance;
	if (h->repair & 4 && at) {
		/* A padding record moves the tail to the start position. */
		struct kvm_ext_channel_record pad = { KVM_EXT_CHANNEL_PAD, 0, (guint32)at };

		memcpy(map + KVM_EXT_CHANNEL_RING_AT, &pad, sizeof(pad));
		head->bytes = at;
		kx_channel_look(c, 1000000, &seen);
		kx_channel_drain(c, &ops, NULL);
	}
	n = take(map + KVM_EXT_CHANNEL_RING_AT + at, MIN(size, KVM_EXT_CHANNEL_RING_SIZE - at),
		 &data, &size);
	if (h->repair & 4)
		head->bytes = at + (n & ~(gsize)7);
	take(map + KVM_EXT_CHANNEL_DECLARED_AT, sizeof(struct kvm_ext_channel_declared), &data,
	     &size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kvm_ext_channel_command command = { .sampler = KVM_EXT_SAMPLER_EVENTS };
	g_autoptr(GArray) declared = NULL;
	g_autoptr(KxChannel) c = NULL;
	KxChannelStatus st;
	Header h = { 0 };
	guint64 ns, error;

	if (size < sizeof(h))
		return 0;
	take(&h, sizeof(h), &data, &size);
	if (!map)
		map = g_malloc0(KVM_EXT_CHANNEL_SIZE);
	c = kx_channel_new(map, KVM_EXT_CHANNEL_SIZE, HOST_INSTANCE, NULL);
	kx_channel_command(c, &command);
	lay_out(c, &h, data, size);
	for (guint64 i = 1; i < 4; i++) {
		kx_channel_look(c, i * (1 + h.look_ahead) * 16000000, &st);
		kx_channel_drain(c, &ops, NULL);
		kx_channel_time(c, st.start_ns, &ns, &error);
		kx_channel_tsc_time(c, st.account.samples, &ns, &error);
		sum += strlen(st.event) + strlen(st.release);
	}
	declared = kx_channel_declared(c);
	/* Clears the data of this input, so that the next input does not depend on it. */
	memset(map, 0, KVM_EXT_CHANNEL_DECLARED_AT + sizeof(struct kvm_ext_channel_declared));
	memset(map + KVM_EXT_CHANNEL_RING_AT, 0,
	       MIN(ring_start(&h) + size, KVM_EXT_CHANNEL_RING_SIZE));
	return 0;
}

#ifdef REPLAY
#include <stdio.h>

int main(void)
{
	GDir *dir = g_dir_open(REPLAY, 0, NULL);
	const char *name;
	int n = 0;

	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *path = g_build_filename(REPLAY, name, NULL);
		g_autofree char *text = NULL;
		gsize size;

		if (!g_file_get_contents(path, &text, &size, NULL))
			continue;
		LLVMFuzzerTestOneInput((const uint8_t *)text, size);
		n++;
	}
	if (dir)
		g_dir_close(dir);
	g_free(map);
	printf("%d passed, %d failed\n", n, n ? 0 : 1);
	return n ? 0 : 1;
}
#endif
