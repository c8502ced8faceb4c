/* SPDX-License-Identifier: GPL-3.0-or-later */
/* JSON objects out of a byte stream. */
#include <string.h>

#include "lib/message.h"

#define BYTES_MAX (16 << 20)
#define DEPTH_MAX 64
/* As json-c keeps it, "{}" takes 900 bytes, and 217 an "0" in an object with its name (0.16): so a
 * part is at most as large as this, an object as four. */
#define PART_BYTES   256
#define OBJECT_PARTS 4
#define PARTS_MAX    (1 << 18)

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

/* How many parts the text can have at most; what is inside of a string counts too. */
static size_t count_parts(const char *text, size_t len)
{
	size_t i, parts = 0;

	for (i = 0; i < len; i++) {
		if (text[i] == '{')
			parts += OBJECT_PARTS;
		else
			parts += text[i] == '[' || text[i] == ',';
	}
	return parts;
}

/* The first @len bytes belong to the message: is it still one that QEMU would send? */
static int take_part(struct message_reader *r, struct buf *in, size_t len, const char **why)
{
	r->parts += count_parts(in->data, len);
	r->bytes += len;
	buf_drop(in, len);
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
	int status;

	*object = NULL;
	if (!r->bytes && in->len)
		buf_drop(in, strspn(in->data, " \t\r\n"));
	if (!in->len)
		return 0;
	*object = json_tokener_parse_ex(r->tokener, in->data, (int)in->len);
	state = json_tokener_get_error(r->tokener);
	if (state == json_tokener_continue)
		return take_part(r, in, in->len, why);
	if (state != json_tokener_success)
		return broken(why, json_tokener_error_desc(state));
	status = take_part(r, in, json_tokener_get_parse_end(r->tokener), why);
	*bytes = r->bytes + r->parts * PART_BYTES;
	json_tokener_reset(r->tokener);
	r->bytes = r->parts = 0;
	if (!status && json_object_is_type(*object, json_type_object))
		return 1;
	json_object_put(*object);
	*object = NULL;
	return status ? -1 : broken(why, "a message that is not an object");
}
