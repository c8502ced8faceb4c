/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * history: the lines typed at earlier prompts, in a file that no other user can touch. Must never:
 * follow a link that another user may have created, print.
 */
#ifndef CLI_HISTORY_H
#define CLI_HISTORY_H

/* history_path() - ~/.local/state/memhp/history; NULL without a home. The caller frees it. */
char *history_path(void);

/*
 * history_load() - pass each line of the file to @take, the oldest first; none if another user
 * could change the file or a directory on the way to it
 */
void history_load(const char *path, void (*take)(const char *line));

/*
 * history_save() - replace the lines in the file, and create the directories on the way; nothing is
 * written if another user could change one of them
 * @next:	returns a line, the oldest first; NULL at the end
 */
void history_save(const char *path, const char *(*next)(void));

#endif
