/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * queue: JSON messages that wait for whom they are for, oldest first, and the memory they take.
 * Must never: look into them.
 */
#ifndef LIB_QUEUE_H
#define LIB_QUEUE_H

#include <json-c/json.h>
#include <stddef.h>

struct queued {
	struct queued *next;
	struct json_object *object;
	size_t bytes; /* that it takes */
};

struct queue {
	struct queued *first, **end;
	unsigned count;
	size_t bytes; /* of all */
};

/* queue_init() - an empty one; it must not be moved afterwards */
void queue_init(struct queue *queue);

/* queue_add() - at the end; @object is taken over */
void queue_add(struct queue *queue, struct json_object *object, size_t bytes);

/* queue_take() - unlink *@at, which is the queue's "first" or a "next" in it, and return its
 * object, which is the caller's then */
struct json_object *queue_take(struct queue *queue, struct queued **at);

/* queue_free() - free all that waits; the queue is empty then */
void queue_free(struct queue *queue);

#endif
