/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * history: the lines that were typed at earlier prompts, in a file that no other user can touch.
 * Must never: follow a link that another user may have made, or print.
 */
#ifndef CLI_HISTORY_H
#define CLI_HISTORY_H

/* history_path() - ~/.local/state/memhp/history; NULL without a home. The caller frees it. */
char *history_path(void);

/*
 * history_load() - hand each line of the file to @take, the oldest first; none where the file, or a
 * directory on the way to it, is not this user's or root's alone
 */
void history_load(const char *path, void (*take)(const char *line));

/*
 * history_save() - put the lines into the file, in the place of what was there, and make the
 * directories on the way; nothing is written where another user could change one of them
 * @next:	returns a line, the oldest first; NULL at the end
 */
void history_save(const char *path, const char *(*next)(void));

#endif
