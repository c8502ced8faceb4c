/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mount: the file system that an open file is in. Must never: open a path that it is not told by
 * the kernel.
 */
#ifndef LIB_MOUNT_H
#define LIB_MOUNT_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * mount_device() - the device of the file system itself. Where it has several parts (btrfs with
 * subvolumes, overlayfs with layers) stat(2) gives that of a part (proc(5): mountinfo).
 * @fd:		may be opened with O_PATH
 * @pid:	a process in whose mount namespace that may be, unless it is in this one
 * Return: false when unknown
 */
bool mount_device(int fd, pid_t pid, dev_t *device);

#endif
