/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * program: the guest's shell program, packed by pack.awk into pieces; a guest is sent only those
 * that its requests need. Must never: send anything.
 */
#ifndef GUEST_PROGRAM_H
#define GUEST_PROGRAM_H

#include <stdint.h>

#include "guest/request.h"

/* A set of pieces: bit N for piece N. */
typedef uint32_t piece_set;

/*
 * pieces_next() - the first piece that one of @verbs needs and that @loaded lacks
 * Return: its number; -1 when there is none
 */
int pieces_next(verb_set verbs, piece_set loaded);

/* pieces_text() - whole lines of sh for a piece; static */
const char *pieces_text(int piece);

#endif
