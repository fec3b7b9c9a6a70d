/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What this host offers to kvm-ext, check by check, with the remedy for what is missing. */
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
	gboolean needed;   /* without it nothing works, or nothing finds pages */
	KxCheckStatus status;
	char *found;  /* what was looked at and found */
	char *remedy; /* what to do; NULL if nothing */
} KxCheck;

/* IA32_PERF_CAPABILITIES as KVM can give it to a guest, and as the CPU has it (doctor-pebs.h). Errors are errno values. */
typedef struct {
	int kvm_error, cpu_error; /* 0: the value is valid */
	guint64 kvm, cpu;
	int kvm_latency; /* guests have the register of load latency: 1, 0, -1 unknown */
} KxPebsFacts;

/* What cannot be read from files. Errors are errno values. */
typedef struct {
	const char *root; /* where /proc, /sys, /lib, /boot are found; NULL: / */
	int caps_error;	  /* of asking /dev/kvm-ext; 0: @caps is valid */
	struct kvm_ext_caps caps;
	int kvm_error;		    /* of opening /dev/kvm */
	int pidfd_error;	    /* of pidfd_getfd(-1, -1, 0): EBADF where the call exists */
	int group;		    /* 1: root or a member of kvm-ext; 0: not; -1: no such group */
	const char *daemon_version; /* NULL: not reachable, @daemon_error says why */
	const char *daemon_error;
	const char *libvirt_uri;
	int libvirt;	      /* the daemon's connection: 1, 0, -1 unknown */
	KxSelftest *selftest; /* of the dirty log; NULL: not run */
	KxPebsFacts pebs;
	char *qemu;  /* the emulator that was asked for its devices; NULL: none was found */
	int ivshmem; /* it has ivshmem-plain: 1, 0, -1 it did not answer */
	gint64 shm_free_bytes; /* of /dev/shm; -1: there is none */
} KxDoctorFacts;

/* Fills in all but root and the daemon's part; runs the self-test, which can take some seconds. */
void kx_doctor_probe(KxDoctorFacts *facts);
void kx_doctor_facts_clear(KxDoctorFacts *facts);

/* KxCheck, in the order of the table. */
GPtrArray *kx_doctor_run(const KxDoctorFacts *facts);
/* No needed check is NO. */
gboolean kx_doctor_ok(const GPtrArray *checks);
const char *kx_check_status_name(KxCheckStatus status);

#endif /* KX_DOCTOR_H */
