/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KX_DOMAIN_WORDS_H
#define KX_DOMAIN_WORDS_H

/* enum virDomainState */
const char *kx_domain_word_state(int state);
/* The detail of VIR_DOMAIN_EVENT_STOPPED */
const char *kx_domain_word_stopped(int detail);
/* Why the vCPUs do not run, by the domain's state and its reason; NULL: the vCPUs run. */
const char *kx_domain_word_paused(int state, int reason);
/* Why the vCPUs do not run, by an event and its detail; NULL: the event does not stop vCPUs. */
const char *kx_domain_word_suspended(int event, int detail);

#endif /* KX_DOMAIN_WORDS_H */
