// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The names by which a caller may request a VM: a domain name, a UUID, "/proc/N" or "pid:N". A domain name cannot contain a
 * slash, so "/proc/N" always means the process; "pid:N" means a domain of that name, if there is one, else the process.
 */
#include "manager-internal.h"

#include <string.h>

#include "base/error.h"

KxCalled kx_vm_ident_is_called(const KxVmIdent *i, const char *target)
{
	pid_t pid;

	if (kx_target_process(target, &pid))
		return i->pid == pid ? KX_CALLED_SO : KX_CALLED_NOT;
	if (!g_strcmp0(i->name, target) || (i->uuid && !g_ascii_strcasecmp(i->uuid, target)))
		return KX_CALLED_SO;
	return kx_target_pid_form(target, &pid) && i->pid == pid ? KX_CALLED_BY_PID : KX_CALLED_NOT;
}

static void ambiguous(const KxManager *m, const char *target, KxCalled how, GError **error)
{
	g_autoptr(GString) pids = g_string_new(NULL);

	for (guint i = 0; i < m->sessions->len; i++) {
		const KxVmIdent *ident = kx_session_ident(m->sessions->pdata[i]);

		if (kx_vm_ident_is_called(ident, target) == how)
			g_string_append_printf(pids, "%s%d", pids->len ? ", " : "", ident->pid);
	}
	g_set_error(error, KX_ERROR, KX_ERROR_NO_SUCH_VM,
		    "several attached VMs are called \"%s\" (processes %s); name the one meant by "
		    "--pid or by UUID",
		    target, pids->str);
}

KxSession *kx_manager_find_alive(const KxManager *m, const char *target, GError **error)
{
	KxCalled best = KX_CALLED_NOT;
	KxSession *found = NULL;
	guint number = 0;

	for (guint i = 0; i < m->sessions->len; i++) {
		KxCalled how =
			kx_vm_ident_is_called(kx_session_ident(m->sessions->pdata[i]), target);

		if (how == KX_CALLED_NOT || how < best)
			continue;
		number = how > best ? 1 : number + 1;
		best = how;
		found = m->sessions->pdata[i];
	}
	if (number < 2)
		return found;
	ambiguous(m, target, best, error);
	return NULL;
}

KxSession *kx_manager_find_pid(const KxManager *m, pid_t pid)
{
	for (guint i = 0; i < m->sessions->len; i++) {
		if (kx_session_ident(m->sessions->pdata[i])->pid == pid)
			return m->sessions->pdata[i];
	}
	return NULL;
}

KxSession *kx_manager_find_account(const KxManager *m, const char *target, GError **error)
{
	g_autoptr(GError) why = NULL;
	KxSession *s = kx_manager_find_alive(m, target, &why);
	const GList *l;
	int how;

	if (why) {
		g_propagate_error(error, g_steal_pointer(&why));
		return NULL;
	}
	if (s)
		return s;
	for (how = KX_CALLED_SO; how > KX_CALLED_NOT; how--) {
		for (l = m->ended.head; l; l = l->next) {
			if ((int)kx_vm_ident_is_called(kx_session_ident(l->data), target) == how)
				return l->data;
		}
	}
	return NULL;
}

KxSession *kx_manager_need_alive(const KxManager *m, const char *target, GError **error)
{
	g_autoptr(GError) why = NULL;
	KxSession *s = kx_manager_find_account(m, target, &why);

	if (s && kx_session_alive(s))
		return s;
	if (why)
		g_propagate_error(error, g_steal_pointer(&why));
	else if (s && strcmp(kx_session_ended(s), "detached"))
		g_set_error(error, KX_ERROR, KX_ERROR_VM_GONE,
			    "VM \"%s\": the session has ended (%s)", target, kx_session_ended(s));
	else
		g_set_error(error, KX_ERROR, KX_ERROR_NOT_ATTACHED,
			    "VM \"%s\" is not attached; kvm-ext list shows which VMs are", target);
	return NULL;
}

KxSession *kx_manager_need_account(KxManager *m, const char *target, GError **error)
{
	g_autoptr(GError) why = NULL;
	KxSession *s = kx_manager_find_account(m, target, &why);

	if (why)
		g_propagate_error(error, g_steal_pointer(&why));
	else if (!s)
		g_set_error(error, KX_ERROR, KX_ERROR_NOT_ATTACHED,
			    "VM \"%s\" has not been attached since the daemon started, so there is "
			    "nothing to report; kvm-ext list shows the VMs",
			    target);
	return s;
}
