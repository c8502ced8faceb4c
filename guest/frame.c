/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The lines that guest.sh answers with. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "guest/frame.h"
#include "lib/util.h"

#define NUMBER_MAX 1000000

int frame_make_id(char id[static FRAME_ID_LEN + 1], struct err *err)
{
	uint32_t random;

	if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return err_set(err, ERR_FAILED, "cannot get random bytes");
	snprintf(id, FRAME_ID_LEN + 1, "%08x", random);
	return 0;
}

/* Read a decimal number that ends in a blank, and skip both. */
static bool take_number(char **at, uint64_t *out)
{
	char *blank = strchr(*at, ' ');

	if (!blank)
		return false;
	*blank = '\0';
	if (!parse_u64(*at, 10, out) || *out > NUMBER_MAX)
		return false;
	*at = blank + 1;
	return true;
}

bool frame_is_last(const char *line, const char *id)
{
	char frame[FRAME_ID_LEN + 3];

	snprintf(frame, sizeof(frame), "@%s@", id);
	return strstr(line, frame) != NULL;
}

bool frame_parse(char *line, const char *id, struct frame *frame)
{
	char start[FRAME_ID_LEN + 3], end[FRAME_ID_LEN + 32];
	uint64_t exchange, sequence, length;
	char *at;

	if (strlen(id) != FRAME_ID_LEN)
		return false;
	snprintf(start, sizeof(start), "@%s.", id);
	at = strstr(line, start);
	if (!at)
		return false;
	at += strlen(start);
	if (!take_number(&at, &exchange) || !take_number(&at, &sequence) ||
	    !take_number(&at, &length))
		return false;
	snprintf(end, sizeof(end), " %u %u %s@", (unsigned)sequence, (unsigned)length, id);
	if (strlen(at) < length || strncmp(at + length, end, strlen(end)) != 0)
		return false;
	at[length] = '\0';
	*frame = (struct frame){ (unsigned)exchange, (unsigned)sequence, at };
	return true;
}
