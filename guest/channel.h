/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * channel: the transports to a guest, each a table of operations, and the state that they share.
 * Private to this room: others use guest/guest.h.
 */
#ifndef GUEST_CHANNEL_H
#define GUEST_CHANNEL_H

#include "guest/agent-blocks.h"
#include "guest/agent.h"
#include "guest/exec.h"
#include "guest/frame.h"
#include "guest/guest.h"
#include "guest/patience.h"
#include "guest/program.h"
#include "guest/serial.h"
#include "lib/process.h"

struct channel_ops {
	/* connect to g->address; also to reconnect after the connection was lost */
	int (*open)(struct guest *g, struct err *err);
	/* send in advance what requests with these verbs need; NULL: not possible */
	int (*load)(struct guest *g, verb_set verbs, struct err *err);
	/* start a request without waiting; g->request is a copy of it */
	int (*send)(struct guest *g, const struct request *r, struct err *err);
	/* as guest_poll(), without what follows a complete answer */
	int (*poll)(struct guest *g, struct answer *a, int64_t until_ms, struct err *err);
	/* stop the request under way and read the rest of its answer */
	int (*cancel)(struct guest *g, struct answer *a, struct err *err);
	/* end it; @whole: the command's deadline (g->deadline is the limit for closing) */
	void (*close)(struct guest *g, bool is_for_good, const struct deadline *whole);
	/* tell it that no more requests follow, without waiting; NULL: not needed */
	void (*leave)(struct guest *g);
	/* readable when more of the answer may have come; when to ask again regardless */
	int (*fd)(const struct guest *g);
	int64_t (*due_ms)(const struct guest *g);
	/* must it be reopened for a command with this deadline? NULL: never */
	bool (*ends_early)(const struct guest *g);

	/* for those that run a shell session (guest/session.c): */
	/* send a line that gets an answer */
	int (*write_line)(struct guest *g, const char *line, struct err *err);
	/* ask for the answer again, as other output may have damaged it; NULL: cannot happen */
	int (*remind)(struct guest *g, struct err *err);
	/* handle a line that is not the session's; NULL: ignore it */
	void (*hear_other)(struct guest *g, const char *line);
	size_t queue_bytes; /* that may wait unread; 0: no limit */
};

extern const struct channel_ops channel_process, channel_console, channel_exec, channel_blocks;

struct guest {
	const struct channel_ops *ops;
	struct stream stream;
	struct process process;
	struct serial serial;
	struct login *login;
	struct agent agent;
	struct exec exec;
	struct agent_blocks blocks;
	struct request request; /* the last one sent */
	struct deadline *deadline;
	const struct trace *trace;
	bool is_known;	   /* it has answered: a shell runs guest.sh */
	bool is_pending;   /* sent, and not answered yet */
	bool is_leaving;   /* told to end, and has not confirmed it yet */
	bool is_lost;	   /* the console is still there, but its shell has gone */
	bool is_abandoned; /* send nothing more to it */
	bool has_panicked; /* according to its console */
	piece_set loaded;
	struct address address;
	struct stream_opener opener;
	size_t unread_bytes; /* at most: sent since the last answer */
	guest_hear_fn *hear; /* NULL: none */
	void *hear_context;
	struct patience patience; /* for the answer under way */
	char id[FRAME_ID_LEN + 1];
	unsigned exchange;
};

#endif
