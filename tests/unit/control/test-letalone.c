// SPDX-License-Identifier: GPL-2.0-or-later
/* VMs to which rules do not apply, over restarts of the daemon and of the VM. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cases.h"
#include "control/letalone.h"
#include "fake-root.h"

#define UUID  "c7a5fdbd-edaf-9455-926a-d65c16db1809"
#define OTHER "c7a5fdbd-edaf-9455-926a-d65c16db180a"

typedef struct {
	char *root, *file;
} Fixture;

static int setup(void **state)
{
	Fixture *f = g_new0(Fixture, 1);

	f->root = fake_root_new();
	f->file = g_build_filename(f->root, "detached", NULL);
	fake_process(f->root, "100", "5000");
	fake_process(f->root, "200", "6000");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	Fixture *f = *state;

	fake_remove(f->root);
	g_free(f->root);
	g_free(f->file);
	g_free(f);
	return 0;
}

static void is_kept_over_a_restart(void **state)
{
	const Fixture *f = *state;
	g_autoptr(KxLetAlone) before = kx_let_alone_new(f->file, f->root), after = NULL,
			      last = NULL;

	kx_let_alone_add(before, UUID, 100);
	kx_let_alone_add(before, OTHER, 200);
	kx_let_alone_add(before, NULL, 200);
	kx_let_alone_remove(before, OTHER);
	assert_true(kx_let_alone_has(before, UUID, 100));

	after = kx_let_alone_new(f->file, f->root);
	assert_true(kx_let_alone_has(after, UUID, 100));
	assert_false(kx_let_alone_has(after, UUID, 200));
	assert_false(kx_let_alone_has(after, OTHER, 200));
	kx_let_alone_remove(after, UUID);
	last = kx_let_alone_new(f->file, f->root);
	assert_false(kx_let_alone_has(last, UUID, 100));
}

/* A VM was stopped and started while the daemon did not run: it is another process, or another process has its number. */
static void a_new_life_is_another_vm(void **state)
{
	const Fixture *f = *state;
	g_autoptr(KxLetAlone) before = kx_let_alone_new(f->file, f->root), after = NULL;
	g_autofree char *text = NULL;

	kx_let_alone_add(before, UUID, 100);
	fake_process(f->root, "100", "7000");
	assert_false(kx_let_alone_has(before, UUID, 100));
	after = kx_let_alone_new(f->file, f->root);
	assert_false(kx_let_alone_has(after, UUID, 100));
	kx_let_alone_add(after, OTHER, 200);
	assert_true(g_file_get_contents(f->file, &text, NULL, NULL));
	assert_null(strstr(text, UUID)); /* forgotten */
}

static void goes_on_without_a_file(void **state)
{
	const Fixture *f = *state;
	g_autoptr(KxLetAlone) none = kx_let_alone_new(NULL, f->root), broken = NULL;

	kx_let_alone_add(none, UUID, 100);
	assert_true(kx_let_alone_has(none, UUID, 100));
	fake_write(f->root, "detached", "no key file\n");
	broken = kx_let_alone_new(f->file, f->root);
	assert_false(kx_let_alone_has(broken, UUID, 100));
	kx_let_alone_add(broken, UUID, 100);
	assert_true(kx_let_alone_has(broken, UUID, 100));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(is_kept_over_a_restart),
		CASE(a_new_life_is_another_vm),
		CASE(goes_on_without_a_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
