// SPDX-License-Identifier: GPL-2.0-only
/*
 * The sample ring, shared with a reader that is not trusted. The rules for both sides are in the
 * UAPI header.
 */
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "ring.h"

struct kx_ring *kx_ring_new(u32 pages)
{
	struct kx_ring *ring;

	BUILD_BUG_ON(sizeof(struct kvm_ext_ring) > PAGE_SIZE);
	BUILD_BUG_ON(KVM_EXT_REC_MAX > PAGE_SIZE);

	ring = kzalloc(sizeof(*ring), GFP_KERNEL_ACCOUNT);
	if (!ring)
		return NULL;
	ring->size = (u64)pages << PAGE_SHIFT;
	ring->ctl = vmalloc_user(PAGE_SIZE + ring->size);
	if (!ring->ctl) {
		kfree(ring);
		return NULL;
	}
	ring->data = (u8 *)ring->ctl + PAGE_SIZE;
	ring->ctl->magic = KVM_EXT_RING_MAGIC;
	ring->ctl->api_version = KVM_EXT_API_VERSION;
	ring->ctl->data_offset = PAGE_SIZE;
	ring->ctl->data_size = ring->size;
	return ring;
}

u64 kx_ring_bytes(const struct kx_ring *ring)
{
	return sizeof(*ring) + PAGE_SIZE + ring->size;
}

void kx_ring_free(struct kx_ring *ring)
{
	if (!ring)
		return;
	vfree(ring->ctl);
	kfree(ring);
}

int kx_ring_mmap(struct kx_ring *ring, struct vm_area_struct *vma)
{
	if (vma->vm_pgoff || vma->vm_end - vma->vm_start != PAGE_SIZE + ring->size)
		return -EINVAL;
	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	if (vma->vm_flags & VM_EXEC)
		return -EPERM;
	kx_vm_flags_clear(vma, VM_MAYEXEC);
	/* remap_vmalloc_range() adds VM_DONTEXPAND and VM_DONTDUMP. */
	return remap_vmalloc_range(vma, ring->ctl, 0);
}

/* Bytes not consumed yet. The reader's counter is read once; a value out of range means full. */
static u64 ring_used(const struct kx_ring *ring, u64 head)
{
	/*
	 * Pairs with the reader's release: the reader has finished with the data before its
	 * counter.
	 */
	u64 bytes = head - smp_load_acquire(&ring->ctl->data_tail);

	return min(bytes, ring->size);
}

bool kx_ring_half_full(const struct kx_ring *ring)
{
	return ring_used(ring, READ_ONCE(ring->head)) >= ring->size / 2;
}

bool kx_ring_readable(const struct kx_ring *ring)
{
	u64 head = READ_ONCE(ring->head);
	u64 bytes = ring_used(ring, head);

	/* The second condition: some of the unread bytes belong to a pass that has ended. */
	return bytes >= ring->size / 2 || bytes > head - READ_ONCE(ring->end_of_pass);
}

static struct kvm_ext_record *ring_record_at(const struct kx_ring *ring, u64 pos)
{
	return (struct kvm_ext_record *)(ring->data + (pos & (ring->size - 1)));
}

/* Bytes from @pos to the place where a record of @size can begin: 0, or the rest of the ring. */
static u32 ring_pad_before(const struct kx_ring *ring, u64 pos, u32 size)
{
	u32 rest = ring->size - (pos & (ring->size - 1));

	return rest < size ? rest : 0;
}

/* Writes a PAD, if needed, and a header. Returns the record; *@pos is then behind the record. */
static void *ring_place(struct kx_ring *ring, u64 *pos, u16 type, u32 size)
{
	u32 pad = ring_pad_before(ring, *pos, size);
	struct kvm_ext_record *rec;

	if (pad)
		*ring_record_at(ring, *pos) = (struct kvm_ext_record){
			.type = KVM_EXT_REC_PAD, .size = pad };
	rec = ring_record_at(ring, *pos + pad);
	*rec = (struct kvm_ext_record){ .type = type, .size = size };
	*pos += pad + size;
	return rec;
}

/* Is there room for a record of @first bytes (0: none) and then one of @second bytes? */
static bool ring_fits(const struct kx_ring *ring, u32 first, u32 second)
{
	u64 pos = ring->head;

	if (first)
		pos += ring_pad_before(ring, pos, first) + first;
	pos += ring_pad_before(ring, pos, second) + second;
	return pos - ring->head <= ring->size - ring_used(ring, ring->head);
}

static void ring_count_loss(struct kx_ring *ring, u64 samples)
{
	ring->owed_samples += samples;
	ring->owed_records++;
	ring->lost_samples += samples;
	ring->lost_records++;
	WRITE_ONCE(ring->ctl->lost_samples, ring->lost_samples);
	WRITE_ONCE(ring->ctl->lost_records, ring->lost_records);
}

static void ring_publish(struct kx_ring *ring, u64 head)
{
	WRITE_ONCE(ring->head, head);
	/* Pairs with the reader's acquire: the reader sees the records before the counter. */
	smp_store_release(&ring->ctl->data_head, head);
}

static void ring_tell_loss(struct kx_ring *ring)
{
	struct kvm_ext_rec_lost *lost;
	u64 pos = ring->head;

	lost = ring_place(ring, &pos, KVM_EXT_REC_LOST, sizeof(*lost));
	lost->samples = ring->owed_samples;
	lost->records = ring->owed_records;
	ring->owed_samples = 0;
	ring->owed_records = 0;
	ring_publish(ring, pos);
}

void *kx_ring_reserve(struct kx_ring *ring, u16 type, u32 size, u64 samples)
{
	u32 lost_size = ring->owed_records ? sizeof(struct kvm_ext_rec_lost) : 0;

	if (WARN_ON_ONCE(size > KVM_EXT_REC_MAX || size % 8))
		return NULL;
	if (!ring_fits(ring, lost_size, size)) {
		ring_count_loss(ring, samples);
		return NULL;
	}
	if (lost_size)
		ring_tell_loss(ring);
	ring->reserved = ring->head;
	return ring_place(ring, &ring->reserved, type, size);
}

/* The end is taken from @reserved, because the reader can change the size in the header. */
void kx_ring_commit(struct kx_ring *ring)
{
	ring_publish(ring, ring->reserved);
}

void kx_ring_end_pass(struct kx_ring *ring)
{
	WRITE_ONCE(ring->end_of_pass, ring->head);
}
