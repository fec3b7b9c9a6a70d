# SPDX-License-Identifier: GPL-2.0-or-later

C_USER   = $(filter-out tests/fops/%, $(shell git ls-files 'hostd/*.[ch]' 'tests/*.[ch]' 'bench/*.[ch]' kvm-ext/common/port-user.h))
C_KERNEL = $(filter-out kvm-ext/common/port-user.h, $(shell git ls-files 'kvm-ext/*.[ch]' 'include/kvm-ext/*.h' 'tests/fops/*.c'))
# Events are written in a way of their own.
C_EVENTS = kvm-ext/host/trace.h
SCRIPTS  = $(shell git grep -lE '^\#!/bin/(ba)?sh' -- . ':!docs')

## format: clang-format over user-space C
.PHONY: format
format:
	clang-format -i $(C_USER)

## lint: clang-format (check), checkpatch, cppcheck, clang-tidy, shellcheck, man pages, names that texts give; sparse runs with the module build
.PHONY: lint
lint: $(KX_GEN)
	clang-format --dry-run -Werror $(C_USER)
	mk/checkpatch $(filter-out $(C_EVENTS), $(C_KERNEL))
	mk/checkpatch --ignore OPEN_ENDED_LINE,PARENTHESIS_ALIGNMENT $(C_EVENTS)
	shellcheck -x $(SCRIPTS)
	cppcheck --quiet --library=gtk '-DG_DEFINE_QUARK(q,n)=' '-DG_GNUC_PRINTF(f,a)=' --error-exitcode=1 --inline-suppr --suppress=missingIncludeSystem \
		--enable=warning,performance,portability -Iinclude -Ihostd $(filter %.c,$(C_USER))
	clang-tidy --quiet $(filter hostd/%.c,$(C_USER)) -- -std=gnu11 $(KX_CPPFLAGS)
	mk/lint-man docs/man/*
	mk/lint-names

# The objects of a module's own files, of the build for SUITE, which is no test build.
kmod-objects = $$(git ls-files 'kvm-ext/$(1)/*.c' ':!kvm-ext/host/test-build.c' | \
	sed "s|^kvm-ext|$(BUILD)/kmod/$$(tests/lab/kernels release $(SUITE))|; s|c$$|o|")

## circles: no two files of the daemon, the CLI or a module call each other in a circle
.PHONY: circles circles-hostd circles-modules
circles: circles-hostd circles-modules
circles-hostd: hostd
	@mk/circles $(KX_LIB_OBJS) $(KX_DAEMON_OBJS)
	@mk/circles $(KX_LIB_OBJS) $(KX_CLI_OBJS)
circles-modules: kmod
	@mk/circles $(call kmod-objects,host)
	@mk/circles $(call kmod-objects,guest)
