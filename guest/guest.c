/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One channel to a guest, whatever the transport. */
#include <stdlib.h>

#include "guest/channel.h"
#include "guest/panic.h"

#define NOISE_MAX    (1 << 18) /* bytes without a line end that are kept */
#define LEAVE_MS     3000      /* closing takes no longer ... */
#define LEAVE_MIN_MS 300       /* ... and gets this even when the deadline has passed */

static const struct channel_ops *const channels[] = {
	[ADDRESS_SERIAL] = &channel_console, [ADDRESS_SSH] = &channel_process,
	[ADDRESS_AGENT] = &channel_exec,     [ADDRESS_EXEC] = &channel_process,
	[ADDRESS_LOCAL] = &channel_process,
};

/* Open the transport that the address names. */
static int open_transport(struct guest *g, struct err *err)
{
	enum address_kind kind = g->address.kind;

	g->ops = kind < ARRAY_SIZE(channels) ? channels[kind] : NULL;
	if (!g->ops)
		return err_set(err, ERR_USAGE, "'%s' is no guest channel", g->address.text);
	return frame_make_id(g->id, err) ? -1 : g->ops->open(g, err);
}

int guest_open(struct guest **out, const struct address *address, struct stream_opener opener,
	       struct login *login, const struct trace *trace, struct deadline *deadline,
	       struct err *err)
{
	struct guest *g = xcalloc(1, sizeof(*g));

	g->stream.in_fd = g->stream.out_fd = -1;
	g->login = login;
	g->deadline = deadline;
	g->trace = trace;
	g->address = *address;
	g->opener = opener;
	if (open_transport(g, err)) {
		guest_close(g);
		return -1;
	}
	*out = g;
	return 0;
}

static void close_transport(struct guest *g, bool is_for_good)
{
	struct deadline *whole = g->deadline;
	struct deadline parting = deadline_parting(whole, LEAVE_MIN_MS, LEAVE_MS);

	g->deadline = &parting;
	if (g->ops)
		g->ops->close(g, is_for_good, whole);
	g->deadline = whole;
}

/* With a new id: late frames of the old session do not match it. */
static int reopen(struct guest *g, struct err *err)
{
	close_transport(g, false);
	g->is_lost = false;
	g->loaded = 0;
	return open_transport(g, err);
}

int guest_load(struct guest *g, verb_set verbs, struct err *err)
{
	return g->ops->load ? g->ops->load(g, verbs, err) : 0;
}

int guest_send(struct guest *g, const struct request *r, struct err *err)
{
	if (g->is_abandoned)
		return err_set(err, ERR_GUEST_UNREACHABLE, "the guest has ended or restarted");
	if ((g->is_leaving || g->is_lost || (g->ops->ends_early && g->ops->ends_early(g))) &&
	    reopen(g, err))
		return -1;
	request_free(&g->request);
	request_copy(&g->request, r);
	return g->ops->send(g, &g->request, err);
}

int guest_poll(struct guest *g, struct answer *answer, int64_t until_ms, struct err *err)
{
	int status = g->ops->poll(g, answer, until_ms, err);

	if (status <= 0)
		return status;
	g->is_pending = false;
	g->is_known = true;
	g->unread_bytes = 0;
	if (g->is_lost)
		return err_set(err, ERR_GUEST_UNREACHABLE,
			       g->has_panicked ? "the guest's kernel has panicked, as the %s says"
					       : "the shell on the %s has ended",
			       g->stream.peer);
	answer_trace(answer, g->trace);
	return answer_read(answer, err) ? -1 : 1;
}

int guest_receive(struct guest *g, struct answer *answer, struct err *err)
{
	answer_free(answer);
	patience_begin(&g->patience, false);
	return guest_poll(g, answer, DEADLINE_NEVER, err) < 0 ? -1 : 0;
}

int guest_run(struct guest *g, const struct request *r, struct answer *answer, struct err *err)
{
	if (guest_send(g, r, err))
		return -1;
	return guest_receive(g, answer, err);
}

int guest_cancel(struct guest *g, struct answer *answer, struct err *err)
{
	answer_free(answer);
	return g->is_pending ? g->ops->cancel(g, answer, err) : 0;
}

bool guest_is_lost(const struct guest *g)
{
	return g->is_lost;
}

void guest_abandon(struct guest *g)
{
	g->is_lost = g->is_abandoned = g->agent.is_lost = true;
	g->is_pending = g->is_leaving = g->login->is_in = false;
}

int guest_idle_fd(const struct guest *g)
{
	return g->ops->hear_other && !g->is_pending && !g->is_abandoned ? g->stream.in_fd : -1;
}

bool guest_hear(struct guest *g)
{
	int heard = panic_hear(&g->stream, g->is_leaving, NOISE_MAX);

	if (heard > 0)
		guest_note_panic(g);
	return heard >= 0;
}

void guest_note_panic(struct guest *g)
{
	g->has_panicked = true;
	guest_abandon(g);
}

bool guest_has_panicked(const struct guest *g)
{
	return g->has_panicked;
}

void guest_listen(struct guest *g, guest_hear_fn *hear, void *context)
{
	g->hear = hear;
	g->hear_context = context;
}

int guest_fd(const struct guest *g)
{
	return g->ops->fd(g);
}

int64_t guest_due_ms(const struct guest *g)
{
	return g->ops->due_ms(g);
}

void guest_leave(struct guest *g)
{
	if (g->ops->leave)
		g->ops->leave(g);
}

void guest_close(struct guest *g)
{
	if (!g)
		return;
	close_transport(g, !g->login->is_kept);
	request_free(&g->request);
	free(g);
}
