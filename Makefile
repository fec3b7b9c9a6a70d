# SPDX-License-Identifier: GPL-2.0-or-later
# kvm-ext: everything a user or CI runs is a target here; `make help` lists them.

BUILD   := build
PREFIX  ?= /usr/local
DESTDIR ?=
ifeq ($(origin CC),default)
# A cache of what was compiled, by content, where there is one (`make check` installs it).
CC      := $(if $(shell command -v ccache),ccache )gcc
endif
export CCACHE_DIR ?= $(or $(KVM_EXT_CACHE),$(HOME)/.cache/kvm-ext)/ccache
CFLAGS  ?= -O2 -g
VERSION := $(shell sed -n 's/^\#define KVM_EXT_VERSION "\(.*\)"/\1/p' include/kvm-ext/version.h)

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:

# Package files a goal needs; `deps` installs what is missing of them.
PACKAGES_BUILD := mk/packages.txt hostd/packages.txt
PACKAGES_LAB   := tests/lab/packages.txt
PACKAGES_CHECK := mk/packages-check.txt
PACKAGES_DEB   := packaging/packages.txt
PACKAGES_QEMU  := qemu-patches/packages.txt

include hostd/hostd.mk
include mk/kmod.mk
include bench/workloads/workloads.mk
include tests/lab/lab.mk
include qemu-patches/qemu-patches.mk
include tests/vmm/vmm.mk
include tests/guest/guest.mk
include tests/migrate/migrate.mk
include tests/soak/soak.mk
include kvm-ext/common/common.mk
include tests/fuzz/fuzz.mk
include tests/model/model.mk
include mk/unit.mk
include mk/install.mk
include mk/lint.mk
include bench/bench.mk
include bench/walk.mk
include bench/common.mk
include bench/metrics.mk

## all: user space, the guest workload and, where the running kernel's headers are installed, the module
.PHONY: all
all: hostd workload modules-if-headers

## deps: install the Debian packages that building, checking and the emulated hosts need
.PHONY: deps deps-build deps-lab
deps:
	mk/deps $(PACKAGES_BUILD) $(PACKAGES_LAB) $(PACKAGES_CHECK) $(PACKAGES_DEB) $(PACKAGES_QEMU)
deps-build:
	@mk/deps $(PACKAGES_BUILD)
deps-lab:
	@mk/deps $(PACKAGES_BUILD) $(PACKAGES_LAB)

## demo: install what is missing, boot the emulated host, cycle the trackers on two libvirt domains, save the report
.PHONY: demo
demo: deps-lab
	@tests/demo/run

## demo-intel: guest PEBS beside PML, EPT walk and accessed bits on one domain of an emulated Intel host
.PHONY: demo-intel
demo-intel: deps-lab
	@tests/demo/intel

## picture: docs/report.png anew, of the page that `make demo` has left; look at it before you commit it
.PHONY: picture
picture:
	tests/page/picture out/demo/report.html '#cost figure' docs/report.png

## check: install what is missing, build, run all tests (under 25 minutes)
.PHONY: check
check: deps
	@tests/check

## check-long: the long jobs beside `make check`
.PHONY: check-long
check-long: deps
	@tests/check --long

## clean: remove what was built (the cache of kernels outside the tree stays)
.PHONY: clean
clean:
	rm -rf $(BUILD) out

## help: this list
.PHONY: help
help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST) | sort | awk -F': ' '{ printf "  %-14s %s\n", $$1, $$2 }'
