/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checks whether this host has what kvm-ext needs; a check that fails says what to do. */
#ifndef KX_DOCTOR_H
#define KX_DOCTOR_H

#include <glib.h>

#include <kvm-ext/uapi.h>

#include "selftest-log.h"

typedef enum {
	KX_CHECK_YES,
	KX_CHECK_NO,
	KX_CHECK_UNKNOWN,
	KX_CHECK_INFO, /* a fact, neither good nor bad */
} KxCheckStatus;

typedef struct {
	const char *name;  /* "nested-paging" */
	const char *title; /* "nested paging" */
	gboolean needed;   /* without it nothing works, or no tracker can find pages */
	KxCheckStatus status;
	char *found;  /* what the check found */
	char *remedy; /* what to do; NULL if nothing */
} KxCheck;

/* IA32_PERF_CAPABILITIES: KVM's value for guests, and the CPU's value (doctor-pebs.h). Errors are errno values. */
typedef struct {
	int kvm_error, cpu_error; /* 0: the value is valid */
	guint64 kvm, cpu;
	int kvm_latency; /* whether guests have the register of load latency: 1, 0, -1 unknown */
} KxPebsFacts;

/* Facts that cannot be read from files. Errors are errno values. */
typedef struct {
	const char *root; /* the folder with /proc, /sys, /lib, /boot; NULL: / */
	int caps_error;	  /* of the query to /dev/kvm-ext; 0: @caps is valid */
	struct kvm_ext_caps caps;
	int kvm_error;	 /* of opening /dev/kvm */
	int pidfd_error; /* of pidfd_getfd(-1, -1, 0): EBADF if the kernel has the call */
	int group; /* this user: 1: root or in the group kvm-ext; 0: neither; -1: there is no such group */
	const char *daemon_version; /* NULL: the daemon is not reachable, @daemon_error says why */
	const char *daemon_error;
	gboolean daemon_denied; /* the daemon may run, but refuses this user */
	const char *libvirt_uri;
	int libvirt;	      /* whether the daemon is connected: 1, 0, -1 unknown */
	KxSelftest *selftest; /* of the dirty log; NULL: it did not run */
	KxPebsFacts pebs;
	char *qemu;  /* the QEMU that was asked what it has; NULL: none was found */
	int ivshmem; /* whether this QEMU has ivshmem-plain: 1, 0, -1 unknown: it did not answer */
	int tap;     /* whether this QEMU has a tap of its dirty log (qemu-patches): likewise */
	gint64 shm_free_bytes; /* of /dev/shm; -1: there is no /dev/shm */
} KxDoctorFacts;

/* Fills in all members except root and those of the daemon; runs the self-test, which can take some seconds. */
void kx_doctor_probe(KxDoctorFacts *facts);
/* KxDoctorFacts.tap of the QEMU with this path; NULL: there is none. */
int kx_doctor_ask_tap(const char *qemu);
void kx_doctor_facts_clear(KxDoctorFacts *facts);

/* Runs all checks: an array of KxCheck, in the order of the table. */
GPtrArray *kx_doctor_run(const KxDoctorFacts *facts);
/* Whether no needed check has the status NO. */
gboolean kx_doctor_ok(const GPtrArray *checks);
const char *kx_check_status_name(KxCheckStatus status);

#endif /* KX_DOCTOR_H */
