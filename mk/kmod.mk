# SPDX-License-Identifier: GPL-2.0-or-later
# The modules: the host's and the guest's. `modules` builds for an installed kernel, `kmod` for one of the lab's kernels, whose headers are in the
# cache. Each kernel has its own build/kmod/RELEASE. Further parameters (W=1 SPARSE=1 …): kvm-ext/Makefile.

KERNEL ?= $(shell uname -r)
KDIR   ?= /lib/modules/$(KERNEL)/build
KMOD   := $(BUILD)/kmod/$(KERNEL)/kvm_ext.ko

## modules: kvm_ext.ko and kvm_ext_guest.ko for the running kernel (KERNEL=RELEASE or KDIR=DIR for another)
.PHONY: modules modules-if-headers kmod
modules:
	@test -e $(KDIR)/Makefile || { echo "no kernel headers in $(KDIR): install linux-headers-$(KERNEL), \
	or give KDIR=" >&2; exit 1; }
	$(MAKE) -C kvm-ext modules KDIR=$(KDIR)

modules-if-headers:
	@if [ -e $(KDIR)/Makefile ]; then $(MAKE) --no-print-directory modules; \
	else echo "module not built: no headers for the running kernel in $(KDIR)"; fi

## kmod: both modules for a kernel of the lab (SUITE=bookworm|backports|trixie-backports)
SUITE ?= bookworm
kmod: W ?= 1
kmod:
	@tests/lab/kernels get $(SUITE) >/dev/null
	+@release=$$(tests/lab/kernels release $(SUITE)) && $(MAKE) --no-print-directory -C kvm-ext modules \
		W=$(W) RELEASE=$$release JOBS="$$(nproc)" KMAKE="$(CURDIR)/tests/lab/kernels make $$release --"
