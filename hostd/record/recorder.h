/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes a recording. The caller never waits for the file: frames go to a queue of bounded size, and a thread compresses and
 * writes them. If the file is too slow, samples and reports are dropped, and a frame says so. Other frames are never dropped: they
 * are small and few, and the recording cannot be read without them.
 */
#ifndef KX_RECORDER_H
#define KX_RECORDER_H

#include <glib.h>

#include <kvm-ext/uapi.h>

typedef struct _KxRecorder KxRecorder;

typedef struct {
	guint64 bytes;	 /* written to the file */
	guint64 cpu_ns;	 /* of the thread */
	guint64 records; /* of samples, written or waiting */
	guint64 lost;	 /* records that were dropped */
	guint64 reports_lost;
} KxRecorderStats;

/**
 * kx_recorder_new() - begins a recording
 * @fd: the file, open for writing; the recorder closes it
 * @ended: called once, on the main loop, when writing has failed or kx_recorder_ask_end() was called
 */
KxRecorder *kx_recorder_new(int fd, void (*ended)(gpointer data), gpointer data);
KxRecorder *kx_recorder_ref(KxRecorder *r);
void kx_recorder_unref(KxRecorder *r);
/* The callback is not called any more. The main loop's. */
void kx_recorder_forget_callback(KxRecorder *r);
/* On any thread. */
void kx_recorder_ask_end(KxRecorder *r);

/* These functions do not block; one thread at a time may call them. */
void kx_recorder_put(KxRecorder *r, guint type, const char *json);
/* If the queue is full, a report is dropped unless it is the last one: the next report contains everything that this one has. */
void kx_recorder_put_report(KxRecorder *r, const char *json, gboolean last);
void kx_recorder_sample(KxRecorder *r, const struct kvm_ext_record *record);
/* Makes a frame of the samples that were put so far. */
void kx_recorder_flush(KxRecorder *r);
KxRecorderStats kx_recorder_stats(KxRecorder *r);
/* The recording has no more frames. A second call has no effect. */
void kx_recorder_end(KxRecorder *r);

/*
 * Waits until everything is in the file and the file is closed, for @timeout_us at most; -1: as long as it takes. On any thread,
 * after kx_recorder_end(). FALSE: @error says why something is missing in the file.
 */
gboolean kx_recorder_wait(KxRecorder *r, gint64 timeout_us, GError **error);

#endif /* KX_RECORDER_H */
