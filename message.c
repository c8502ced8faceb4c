/* SPDX-License-Identifier: GPL-3.0-or-later */
/* JSON objects out of a byte stream. */
#include <string.h>

#include "message.h"

#define BYTES_MAX (16 << 20)
#define DEPTH_MAX 64
#define PARTS_MAX (1 << 18) /* as json-c keeps it, "{}" takes 300 times its two bytes */

void message_init(struct message_reader *r)
{
	*r = (struct message_reader){ .tokener = json_tokener_new_ex(DEPTH_MAX) };
	json_tokener_set_flags(r->tokener, JSON_TOKENER_STRICT | JSON_TOKENER_ALLOW_TRAILING_CHARS |
						   JSON_TOKENER_VALIDATE_UTF8);
}

void message_release(struct message_reader *r)
{
	json_tokener_free(r->tokener);
	*r = (struct message_reader){ 0 };
}

static int broken(const char **why, const char *text)
{
	*why = text;
	return -1;
}

/* All of the buffer belongs to a message that goes on: is it still one that QEMU would send? */
static int take_part(struct message_reader *r, struct buf *in, const char **why)
{
	size_t i;

	for (i = 0; i < in->len; i++)
		r->parts += in->data[i] == '{' || in->data[i] == '[' || in->data[i] == ',';
	r->bytes += in->len;
	buf_drop(in, in->len);
	if (r->bytes > BYTES_MAX)
		return broken(why, "a message of more than 16 MiB");
	if (r->parts > PARTS_MAX)
		return broken(why, "a message of more than 262144 parts");
	return 0;
}

int message_read(struct message_reader *r, struct buf *in, struct json_object **object,
		 size_t *bytes, const char **why)
{
	enum json_tokener_error state;
	size_t used;

	if (!r->bytes && in->len)
		buf_drop(in, strspn(in->data, " \t\r\n"));
	if (!in->len)
		return 0;
	*object = json_tokener_parse_ex(r->tokener, in->data, (int)in->len);
	state = json_tokener_get_error(r->tokener);
	if (state == json_tokener_continue)
		return take_part(r, in, why);
	if (state != json_tokener_success)
		return broken(why, json_tokener_error_desc(state));
	used = json_tokener_get_parse_end(r->tokener);
	*bytes = r->bytes + used;
	json_tokener_reset(r->tokener);
	r->bytes = r->parts = 0;
	buf_drop(in, used);
	if (json_object_is_type(*object, json_type_object))
		return 1;
	json_object_put(*object);
	*object = NULL;
	return broken(why, "a message that is not an object");
}
