/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The guest's shell program, in the pieces that pack.awk makes. */
#include "guest/program.h"
#include "lib/util.h"

static const struct {
	verb_set verbs; /* that need it; 0: all do */
	const char *text;
} pieces[] = {
#include "guest-program.h"
};

_Static_assert(ARRAY_SIZE(pieces) <= 8 * sizeof(piece_set), "a piece needs a bit");

int pieces_next(verb_set verbs, piece_set loaded)
{
	int i;

	for (i = 0; i < (int)ARRAY_SIZE(pieces); i++)
		if (!(loaded & UINT32_C(1) << i) && (!pieces[i].verbs || pieces[i].verbs & verbs))
			return i;
	return -1;
}

const char *pieces_text(int piece)
{
	return pieces[piece].text;
}
