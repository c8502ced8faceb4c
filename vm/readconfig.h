/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * readconfig: a file of QEMU's -readconfig as the options that it stands for. Must never: open it.
 */
#ifndef VM_READCONFIG_H
#define VM_READCONFIG_H

#include "lib/util.h"

/*
 * readconfig_words() - append its sections as words that each end in a NUL byte, "-chardev",
 * "id=c,backend=socket,...", for cmdline_parse()
 * @text:	the file, to its end or its first NUL byte; lines that QEMU would refuse are skipped
 */
void readconfig_words(struct buf *words, const char *text);

#endif
