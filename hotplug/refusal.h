/* SPDX-License-Identifier: GPL-3.0-or-later */
/* refusal: explain why the guest has not done what it was asked to do. */
#ifndef HOTPLUG_REFUSAL_H
#define HOTPLUG_REFUSAL_H

#include "hotplug/ask.h"

/*
 * refusal_report() - the result of a request that the guest has answered
 * Return: 0; 1 when blocks have not appeared yet; -1 with @err
 */
int refusal_report(const struct transaction *t, const struct answer *answer, enum work work,
		   struct err *err) __attribute__((warn_unused_result));

/* refusal_explain() - complete @err of a request that failed: whether the guest or its shell has
 * ended, the block being changed, and what keeps it from going offline */
void refusal_explain(struct transaction *t, const struct request *r, enum work work,
		     struct err *err);

#endif
