/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The virtual machine of a command. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util.h"
#include "vm.h"

int vm_open_qmp(struct vm *vm, struct err *err)
{
	if (vm->qmp)
		return 0;
	if (!vm->qmp_address) {
		err_set(err, ERR_USAGE, "no monitor given");
		return err_hint(err, "name QEMU's QMP socket with --qmp PATH or in MEMHP_QMP");
	}
	return qmp_open(&vm->qmp, vm->qmp_address, &vm->trace, vm->deadline, err);
}

/* A relative path in an answer of QEMU's starts at QEMU's working directory. */
static char *whole_path(const struct vm *vm, const char *path, size_t len)
{
	_cleanup_free_ char *link = NULL;
	char directory[PATH_MAX];
	ssize_t n;

	if (path[0] == '/' || !qmp_peer_pid(vm->qmp))
		return xstrndup(path, len);
	link = xasprintf("/proc/%d/cwd", (int)qmp_peer_pid(vm->qmp));
	n = readlink(link, directory, sizeof(directory) - 1);
	if (n < 0)
		return xstrndup(path, len);
	directory[n] = '\0';
	return xasprintf("%s/%.*s", directory, (int)len, path);
}

/*
 * The channel that a character device offers: "unix:PATH,server=on" while a client is connected,
 * "disconnected:unix:PATH,server=on" while none is, "pty:/dev/pts/N". NULL for others.
 */
static char *console_address(const struct vm *vm, const char *filename, bool *in_use)
{
	static const char idle[] = "disconnected:";
	_cleanup_free_ char *path = NULL;

	if (!strncmp(filename, "pty:", 4)) {
		*in_use = false;
		return xasprintf("serial:%s", filename + 4);
	}
	*in_use = strncmp(filename, idle, sizeof(idle) - 1) != 0;
	if (!*in_use)
		filename += sizeof(idle) - 1;
	if (strncmp(filename, "unix:", 5) != 0)
		return NULL;
	path = whole_path(vm, filename + 5, strcspn(filename + 5, ","));
	return xasprintf("serial:%s", path);
}

/* What a serial port is called: serial0 by QEMU, ser... or console... by people. */
static bool label_is_serial(const char *label)
{
	return !strncmp(label, "ser", 3) || !strncmp(label, "console", 7);
}

static int find_console(struct vm *vm, struct json_object *chardevs, struct err *err)
{
	size_t i, count = json_object_is_type(chardevs, json_type_array)
				  ? json_object_array_length(chardevs)
				  : 0;
	const char *best = NULL, *best_label = NULL;

	for (i = 0; i < count; i++) {
		struct json_object *chardev = json_object_array_get_idx(chardevs, i);
		_cleanup_free_ char *address = NULL;
		const char *label, *filename;
		bool in_use;

		if (!json_get_string(chardev, "label", &label) ||
		    !json_get_string(chardev, "filename", &filename) || !label_is_serial(label))
			continue;
		address = console_address(vm, filename, &in_use);
		/* by label: serial0 before serial1, whatever QEMU's order */
		if (address && (!best || strcmp(label, best_label) < 0)) {
			best = filename;
			best_label = label;
		}
	}
	if (best) {
		bool in_use;

		vm->guest_found = console_address(vm, best, &in_use);
		if (in_use) {
			err_set(err, ERR_GUEST_UNREACHABLE,
				"the guest's console '%s' is in use by another program",
				vm->guest_found + strlen("serial:"));
			return err_hint(err, "close the other one, or name a channel with --guest");
		}
	}
	return 0;
}

/* Ask QEMU which of its character devices is the guest's console. */
static int find_guest(struct vm *vm, struct err *err)
{
	_cleanup_json_ struct json_object *chardevs = NULL;

	if (!vm->qmp)
		return 0;
	if (qmp_execute(vm->qmp, "query-chardev", NULL, &chardevs, err))
		return err_wrap(err, "cannot ask QEMU (query-chardev)");
	return find_console(vm, chardevs, err);
}

const char *vm_channel(const struct vm *vm)
{
	const char *address = vm->guest_address ? vm->guest_address : vm->guest_found;

	return address && strcmp(address, "none") != 0 ? address : NULL;
}

int vm_open_guest(struct vm *vm, struct err *err)
{
	if (vm->guest)
		return 0;
	if (!vm->guest_address && find_guest(vm, err))
		return -1;
	if (!vm_channel(vm))
		return 0;
	return guest_open(&vm->guest, vm_channel(vm), &vm->trace, vm->deadline, err);
}

void vm_close(struct vm *vm)
{
	guest_close(vm->guest);
	qmp_close(vm->qmp);
	free(vm->guest_found);
	vm->guest = NULL;
	vm->qmp = NULL;
	vm->guest_found = NULL;
}
