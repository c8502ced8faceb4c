/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * frame: the lines that guest.sh answers with, "@ID.EXCHANGE SEQUENCE LENGTH PAYLOAD SEQUENCE
 * LENGTH ID@", found among everything else a console shows. Bytes can only be added on the
 * way (kernel messages, an echo), so a line whose two ends agree, with the right length between
 * them, is intact. Must never: trust a length.
 */
#ifndef GUEST_FRAME_H
#define GUEST_FRAME_H

#include <stdbool.h>

#include "lib/err.h"

#define FRAME_ID_LEN 8 /* hexadecimal digits */

struct frame {
	unsigned exchange;
	unsigned sequence; /* from 1 */
	char *payload;	   /* points into the line, NUL-terminated there */
};

/* frame_make_id() - a random id for a new session; -1 when the kernel gives no random bytes */
int frame_make_id(char id[static FRAME_ID_LEN + 1], struct err *err)
	__attribute__((warn_unused_result));

/*
 * frame_parse() - find the frame in a line
 * @line:	modified: the payload is terminated in place
 * @id:		the session's id
 * Return: true when @line holds an intact frame of this session
 */
bool frame_parse(char *line, const char *id, struct frame *frame);

/* frame_is_last() - does the line say that the session has ended? It is just "@ID@" */
bool frame_is_last(const char *line, const char *id);

#endif
