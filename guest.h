/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * guest: one guest channel. Whatever the transport, it runs guest.sh and gives its answers: one or
 * more of its commands go over as one line, and what they say comes back as one answer. May call:
 * guest-serial, guest-process, frame, wire, deadline, err, util. Must never: know what a payload
 * means.
 */
#ifndef GUEST_H
#define GUEST_H

#include "deadline.h"
#include "err.h"
#include "wire.h"

struct guest;

/* What the guest said, one line for each say of guest.sh; zero-initialise it. */
struct answer {
	char **lines;
	unsigned count;
	size_t bytes; /* of all lines */
	bool is_cut;  /* has more lines than are kept */
};

void answer_release(struct answer *a);

/*
 * guest_open() - connect, and bring guest.sh into a shell
 * @address:	"serial:PATH", "ssh:[USER@]HOST[:PORT]", "exec:COMMAND", "local[:SYSROOT]"
 * @trace:	hears commands and answers; borrowed; may be NULL
 * @deadline:	bounds every wait of the channel; borrowed
 * Return: 0 with a channel for guest_close(); -1 with ERR_GUEST_UNREACHABLE or ERR_USAGE
 */
int guest_open(struct guest **out, const char *address, const struct trace *trace,
	       struct deadline *deadline, struct err *err) __attribute__((warn_unused_result));

/*
 * guest_load() - send ahead the parts of guest.sh that @commands will need, without waiting: the
 * guest takes them in while QEMU is busy
 */
int guest_load(struct guest *g, const char *commands, struct err *err)
	__attribute__((warn_unused_result));

/*
 * guest_send() - start commands of guest.sh, separated by ";", without waiting
 * @commands:	words of memhp's own and numbers only: nothing from a user or a guest
 */
int guest_send(struct guest *g, const char *commands, struct err *err)
	__attribute__((warn_unused_result));

/*
 * guest_receive() - wait for the whole answer to the last guest_send()
 * @answer:	replaced; the caller releases it
 * Return: 0; -1 with ERR_TIMEOUT or ERR_INTERRUPTED (then the commands still run: guest_cancel()),
 * or ERR_GUEST_UNREACHABLE
 */
int guest_receive(struct guest *g, struct answer *answer, struct err *err)
	__attribute__((warn_unused_result));

/* guest_run() - send and receive in one: a round trip */
int guest_run(struct guest *g, const char *commands, struct answer *answer, struct err *err)
	__attribute__((warn_unused_result));

/*
 * guest_is_lost() - did the shell in the guest end while it was at work? (the guest may have run
 * out of memory) The next guest_send() opens the channel anew.
 */
bool guest_is_lost(const struct guest *g);

/*
 * guest_cancel() - stop commands whose answer did not come; does nothing when none are under way.
 * A write that hangs is killed in the guest, and the rest of the answer is waited for.
 * @answer:	replaced by that answer, empty when nothing was under way; the caller releases it
 * Return: 0 when the channel is ready for the next guest_send(), -1
 */
int guest_cancel(struct guest *g, struct answer *answer, struct err *err)
	__attribute__((warn_unused_result));

/*
 * guest_leave() - tell the guest that nothing more is wanted, without waiting: it puts the
 * console's modes back while QEMU is busy. A guest_send() after all opens the channel anew.
 */
void guest_leave(struct guest *g);

/* guest_close() - leave the channel as it was found; NULL is fine */
void guest_close(struct guest *g);

#endif
