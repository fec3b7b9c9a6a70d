// SPDX-License-Identifier: GPL-2.0-or-later
#include "vm.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "tap.h"

static void map_ram(Vm *vm)
{
	int fd = open(vm->ram_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0 || ftruncate(fd, GUEST_RAM))
		bail("%s", vm->ram_path);
	vm->ram = mmap(NULL, GUEST_RAM, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (vm->ram == MAP_FAILED)
		bail("mmap of %s", vm->ram_path);
	close(fd);
	vm->box = (volatile struct guest_mailbox *)(vm->ram + GUEST_MAILBOX);
}

/* Runs in the child: no QEMU outlives the test program, however that ends. */
static void die_with_parent(gpointer data)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static void spawn(Vm *vm, gboolean incoming)
{
	const VmSettings *s = vm->settings;
	g_autoptr(GSubprocessLauncher) launcher = g_subprocess_launcher_new(G_SUBPROCESS_FLAGS_NONE);
	g_autofree char *log = g_strdup_printf("%s/%s.log", s->run_dir, vm->name);
	g_autofree char *machine =
		g_strdup_printf("pc,accel=%s,memory-backend=ram,vmport=off", s->accel);
	g_autofree char *memory =
		g_strdup_printf("memory-backend-file,id=ram,size=%u,mem-path=%s,share=on", GUEST_RAM,
				vm->ram_path);
	g_autofree char *size = g_strdup_printf("%uM", GUEST_RAM >> 20);
	g_autofree char *qmp = g_strdup_printf("unix:%s,server=on,wait=off", vm->qmp_path);
	const char *argv[] = { s->qemu,	   "-name",  vm->name,	   "-nodefaults", "-no-user-config",
			       "-display", "none",   "-no-reboot", "-machine",	  machine,
			       "-cpu",	   strcmp(s->accel, "kvm") ? "qemu64" : "host",
			       "-object",  memory,   "-m",	   size,	  "-kernel",
			       s->guest,   "-qmp",   qmp,	   "-S",	  incoming ? "-incoming" : NULL,
			       "defer",	   NULL };
	g_autoptr(GError) error = NULL;

	g_subprocess_launcher_set_stderr_file_path(launcher, log);
	g_subprocess_launcher_set_child_setup(launcher, die_with_parent, NULL, NULL);
	vm->process = g_subprocess_launcher_spawnv(launcher, argv, &error);
	if (!vm->process)
		bail("%s", error->message);
	vm->pid = atoi(g_subprocess_get_identifier(vm->process));
}

static void set_up_migration(Vm *vm, gboolean incoming)
{
	qmp_do(vm->qmp, "migrate-set-capabilities",
	       "{'capabilities': <[{'capability': <'events'>, 'state': <true>}]>}");
	qmp_do(vm->qmp, "migrate-set-parameters", "{'max-bandwidth': <%x>, 'downtime-limit': <%x>}",
	       vm->settings->bandwidth, vm->settings->downtime_ms);
	if (incoming)
		qmp_do(vm->qmp, "migrate-incoming", "{'uri': <%s>}", vm->migration_uri);
}

Vm *vm_start(const VmSettings *settings, const char *backing, gboolean incoming)
{
	static int number;
	Vm *vm = g_new0(Vm, 1);

	vm->settings = settings;
	vm->name = g_strdup_printf("vm%d", number++);
	vm->backing = g_strdup(backing);
	vm->ram_path = g_strdup_printf("%s/%s.%d", backing, vm->name, getpid());
	vm->qmp_path = g_strdup_printf("%s/%s.qmp", settings->run_dir, vm->name);
	vm->migration_uri = g_strdup_printf("unix:%s/%s.migration", settings->run_dir, vm->name);
	map_ram(vm);
	spawn(vm, incoming);
	vm->qmp = qmp_new(vm->qmp_path, vm->process);
	set_up_migration(vm, incoming);
	return vm;
}

void vm_free(Vm *vm)
{
	qmp_free(vm->qmp);
	g_subprocess_force_exit(vm->process);
	g_subprocess_wait(vm->process, NULL, NULL);
	g_object_unref(vm->process);
	munmap((void *)vm->ram, GUEST_RAM);
	unlink(vm->ram_path);
	unlink(vm->qmp_path);
	unlink(vm->migration_uri + strlen("unix:"));
	g_free(vm->ram_path);
	g_free(vm->qmp_path);
	g_free(vm->migration_uri);
	g_free(vm->name);
	g_free(vm->backing);
	g_free(vm);
}

void vm_cont(Vm *vm)
{
	qmp_do(vm->qmp, "cont", NULL);
}
