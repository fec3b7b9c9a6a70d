/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What only a tracker in the guest knows, in addition to its statistics in the form of the module's. */
#ifndef KX_GUESTVIEW_H
#define KX_GUESTVIEW_H

#include <glib.h>

#include <kvm-ext/channel.h>

/* One process of the guest, as its classifier saw it last. */
typedef struct {
	gint32 pid;
	char name[KVM_EXT_CHANNEL_NAME];
	guint32 total;	/* number of its ranges; only the hottest are in @ranges */
	GArray *ranges; /* struct kvm_ext_channel_range, hottest first */
	guint64 look;	/* the daemon's reading that found it; older processes are dropped */
} KxGuestProcess;

typedef struct {
	char event[96]; /* "": no event; "…, surrogate"; "…, PEBS emulated by QEMU TCG" */
	char release[64];
	const char *silent; /* why no data arrives; NULL: the guest answers */
	/* total cost of this setting, over restarts of the guest's end */
	struct kvm_ext_channel_account sum;
	guint64 restarts;
	guint64 empty_epochs; /* without a sample of any process */
	guint64 bad_records; /* left out: they contradict themselves, or name too much memory */
	guint64 work;	     /* the workload's own counter; meaningless without writers */
	guint64 work_writers;
	GPtrArray *processes; /* KxGuestProcess */
} KxGuestView;

#endif /* KX_GUESTVIEW_H */
