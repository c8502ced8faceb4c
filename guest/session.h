/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * session: guest.sh in a shell at the far end of a stream: lines go to it, frames come
 * back. These are the operations that channels with a shell share (guest/channel.h).
 */
#ifndef GUEST_SESSION_H
#define GUEST_SESSION_H

#include "guest/channel.h"

/* In front of commands that another shell may know too: it reads them if the session was killed. */
#define SESSION_ONLY "[ $MEMHP ]&&"

/*
 * session_start() - turn the shell at the far end into the session; @has_id: it knows its id
 * already, else it is given one first, and reports that it is there
 *
 * session_explain() - after *err of the stream: the far end may have gone away; returns -1
 *
 * session_write() - send lines that more follow, or that another shell may read
 *
 * session_send_word() - have the session run one of its own words: "q", "again"
 *
 * The others are the operations of the same name.
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
