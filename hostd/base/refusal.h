/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How the daemon says why it does not take a connection, before the peer is authenticated and can be sent a message: by the protocol's
 * line "ERROR …" in place of an answer. GDBus puts the line into the error that the peer gets.
 */
#ifndef KX_REFUSAL_H
#define KX_REFUSAL_H

#include <glib.h>

/* The line to send; the text has no full stop, which ends it. */
char *kx_refusal_line(const char *format, ...) G_GNUC_PRINTF(1, 2);
/* What the daemon said, from GDBus's @message; NULL: it said nothing. */
char *kx_refusal_in(const char *message);

#endif /* KX_REFUSAL_H */
