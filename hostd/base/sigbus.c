// SPDX-License-Identifier: GPL-2.0-or-later
#include "sigbus.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#define GUARDS_MAX 4096u

/*
 * The handler runs on any thread and may interrupt any code, so it takes no lock. @start is written last and cleared
 * first. If a guard is freed and taken again while the handler searches, it was not the guard of the faulting access,
 * because the mapping of the faulting access is in use.
 */
struct _KxGuard {
	guintptr start; /* 0: free */
	gsize len;
	int hit;
};

static KxGuard guards[GUARDS_MAX];
static GMutex lock; /* held to take and free guards */
static struct sigaction before;
static gsize page_size;

static KxGuard *guard_of(guintptr address)
{
	for (guint i = 0; i < GUARDS_MAX; i++) {
		guintptr start = __atomic_load_n(&guards[i].start, __ATOMIC_ACQUIRE);

		if (start && address >= start && address - start < guards[i].len)
			return &guards[i];
	}
	return NULL;
}

/* Restore the old action: after the handler has returned, the access faults again. */
static void give_up(void)
{
	sigaction(SIGBUS, &before, NULL);
}

static void on_sigbus(int signal, siginfo_t *info, void *context)
{
	guintptr address = (guintptr)info->si_addr;
	KxGuard *g = info->si_code == BUS_ADRERR ? guard_of(address) : NULL;
	int saved = errno;

	if (!g ||
	    mmap((void *)(address & ~(guintptr)(page_size - 1)), page_size, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		give_up();
	else
		__atomic_store_n(&g->hit, 1, __ATOMIC_RELEASE);
	errno = saved;
}

/* The handler is installed each time, because other code may have replaced it. */
static void install(void)
{
	struct sigaction action = { .sa_sigaction = on_sigbus,
				    .sa_flags = SA_SIGINFO | SA_RESTART };
	struct sigaction now;

	page_size = (gsize)sysconf(_SC_PAGESIZE);
	if (sigaction(SIGBUS, NULL, &now) == 0 && now.sa_flags & SA_SIGINFO &&
	    now.sa_sigaction == on_sigbus)
		return;
	before = now;
	sigemptyset(&action.sa_mask);
	sigaction(SIGBUS, &action, NULL);
}

KxGuard *kx_guard_new(void *map, gsize len)
{
	g_autoptr(GMutexLocker) locked G_GNUC_UNUSED = g_mutex_locker_new(&lock);

	install();
	for (guint i = 0; i < GUARDS_MAX; i++) {
		if (guards[i].start)
			continue;
		guards[i].len = len;
		guards[i].hit = 0;
		__atomic_store_n(&guards[i].start, (guintptr)map, __ATOMIC_RELEASE);
		return &guards[i];
	}
	return NULL;
}

gboolean kx_guard_was_hit(const KxGuard *g)
{
	return __atomic_load_n(&g->hit, __ATOMIC_ACQUIRE);
}

void kx_guard_free(KxGuard *g)
{
	g_autoptr(GMutexLocker) locked G_GNUC_UNUSED = g_mutex_locker_new(&lock);

	if (g)
		__atomic_store_n(&g->start, 0, __ATOMIC_RELEASE);
}
