/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A QEMU process whose guest memory is a file in tmpfs. This program maps the file as well, and so
 * reads guest memory without QEMU. A failure ends the test program.
 */
#ifndef MIGRATE_VM_H
#define MIGRATE_VM_H

#include "guest.h"
#include "qmp.h"

typedef struct {
	const char *qemu;    /* program */
	const char *accel;   /* kvm; others only to test this program */
	const char *guest;   /* image for -kernel */
	const char *run_dir; /* sockets and logs */
	gint64 bandwidth;    /* of migrations, in bytes per second */
	gint64 downtime_ms;  /* time for which a migration may stop the guest */
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
 * Starts a QEMU with memory in a new file in the directory @backing. The guest does not run yet; if
 * @incoming, QEMU waits for a migration.
 */
Vm *vm_start(const VmSettings *settings, const char *backing, gboolean incoming);
/* Kills QEMU and removes the memory. */
void vm_free(Vm *vm);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Vm, vm_free)

void vm_cont(Vm *vm);
/* Of this VM's migrations. */
void vm_limit_bandwidth(Vm *vm, gint64 bytes_per_s);

/* A running guest writes at least this many pages in each part of the test. */
#define VM_ALIVE_PAGES 50
/* Ends the test program as failed, because the guest ended or does not run. */
__attribute__((noreturn, format(printf, 1, 2))) void vm_died(const char *format, ...);

/* Returns the present number of KVM's 2M mappings. */
gint64 vm_pages_2m(const Vm *vm);

/* Page @index of the area. */
static inline const volatile uint32_t *vm_page(const Vm *vm, uint32_t index)
{
	return (const volatile uint32_t *)(vm->ram + GUEST_AREA + index * GUEST_PAGE);
}

/* The guest's table of versions, indexed by page of the area. */
static inline const volatile uint32_t *vm_versions(const Vm *vm)
{
	return (const volatile uint32_t *)(vm->ram + GUEST_VERSIONS);
}

#endif /* MIGRATE_VM_H */
