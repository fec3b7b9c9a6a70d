/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What only a tracker in the guest knows, beside its account in the module's terms. */
#ifndef KX_GUESTVIEW_H
#define KX_GUESTVIEW_H

#include <glib.h>

#include <kvm-ext/channel.h>

/* One process of the guest, as its classifier saw it last. */
typedef struct {
	gint32 pid;
	char name[KVM_EXT_CHANNEL_NAME];
	guint32 total;	/* ranges it has; the hottest are listed */
	GArray *ranges; /* struct kvm_ext_channel_range, hottest first */
	guint64 look;	/* of ours at which it came; older ones are dropped */
} KxGuestProcess;

typedef struct {
	char event[64]; /* "": no event; "…, surrogate" */
	char release[64];
	const char *silent; /* why nothing comes; NULL: it answers */
	/* of all that this setting cost, over restarts of the guest's end */
	struct kvm_ext_channel_account sum;
	guint64 restarts;
	guint64 bad_records; /* left out: they contradict themselves, or name too much memory */
	guint64 work;	     /* the workload's own counter; meaningless without writers */
	guint64 work_writers;
	GPtrArray *processes; /* KxGuestProcess */
} KxGuestView;

#endif /* KX_GUESTVIEW_H */
