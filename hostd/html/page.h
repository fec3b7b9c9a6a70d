/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A report, a comparison or an experiment as a page (HTML): one file that needs no network and no other file. The page is made
 * of the model that the text is made of, has the same values, and can be read without scripts.
 */
#ifndef KX_HTML_PAGE_H
#define KX_HTML_PAGE_H

#include "compare/comparison.h"
#include "experiment/experiment.h"
#include "model/report.h"

/* What the page shows; at least one member is not NULL. */
typedef struct {
	const KxReport *report;
	const KxComparison *comparison;
	const KxExperiment *experiment;
} KxPageOf;

/* The caller frees the text. */
char *kx_page_html(const KxPageOf *of);

#endif /* KX_HTML_PAGE_H */
