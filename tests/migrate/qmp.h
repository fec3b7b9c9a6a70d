/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QEMU's QMP socket, one command at a time. All functions end the test program (bail) if QEMU has
 * died, refuses a command, or does not answer within QMP_TIMEOUT_S.
 */
#ifndef MIGRATE_QMP_H
#define MIGRATE_QMP_H

#include <gio/gio.h>
#include <json-glib/json-glib.h>

/* Long enough also for a slow emulated host. */
#define QMP_TIMEOUT_S 300

typedef struct _Qmp Qmp;

/* Connects to the socket at @path; waits for the socket while @qemu runs. */
Qmp *qmp_new(const char *path, GSubprocess *qemu);
void qmp_free(Qmp *q);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Qmp, qmp_free)

/*
 * Runs @command with arguments in the format of g_variant_new_parsed(), or without (NULL):
 * qmp_call(q, "migrate", "{'uri': <%s>}", uri). Returns the command's result, which the caller
 * frees.
 */
JsonNode *qmp_call(Qmp *q, const char *command, const char *format, ...);
/* As qmp_call(), without the result. */
void qmp_do(Qmp *q, const char *command, const char *format, ...);

/*
 * Waits for a MIGRATION event whose status is in @statuses (terminated by NULL); returns the
 * status.
 */
const char *qmp_wait_migration(Qmp *q, const char *const *statuses);

#endif /* MIGRATE_QMP_H */
