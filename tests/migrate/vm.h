/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One QEMU, whose guest memory is a file of tmpfs that is mapped here, too: what it holds is read without asking QEMU.
 * Failures end the test program.
 */
#ifndef MIGRATE_VM_H
#define MIGRATE_VM_H

#include "guest.h"
#include "qmp.h"

typedef struct {
	const char *qemu;    /* program */
	const char *accel;   /* kvm; another one only to try the harness itself */
	const char *guest;   /* image for -kernel */
	const char *run_dir; /* sockets and logs */
	gint64 bandwidth;    /* of migrations, bytes per second */
	gint64 downtime_ms;  /* a migration may stop the guest for so long */
} VmSettings;

typedef struct {
	const VmSettings *settings;
	char *name, *backing;
	char *ram_path, *qmp_path, *migration_uri;
	GSubprocess *process;
	Qmp *qmp;
	int pid;
	const volatile uint8_t *ram; /* GUEST_RAM bytes */
	volatile struct guest_mailbox *box;
} Vm;

/*
 * Starts a QEMU with memory in a new file in directory @backing. It does not run the guest yet; if @incoming it listens
 * for a migration.
 */
Vm *vm_start(const VmSettings *settings, const char *backing, gboolean incoming);
/* Kills it; its memory is gone with it. */
void vm_free(Vm *vm);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Vm, vm_free)

void vm_cont(Vm *vm);

/* A guest that lives writes more than this in any stretch of the test. */
#define VM_ALIVE_PAGES 50
/* It ended by itself, or stands still: what was to be tested did not take place. Ends the test program as failed. */
__attribute__((noreturn, format(printf, 1, 2))) void vm_died(const char *format, ...);

/* Guest pages of 2M that KVM has mapped now. */
gint64 vm_pages_2m(const Vm *vm);

/* Page @index of the area, and its version as the guest's table has it. */
static inline const volatile uint32_t *vm_page(const Vm *vm, uint32_t index)
{
	return (const volatile uint32_t *)(vm->ram + GUEST_AREA + index * GUEST_PAGE);
}

static inline const volatile uint32_t *vm_versions(const Vm *vm)
{
	return (const volatile uint32_t *)(vm->ram + GUEST_VERSIONS);
}

#endif /* MIGRATE_VM_H */
