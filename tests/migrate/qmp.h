/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QEMU's control socket, one command at a time. Calls end the test program (bail) on whatever is not part of a
 * migration's normal course: a QEMU that died, a command it refuses, no word within QMP_TIMEOUT_S.
 */
#ifndef MIGRATE_QMP_H
#define MIGRATE_QMP_H

#include <gio/gio.h>
#include <json-glib/json-glib.h>

/* An emulated host may be slow, but not that slow. */
#define QMP_TIMEOUT_S 60

typedef struct _Qmp Qmp;

/* Connects to the socket at @path, which may not be there yet, as long as @qemu runs. */
Qmp *qmp_new(const char *path, GSubprocess *qemu);
void qmp_free(Qmp *q);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Qmp, qmp_free)

/*
 * Runs @command with arguments as g_variant_new_parsed() takes them: qmp_call(q, "migrate", "{'uri': <%s>}", uri). NULL:
 * none. Returns what the command returned, the caller's to free.
 */
JsonNode *qmp_call(Qmp *q, const char *command, const char *format, ...);
/* The same, for a command whose answer says nothing. */
void qmp_do(Qmp *q, const char *command, const char *format, ...);

/* The next status of a migration that is one of @statuses (NULL at the end), from the MIGRATION events. */
const char *qmp_wait_migration(Qmp *q, const char *const *statuses);

#endif /* MIGRATE_QMP_H */
