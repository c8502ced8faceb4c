/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The name that somebody may have meant. */
#include <limits.h>
#include <string.h>

#include "lib/nearest.h"

#define LENGTH_MAX 40 /* longer words are not compared */

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Letters to insert, drop, replace or swap with their neighbour to make one word the other. */
static unsigned distance_of(const char *a, const char *b)
{
	unsigned rows[3][LENGTH_MAX + 1], i, j;
	unsigned *above2 = rows[0], *above = rows[1], *row = rows[2];

	for (j = 0; j <= strlen(b); j++)
		above[j] = j;
	for (i = 1; i <= strlen(a); i++) {
		unsigned *spare = above2;

		row[0] = i;
		for (j = 1; j <= strlen(b); j++) {
			row[j] = least(above[j], row[j - 1]) + 1;
			row[j] = least(row[j], above[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = least(row[j], above2[j - 2] + 1);
		}
		above2 = above;
		above = row;
		row = spare;
	}
	return above[strlen(b)];
}

/* Up to a third of the letters may differ, or the end may be missing. */
static unsigned distance_allowed(const char *word, const char *candidate)
{
	size_t len = strlen(word);

	if (len > 1 && !strncmp(word, candidate, len))
		return UINT_MAX;
	return (unsigned)(len < 3 ? 1 : (len + 2) / 3);
}

void nearest_offer(struct nearest *n, const char *candidate)
{
	unsigned distance;

	if (!candidate || strlen(n->word) > LENGTH_MAX || strlen(candidate) > LENGTH_MAX)
		return;
	distance = distance_of(n->word, candidate);
	if (distance > distance_allowed(n->word, candidate) || distance >= strlen(candidate) ||
	    (n->best && distance >= n->distance))
		return;
	n->best = candidate;
	n->distance = distance;
}

int nearest_hint(const struct nearest *n, const char *otherwise, struct err *err)
{
	if (n->best)
		return err_hint(err, "did you mean '%s'?", n->best);
	return otherwise ? err_hint(err, "%s", otherwise) : -1;
}
