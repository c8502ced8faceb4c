/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mount: the file system of an open file. Must never: open a path that does not come from the
 * kernel.
 */
#ifndef LIB_MOUNT_H
#define LIB_MOUNT_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * mount_device() - the device of the file system itself. If that has several parts (btrfs with
 * subvolumes, overlayfs with layers), stat(2) returns the device of a part (proc(5): mountinfo).
 * @fd:		may be opened with O_PATH
 * @pid:	a process in whose mount namespace the file may be if it is not in this one
 * Return: false if unknown
 */
bool mount_device(int fd, pid_t pid, dev_t *device);

#endif
