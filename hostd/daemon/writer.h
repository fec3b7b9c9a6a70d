/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes log lines: text or JSON on standard error, or journald's own protocol with priority and fields. */
#ifndef KX_WRITER_H
#define KX_WRITER_H

#include "control/config.h"

/* The format of all later lines; may be called again. */
void kx_writer_set(KxLogFormat format);

#endif /* KX_WRITER_H */
