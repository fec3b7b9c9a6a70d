/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * kvm-ext: the version of this release, which all its parts show: modules, daemon,
 * command and packages. This line is the only place that has it; makefiles and scripts
 * read it from here.
 */
#ifndef KVM_EXT_VERSION_H
#define KVM_EXT_VERSION_H

#define KVM_EXT_VERSION "0.1.0"

#endif /* KVM_EXT_VERSION_H */
