/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The types and macros that code in this directory uses, in the kernel and in user
 * space. This code is freestanding: no allocation, no locks, no clock, no I/O.
 */
#ifndef KVM_EXT_PORT_H
#define KVM_EXT_PORT_H

#ifdef __KERNEL__

#include <linux/atomic.h>
#include <linux/bitmap.h>
#include <linux/cache.h>
#include <linux/errno.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/types.h>

/* Lets other tasks use the CPU; call it only while no lock is held. */
#define port_rest()	cond_resched()

#else
#include "port-user.h"
#endif

#endif /* KVM_EXT_PORT_H */
