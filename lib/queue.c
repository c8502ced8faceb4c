/* SPDX-License-Identifier: GPL-3.0-or-later */
/* JSON messages that wait. */
#include <stdlib.h>

#include "lib/queue.h"
#include "lib/util.h"

void queue_init(struct queue *queue)
{
	*queue = (struct queue){ .end = &queue->first };
}

void queue_add(struct queue *queue, struct json_object *object, size_t bytes)
{
	struct queued *m = xcalloc(1, sizeof(*m));

	m->object = object;
	m->bytes = bytes;
	*queue->end = m;
	queue->end = &m->next;
	queue->count++;
	queue->bytes += bytes;
}

struct json_object *queue_take(struct queue *queue, struct queued **at)
{
	struct queued *m = *at;
	struct json_object *object = m->object;

	*at = m->next;
	if (!m->next)
		queue->end = at;
	queue->count--;
	queue->bytes -= m->bytes;
	free(m);
	return object;
}

void queue_free(struct queue *queue)
{
	while (queue->first)
		json_object_put(queue_take(queue, &queue->first));
}
