/* SPDX-License-Identifier: GPL-2.0-or-later */
/* org.kvmext1.Manager on D-Bus: passes arguments to the manager, and the manager's answers to the caller. */
#ifndef KX_SERVICE_H
#define KX_SERVICE_H

#include <gio/gio.h>

#include "control/config.h"
#include "control/session.h"

typedef struct _KxService KxService;

/* Takes ownership of @config. */
KxService *kx_service_new(const KxHost *host, KxConfig *config);
/* Detaches all VMs first. */
void kx_service_free(KxService *s);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxService, kx_service_free)

/* Serves @connection until it closes. */
void kx_service_export(KxService *s, GDBusConnection *connection);
void kx_service_reload(KxService *s, KxConfig *config);
/* The manager that the service calls; the service owns it. */
struct _KxManager *kx_service_manager(const KxService *s);
const KxConfig *kx_service_config(const KxService *s);

#endif /* KX_SERVICE_H */
