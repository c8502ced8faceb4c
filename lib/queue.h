/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * queue: JSON messages that wait for their receiver, oldest first, and the memory they take. Must
 * never: read them.
 */
#ifndef LIB_QUEUE_H
#define LIB_QUEUE_H

#include <json-c/json.h>
#include <stddef.h>

struct queued {
	struct queued *next;
	struct json_object *object;
	size_t bytes; /* of memory */
};

struct queue {
	struct queued *first, **end;
	unsigned count;
	size_t bytes; /* of all */
};

/* queue_init() - make an empty queue; it must not be moved afterwards */
void queue_init(struct queue *queue);

/* queue_add() - append; @object is taken over */
void queue_add(struct queue *queue, struct json_object *object, size_t bytes);

/* queue_take() - unlink *@at, which is the queue's "first" or a "next" in it, and return its
 * object, which the caller then owns */
struct json_object *queue_take(struct queue *queue, struct queued **at);

/* queue_free() - free all messages; the queue is empty then */
void queue_free(struct queue *queue);

#endif
