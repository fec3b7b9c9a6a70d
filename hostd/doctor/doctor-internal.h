/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the files of checks (doctor-*.c). A check examines one thing and reports what it found. */
#ifndef KX_DOCTOR_INTERNAL_H
#define KX_DOCTOR_INTERNAL_H

#include "doctor.h"

typedef struct {
	const KxDoctorFacts *facts;
	KxCheck *check;
	const char *vendor_module; /* "kvm_intel", "kvm_amd"; NULL: unknown vendor */
	char *vendor, *flags, *release;
} KxDoctor;

/* Sets the result of the current check. @remedy NULL: there is nothing to do. */
void kx_doctor_say(KxDoctor *d, KxCheckStatus status, const char *remedy, const char *format, ...)
	G_GNUC_PRINTF(4, 5);

/* --- files of the host ------------------------------------------------------ */

gboolean kx_doctor_exists(const KxDoctor *d, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* A parameter of a kernel module; NULL: there is no such parameter. */
char *kx_doctor_parameter(const KxDoctor *d, const char *module, const char *name);
gboolean kx_doctor_is_on(const char *value);
gboolean kx_doctor_has_flag(const KxDoctor *d, const char *flag); /* of the CPU */
gboolean kx_doctor_is_intel(const KxDoctor *d);

/* --- checks ----------------------------------------------------------------- */

void kx_doctor_check_cpu(KxDoctor *d);
void kx_doctor_check_virtualization(KxDoctor *d);
void kx_doctor_check_kvm_module(KxDoctor *d);
void kx_doctor_check_nested_paging(KxDoctor *d);
void kx_doctor_check_ad_bits(KxDoctor *d);
void kx_doctor_check_kvm_device(KxDoctor *d);
void kx_doctor_check_pidfd_getfd(KxDoctor *d);
void kx_doctor_check_kernel(KxDoctor *d);
void kx_doctor_check_module(KxDoctor *d);
void kx_doctor_check_lockdown(KxDoctor *d);
void kx_doctor_check_versions(KxDoctor *d);
void kx_doctor_check_device(KxDoctor *d);
void kx_doctor_check_api(KxDoctor *d);
void kx_doctor_check_build(KxDoctor *d);
void kx_doctor_check_elided(KxDoctor *d);
void kx_doctor_check_daemon(KxDoctor *d);
void kx_doctor_check_group(KxDoctor *d);
void kx_doctor_check_libvirt(KxDoctor *d);
void kx_doctor_check_guest_channel(KxDoctor *d);
void kx_doctor_check_tdp_mmu(KxDoctor *d);
void kx_doctor_check_pml(KxDoctor *d);
void kx_doctor_check_pebs(KxDoctor *d);
void kx_doctor_check_dirty_log(KxDoctor *d);
void kx_doctor_check_log_selftest(KxDoctor *d);
void kx_doctor_check_migration(KxDoctor *d);
void kx_doctor_check_debugfs(KxDoctor *d);
void kx_doctor_check_damon(KxDoctor *d);
void kx_doctor_check_dirty_rate(KxDoctor *d);
void kx_doctor_check_tap(KxDoctor *d);
void kx_doctor_check_mglru(KxDoctor *d);
void kx_doctor_check_idle_page(KxDoctor *d);
void kx_doctor_check_rivals(KxDoctor *d);
void kx_doctor_check_huge_pages(KxDoctor *d);
void kx_doctor_check_cpus(KxDoctor *d);
void kx_doctor_check_hardware(KxDoctor *d);

#endif /* KX_DOCTOR_INTERNAL_H */
