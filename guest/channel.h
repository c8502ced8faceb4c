/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * channel: the ways to a guest, each a table of operations, and the state that they share. Private
 * to this room: others use guest/guest.h.
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
	/* connect to what g->address names; also again, when it was lost */
	int (*open)(struct guest *g, struct err *err);
	/* send ahead what requests with these verbs need; NULL: nothing can be */
	int (*load)(struct guest *g, verb_set verbs, struct err *err);
	/* start a request, without waiting; g->request is a copy of it */
	int (*send)(struct guest *g, const struct request *r, struct err *err);
	/* as guest_poll(), without what follows a whole answer */
	int (*poll)(struct guest *g, struct answer *a, int64_t until_ms, struct err *err);
	/* stop the request under way, and get the rest of its answer */
	int (*cancel)(struct guest *g, struct answer *a, struct err *err);
	/* end it; @whole: the command's deadline, where g->deadline is that of the goodbye */
	void (*close)(struct guest *g, bool is_for_good, const struct deadline *whole);
	/* say that nothing more is wanted, without waiting; NULL: there is no need */
	void (*leave)(struct guest *g);
	/* readable when the answer under way may have gone on; when to ask by the clock */
	int (*fd)(const struct guest *g);
	int64_t (*due_ms)(const struct guest *g);
	/* must it be opened anew for a command with this deadline? NULL: never */
	bool (*ends_early)(const struct guest *g);

	/* of those with a shell's session, which guest/session.c has in common: */
	/* send a line that is to be answered */
	int (*write_line)(struct guest *g, const char *line, struct err *err);
	/* ask for the answer again, which others may have damaged; NULL: nothing can */
	int (*remind)(struct guest *g, struct err *err);
	/* a line that is none of the session's; NULL: of no interest */
	void (*hear_other)(struct guest *g, const char *line);
	size_t queue_bytes; /* that may wait unread; 0: however many */
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
	struct request request; /* the last that was sent */
	struct deadline *deadline;
	const struct trace *trace;
	bool is_known;	   /* has answered: a shell that runs guest.sh is there */
	bool is_pending;   /* sent, and not answered yet */
	bool is_leaving;   /* told to leave, and has not said goodbye yet */
	bool is_lost;	   /* the console is there, but not the shell that was on it */
	bool is_abandoned; /* nothing is said to it any more */
	bool has_panicked; /* as its console says */
	piece_set loaded;
	struct address address;
	struct stream_opener opener;
	size_t unread_bytes; /* at most: sent since the last answer */
	guest_hear_fn *hear; /* NULL: nothing listens */
	void *hear_context;
	struct patience patience; /* with the answer under way */
	char id[FRAME_ID_LEN + 1];
	unsigned exchange;
};

#endif
