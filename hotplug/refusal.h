/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * refusal: why the guest has not done what it was asked for, in words.
 */
#ifndef HOTPLUG_REFUSAL_H
#define HOTPLUG_REFUSAL_H

#include "hotplug/ask.h"

/*
 * refusal_tell() - what came of a request that the guest has answered
 * Return: 0; 1 when blocks are not there yet; -1 with @err
 */
int refusal_tell(const struct transaction *t, const struct answer *answer, enum work work,
		 struct err *err) __attribute__((warn_unused_result));

/* refusal_explain() - complete @err, with which a request has ended: the end of the guest or of its
 * shell, the block that it was at, and what keeps that from going offline */
void refusal_explain(struct transaction *t, const struct request *r, enum work work,
		     struct err *err);

#endif
