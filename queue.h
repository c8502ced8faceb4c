/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * queue: messages that have come and that nobody has asked for yet, oldest first, with what memory
 * they take. May call: json-c, util. Must never: know what they mean.
 */
#ifndef QUEUE_H
#define QUEUE_H

#include <json-c/json.h>
#include <stddef.h>

struct message {
	struct message *next;
	struct json_object *object;
	size_t bytes; /* that it takes */
};

/* queue_init() it. */
struct queue {
	struct message *first, **end;
	unsigned count;
	size_t bytes;
};

void queue_init(struct queue *queue);
void queue_release(struct queue *queue);

/* queue_add() - @object, which is taken over, comes last */
void queue_add(struct queue *queue, struct json_object *object, size_t bytes);

/* queue_take() - unlink *@at; returns its object, which the caller owns */
struct json_object *queue_take(struct queue *queue, struct message **at);

#endif
