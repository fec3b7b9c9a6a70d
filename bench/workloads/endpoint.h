/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef WL_ENDPOINT_H
#define WL_ENDPOINT_H

/*
 * Opens where the log goes and where commands come from; NULL means standard output and input.
 * Both may name the same device, which is then opened once: a virtio port cannot be opened twice.
 * Returns 0, or -1 after an error has been printed.
 */
int wl_endpoints_open(const char *log_path, const char *control_path, int *log_fd, int *control_fd);

#endif
