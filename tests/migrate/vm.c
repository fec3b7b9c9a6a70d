// SPDX-License-Identifier: GPL-2.0-or-later
#include "vm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "child.h"
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

static void spawn(Vm *vm, gboolean incoming)
{
	const VmSettings *s = vm->settings;
	g_autofree char *log = g_strdup_printf("%s/%s.log", s->run_dir, vm->name);
	g_autofree char *machine =
		g_strdup_printf("pc,accel=%s,memory-backend=ram,vmport=off", s->accel);
	/* Aligned, so that KVM can use a 2M mapping for a huge page of the file. */
	g_autofree char *memory =
		g_strdup_printf("memory-backend-file,id=ram,size=%u,mem-path=%s,share=on,align=2M",
				GUEST_RAM, vm->ram_path);
	g_autofree char *size = g_strdup_printf("%uM", GUEST_RAM >> 20);
	g_autofree char *qmp = g_strdup_printf("unix:%s,server=on,wait=off", vm->qmp_path);
	const char *cpu = strcmp(s->accel, "kvm") ? "qemu64" : "host";
	g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
	g_auto(GStrv) argv = NULL;

	g_strv_builder_add_many(builder, s->qemu, "-name", vm->name, "-nodefaults",
				"-no-user-config", "-display", "none", "-no-reboot", "-machine",
				machine, "-cpu", cpu, "-object", memory, "-m", size, "-kernel",
				s->guest, "-qmp", qmp, "-S", NULL);
	if (incoming)
		g_strv_builder_add_many(builder, "-incoming", "defer", NULL);
	argv = g_strv_builder_end(builder);
	vm->process = child_start((const char *const *)argv, G_SUBPROCESS_FLAGS_NONE, log);
	vm->pid = child_pid(vm->process);
}

void vm_limit_bandwidth(Vm *vm, gint64 bytes_per_s)
{
	qmp_do(vm->qmp, "migrate-set-parameters", "{'max-bandwidth': <%x>}", bytes_per_s);
}

static void set_up_migration(Vm *vm, gboolean incoming)
{
	qmp_do(vm->qmp, "migrate-set-capabilities",
	       "{'capabilities': <[{'capability': <'events'>, 'state': <true>}]>}");
	qmp_do(vm->qmp, "migrate-set-parameters", "{'downtime-limit': <%x>}",
	       vm->settings->downtime_ms);
	vm_limit_bandwidth(vm, vm->settings->bandwidth);
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

void vm_died(const char *format, ...)
{
	g_autofree char *how = NULL;
	va_list args;

	va_start(args, format);
	how = g_strdup_vprintf(format, args);
	va_end(args);
	errno = EIO;
	bail("the guest failed: %s", how);
}

void vm_cont(Vm *vm)
{
	qmp_do(vm->qmp, "cont", NULL);
}

gint64 vm_pages_2m(const Vm *vm)
{
	static const char debugfs[] = "/sys/kernel/debug/kvm";
	g_autofree char *prefix = g_strdup_printf("%d-", vm->pid);
	g_autoptr(GDir) dir = g_dir_open(debugfs, 0, NULL);
	const char *name;

	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *path = g_build_filename(debugfs, name, "pages_2m", NULL);
		g_autofree char *text = NULL;

		if (g_str_has_prefix(name, prefix) && g_file_get_contents(path, &text, NULL, NULL))
			return g_ascii_strtoll(text, NULL, 10);
	}
	return 0;
}
