/* SPDX-License-Identifier: GPL-2.0-or-later */
/* top on a terminal: what stands where, and the keys. */
#ifndef KX_TOP_SCREEN_H
#define KX_TOP_SCREEN_H

#include "top-model.h"

typedef struct _TopScreen TopScreen;

typedef struct {
	const GPtrArray *rows; /* TopRow; NULL: no answer yet */
	TopView *view;	       /* scrolled as the screen needs */
	TopColumn sort;
	gboolean reverse;
	const char *about;   /* the first line */
	const char *message; /* NULL: the last line shows the keys */
	const char *prompt;  /* what is asked; NULL: nothing */
	const char *typed;   /* the answer so far */
} TopPicture;

/* Takes the terminal. NULL: it cannot show a screen, @error is set. Signal handlers must be there before. */
TopScreen *top_screen_open(GError **error);
/* Leaves the terminal as it was. */
void top_screen_close(TopScreen *s);
void top_screen_draw(TopScreen *s, const TopPicture *p);
/* The terminal has another size now. */
void top_screen_resize(TopScreen *s);
guint top_screen_visible(void); /* number of rows */

typedef enum {
	TOP_KEY_NONE, /* no more keys for now */
	TOP_KEY_CHARACTER,
	TOP_KEY_UP,
	TOP_KEY_DOWN,
	TOP_KEY_PAGE_UP,
	TOP_KEY_PAGE_DOWN,
	TOP_KEY_HOME,
	TOP_KEY_END,
	TOP_KEY_ENTER,
	TOP_KEY_ESCAPE,
	TOP_KEY_TAB,
	TOP_KEY_BACKSPACE,
	TOP_KEY_CLEAR,	/* the line */
	TOP_KEY_REDRAW, /* the screen */
	TOP_KEY_OTHER,
} TopKey;

/* Does not wait. */
TopKey top_screen_key(TopScreen *s, gunichar *character);

#endif /* KX_TOP_SCREEN_H */
