# SPDX-License-Identifier: GPL-2.0-or-later
# QEMU with the series of qemu-patches.

## qemu-patches: install what is missing, build QEMU with each series of qemu-patches, run its qtests
.PHONY: qemu-patches
qemu-patches:
	@mk/deps $(PACKAGES_QEMU)
	qemu-patches/build 7.2
	qemu-patches/build 10.0
	qemu-patches/build 10.0-tcg
