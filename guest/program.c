/* SPDX-License-Identifier: GPL-3.0-or-later */
/* guest.sh, in the pieces that program.awk makes of it. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "guest/program.h"
#include "lib/util.h"

static const struct {
	const char *words; /* a command with one of these needs it; "": every command does */
	const char *text;
} pieces[] = {
#include "guest-program.h"
};

_Static_assert(ARRAY_SIZE(pieces) <= 8 * sizeof(piece_set), "a piece needs a bit");

/* Does @commands have one of the words, separated by blanks? */
static bool has_word(const char *commands, const char *words)
{
	_cleanup_free_ char *list = xstrdup(words);
	char *save, *word;

	for (word = strtok_r(list, " ", &save); word; word = strtok_r(NULL, " ", &save))
		if (strstr(commands, word))
			return true;
	return !*words;
}

int pieces_next(const char *commands, piece_set loaded)
{
	int i;

	for (i = 0; i < (int)ARRAY_SIZE(pieces); i++)
		if (!(loaded & UINT32_C(1) << i) && has_word(commands, pieces[i].words))
			return i;
	return -1;
}

const char *pieces_text(int piece)
{
	return pieces[piece].text;
}
