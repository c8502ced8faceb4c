/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * session: guest.sh in a shell at the far end of a stream: lines to it, frames from it. The
 * operations that channels with a shell have in common (guest/channel.h).
 */
#ifndef GUEST_SESSION_H
#define GUEST_SESSION_H

#include "guest/channel.h"

/* Before what another shell might know too, which reads it when the session has been killed. */
#define SESSION_ONLY "[ $MEMHP ]&&"

/*
 * session_start() - let the shell at the far end become the session; one that has not got the id
 * yet does first, and says that it is there
 * session_explain() - after *err of the stream: it may be that the far end has gone away; returns
 * -1 session_write() - send lines that more is to follow, or that another shell may read
 * session_send_word() - have the session do a thing of its own: "q", "again"
 * Others are as the operation of that name.
 */
int session_start(struct guest *g, bool has_id, struct err *err)
	__attribute__((warn_unused_result));
int session_explain(struct guest *g, struct err *err);
int session_write(struct guest *g, const char *text, struct err *err)
	__attribute__((warn_unused_result));
int session_send_word(struct guest *g, const char *word, struct err *err)
	__attribute__((warn_unused_result));
int session_load(struct guest *g, verb_set verbs, struct err *err)
	__attribute__((warn_unused_result));
int session_send(struct guest *g, const struct request *r, struct err *err)
	__attribute__((warn_unused_result));
int session_poll(struct guest *g, struct answer *answer, int64_t until_ms, struct err *err)
	__attribute__((warn_unused_result));
int session_cancel(struct guest *g, struct answer *answer, struct err *err)
	__attribute__((warn_unused_result));
int session_fd(const struct guest *g);
int64_t session_due_ms(const struct guest *g);

#endif
