# SPDX-License-Identifier: GPL-2.0-or-later
# The report as a page.

KX_LIB_SRCS += \
	hostd/base/colour.c \
	hostd/html/axis.c \
	hostd/html/page.c \
	hostd/html/pieces.c \
	hostd/html/plot.c \
	hostd/html/scatter.c \
	hostd/html/section-accuracy.c \
	hostd/html/section-ages.c \
	hostd/html/section-agreement.c \
	hostd/html/section-answer.c \
	hostd/html/section-cost.c \
	hostd/html/section-environment.c \
	hostd/html/section-map.c \
	hostd/html/section-notes.c \
	hostd/html/section-placement.c \
	hostd/html/section-timeline.c \
	hostd/html/section-working-set.c \
	hostd/html/tables.c \
	hostd/html/values.c \
	hostd/html/write.c

# Style and script of the page, which the program contains.
KX_LIB_GEN := page-resource
KX_HTML_FILES := hostd/html/page.gresource.xml hostd/html/page.css hostd/html/page.js
KX_GEN += $(BUILD)/hostd/gen/page-resource.h $(BUILD)/hostd/gen/page-resource.c
$(BUILD)/hostd/gen/page-resource.c $(BUILD)/hostd/gen/page-resource.h: $(KX_HTML_FILES)
	@mkdir -p $(@D)
	glib-compile-resources --sourcedir=hostd/html --internal --c-name kx_page --generate --target=$@ $<

KX_UNIT_TESTS += test-axis test-colour test-page
