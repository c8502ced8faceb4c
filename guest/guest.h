/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * guest: one channel to a guest. Whatever the transport, a request goes out and one answer comes
 * back: from guest.sh in a shell, or from a guest agent's own commands if it forbids guest-exec.
 * Must never: know what a block's state means.
 */
#ifndef GUEST_GUEST_H
#define GUEST_GUEST_H

#include "guest/answer.h"
#include "guest/login.h"
#include "guest/request.h"
#include "lib/address.h"
#include "lib/deadline.h"
#include "lib/err.h"
#include "lib/stream.h"

struct guest;

/*
 * guest_open() - connect, and load guest.sh into a shell
 * @address:	of a channel, not ADDRESS_NONE; its text is borrowed
 * @opener:	opens the path of a console or an agent, also when the channel is reopened
 * @login:	the user to log in as on a console that asks for it; borrowed
 * @trace:	gets commands and answers; borrowed; may be NULL
 * @deadline:	bounds every wait of the channel; borrowed
 * Return: 0 with a channel for guest_close(); -1 with ERR_GUEST_UNREACHABLE
 */
int guest_open(struct guest **out, const struct address *address, struct stream_opener opener,
	       struct login *login, const struct trace *trace, struct deadline *deadline,
	       struct err *err) __attribute__((warn_unused_result));

/*
 * guest_load() - send in advance the parts of guest.sh that requests with @verbs need, without
 * waiting: the guest reads them while QEMU is busy
 */
int guest_load(struct guest *g, verb_set verbs, struct err *err)
	__attribute__((warn_unused_result));

/* guest_send() - start a request without waiting; @r is copied */
int guest_send(struct guest *g, const struct request *r, struct err *err)
	__attribute__((warn_unused_result));

/*
 * guest_receive() - wait for the complete answer to the last guest_send()
 * @answer:	replaced; the caller releases it
 * Return: 0; -1 with ERR_TIMEOUT or ERR_INTERRUPTED (the request still runs: guest_cancel()),
 * or ERR_GUEST_UNREACHABLE
 */
int guest_receive(struct guest *g, struct answer *answer, struct err *err)
	__attribute__((warn_unused_result));

/*
 * guest_poll() - as guest_receive(), but only until @until_ms; to be called again with the same
 * @answer, empty at first, when guest_fd() is readable, and at guest_due_ms()
 * @until_ms:	a sooner limit than the deadline; 0 looks only at what has come
 * Return: 1 with the whole answer, 0 at @until_ms, -1 as guest_receive()
 */
int guest_poll(struct guest *g, struct answer *answer, int64_t until_ms, struct err *err)
	__attribute__((warn_unused_result));

/* guest_fd() - readable when more of the answer may have come */
int guest_fd(const struct guest *g);

/* guest_due_ms() - when to ask for the answer again (CLOCK_MONOTONIC) */
int64_t guest_due_ms(const struct guest *g);

/* guest_run() - send and receive in one: a round trip */
int guest_run(struct guest *g, const struct request *r, struct answer *answer, struct err *err)
	__attribute__((warn_unused_result));

/*
 * guest_listen() - call @hear from time to time during a change, with the last block done; NULL: no
 * calls
 */
typedef void guest_hear_fn(void *context, uint64_t block);
void guest_listen(struct guest *g, guest_hear_fn *hear, void *context);

/*
 * guest_is_lost() - did the shell in the guest end during a request? (the guest may have run out of
 * memory) The next guest_send() reopens the channel.
 */
bool guest_is_lost(const struct guest *g);

/* guest_abandon() - the shell has ended with the guest that it ran in: send nothing more to what
 * listens there now, not even on closing; each guest_send() fails */
void guest_abandon(struct guest *g);

/*
 * guest_idle_fd() - readable when a console prints something while no command is under way; -1:
 * there is nothing to read guest_hear() - read what it prints, without waiting: it may be a panic
 * Return: false when nothing more will come
 */
int guest_idle_fd(const struct guest *g);
bool guest_hear(struct guest *g);

/* guest_note_panic() - record that the console shows a panic of the guest's kernel */
void guest_note_panic(struct guest *g);

/* guest_has_panicked() - has the console shown a panic of the guest's kernel? The channel is
 * abandoned then. */
bool guest_has_panicked(const struct guest *g);

/*
 * guest_cancel() - stop the request under way, if any. A write that hangs is killed in the guest,
 * and the rest of the answer awaited.
 * @answer:	replaced by that answer, empty if no request was under way; the caller releases it
 * Return: 0 when the channel is ready for the next guest_send(), -1
 */
int guest_cancel(struct guest *g, struct answer *answer, struct err *err)
	__attribute__((warn_unused_result));

/*
 * guest_leave() - tell the guest that no more requests follow, without waiting: it restores the
 * console's modes while QEMU is busy. A later guest_send() reopens the channel.
 */
void guest_leave(struct guest *g);

/* guest_close() - leave the channel as it was found; NULL is allowed */
void guest_close(struct guest *g);

#endif
