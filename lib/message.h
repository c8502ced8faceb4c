/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * message: JSON objects out of a byte stream, one after the other, as QEMU's monitors and its
 * guest agent send them; bounded and strict. Must never: know what they mean.
 */
#ifndef LIB_MESSAGE_H
#define LIB_MESSAGE_H

#include <json-c/json.h>
#include <stddef.h>

#include "lib/util.h"

/* Of one stream; message_init() it. */
struct message_reader {
	struct json_tokener *tokener;
	size_t bytes; /* of the message that is being read */
	size_t parts; /* arrays and commas of it, at most; an object counts as several */
};

void message_init(struct message_reader *r);
void message_release(struct message_reader *r);

/*
 * message_read() - take the next message out of @in: one a line, or over many lines
 * @object:	receives it, always an object; the caller owns it; NULL without one
 * @bytes:	receives about how much memory it takes, rather more than less; 80 MiB at most
 * @why:	receives what is wrong with the stream, which is of no use then; not owned
 * Return: 1 with a message, 0 when none is complete (what has come of it is taken), -1 with @why
 */
int message_read(struct message_reader *r, struct buf *in, struct json_object **object,
		 size_t *bytes, const char **why) __attribute__((warn_unused_result));

#endif
