/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The virtual machine of a command. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "discover.h"
#include "util.h"
#include "vm.h"

/* For a monitor that is not the last one of its VM: whether it greets is known sooner than this. */
#define NEXT_MONITOR_MS 300

/* For a console that is to be logged out, and does not answer. */
#define LOG_OUT_MS 8000

/* Connect to all monitors, the only way to see which of them is free; returns how many took it. */
static unsigned connect_all(struct vm *vm, const struct qemu *qemu, struct qmp **sessions,
			    struct err *err)
{
	unsigned i, count = 0;

	for (i = 0; i < qemu->line.monitors_count; i++)
		if (!discover_connect(&sessions[count], qemu, qemu->line.monitors[i], &vm->trace,
				      vm->deadline, err))
			count++;
	return count;
}

/* Take the first monitor of @qemu that greets. */
static int open_process(struct vm *vm, const struct qemu *qemu, struct err *err)
{
	struct qmp *sessions[CMDLINE_MONITORS_MAX];
	unsigned i, count = connect_all(vm, qemu, sessions, err);

	for (i = 0; i < count && !vm->qmp; i++) {
		int64_t wait_ms = i + 1 < count ? NEXT_MONITOR_MS : QMP_GREETING_MS;

		if (!qmp_start(sessions[i], deadline_within(vm->deadline, wait_ms), err))
			vm->qmp = sessions[i];
		else if (err->code == ERR_INTERRUPTED)
			break;
	}
	for (i = 0; i < count; i++)
		if (sessions[i] != vm->qmp)
			qmp_close(sessions[i]);
	return vm->qmp ? 0 : -1;
}

/* The running VM that was named, or the only one. Root reaches that of another user by its pid. */
static int open_found(struct vm *vm, struct err *err)
{
	struct qemu_list found = { 0 };
	const struct qemu *qemu = NULL;
	int status = discover(&found, vm->name && !geteuid(), vm->deadline, err);

	if (!status && vm->own_pid)
		qemu = discover_again(&found, vm->own_pid, vm->own_name, err);
	else if (!status)
		qemu = discover_choose(&found, vm->name, vm->like, err);
	if (qemu) {
		vm->pid = qemu->pid;
		vm->own_pid = vm->own_pid ? qemu->pid : 0;
		status = open_process(vm, qemu, err);
	}
	qemu_list_release(&found);
	return qemu ? status : -1;
}

void vm_stay(struct vm *vm)
{
	struct qemu qemu;

	if (vm->qmp_address || vm->name || !discover_process(vm->pid, &qemu))
		return;
	vm->own_pid = vm->pid;
	vm->own_name = qemu.line.name;
	qemu.line.name = NULL;
	emulator_release(&qemu);
}

/* The monitor of another machine: what listens here is ssh, and paths that QEMU tells are there. */
static int open_remote(struct vm *vm, struct err *err)
{
	const char *local;

	remote_close(vm->remote);
	vm->remote = NULL;
	if (remote_open(&vm->remote, vm->qmp_address, &local, vm->deadline, err))
		return err->code == ERR_USAGE || err->code == ERR_INTERRUPTED
			       ? -1
			       : err_wrap(err, "cannot reach '%s'", vm->qmp_address);
	if (qmp_open(&vm->qmp, local, &vm->trace, vm->deadline, err)) {
		remote_explain(vm->remote, err);
		return err_wrap(err, "cannot reach '%s'", vm->qmp_address);
	}
	qmp_forget_peer(vm->qmp);
	return 0;
}

int vm_open_qmp(struct vm *vm, struct err *err)
{
	if (vm->qmp)
		return 0;
	if (vm->qmp_address && !strncmp(vm->qmp_address, "ssh://", 6))
		return open_remote(vm, err);
	if (!vm->qmp_address)
		return open_found(vm, err);
	if (qmp_open(&vm->qmp, vm->qmp_address, &vm->trace, vm->deadline, err)) {
		bool is_here = strncmp(vm->qmp_address, "tcp:", 4) != 0;

		if (is_here && err->code == ERR_QEMU_UNREACHABLE && !err->hint[0])
			err_hint(err, "see which VMs run here with: memhp vms");
		return -1;
	}
	vm->pid = qmp_peer_pid(vm->qmp);
	return 0;
}

bool vm_has_monitor(const struct vm *vm)
{
	return vm->qmp_address || vm->is_running_named || !vm->guest_address;
}

char *vm_ssh_address(const struct vm *vm)
{
	struct qemu qemu;
	char *address;

	if (!vm->pid || !discover_process(vm->pid, &qemu))
		return NULL;
	address = qemu.line.ssh;
	qemu.line.ssh = NULL;
	emulator_release(&qemu);
	return address;
}

/* A relative path in an answer of QEMU's starts at QEMU's working directory. */
static char *whole_path(struct qmp *qmp, const char *path, size_t len)
{
	_cleanup_free_ char *directory = NULL;

	if (path[0] != '/' && qmp_peer_pid(qmp))
		directory = discover_cwd(qmp_peer_pid(qmp));
	return directory ? xasprintf("%s/%.*s", directory, (int)len, path) : xstrndup(path, len);
}

/*
 * The channel of that scheme at the socket that a character device is: "unix:PATH,server=on" while
 * a client is connected, "disconnected:unix:PATH,server=on" while none is. NULL for others.
 */
static char *socket_address(struct qmp *qmp, const char *scheme, const char *filename, bool *in_use)
{
	static const char idle[] = "disconnected:";
	_cleanup_free_ char *path = NULL;

	*in_use = strncmp(filename, idle, sizeof(idle) - 1) != 0;
	if (!*in_use)
		filename += sizeof(idle) - 1;
	if (strncmp(filename, "unix:", 5) != 0)
		return NULL;
	path = whole_path(qmp, filename + 5, strcspn(filename + 5, ","));
	return xasprintf("%s:%s", scheme, path);
}

/* The console that a character device is: a socket, or "pty:/dev/pts/N". NULL for others. */
static char *console_address(struct qmp *qmp, const char *filename, bool *in_use)
{
	if (strncmp(filename, "pty:", 4) != 0)
		return socket_address(qmp, "serial", filename, in_use);
	*in_use = false;
	return xasprintf("serial:%s", filename + 4);
}

/* What a serial port is called: serial0 by QEMU, charserial0 by libvirt, ser... or console... by
 * people. */
static bool label_is_serial(const char *label)
{
	if (!strncmp(label, "char", 4))
		label += 4;
	return !strncmp(label, "ser", 3) || !strncmp(label, "console", 7);
}

static char *find_console(struct qmp *qmp, struct json_object *chardevs, bool *in_use)
{
	size_t i, count = json_object_is_type(chardevs, json_type_array)
				  ? json_object_array_length(chardevs)
				  : 0;
	const char *best = NULL, *best_label = NULL;

	for (i = 0; i < count; i++) {
		struct json_object *chardev = json_object_array_get_idx(chardevs, i);
		_cleanup_free_ char *address = NULL;
		const char *label, *filename;

		if (!json_get_string(chardev, "label", &label) ||
		    !json_get_string(chardev, "filename", &filename) || !label_is_serial(label))
			continue;
		address = console_address(qmp, filename, in_use);
		/* by label: serial0 before serial1, whatever QEMU's order */
		if (address && (!best || strcmp(label, best_label) < 0)) {
			best = filename;
			best_label = label;
		}
	}
	return best ? console_address(qmp, best, in_use) : NULL;
}

/* A string property of one of QEMU's objects; the caller frees it; NULL for none. */
static char *get_property(struct qmp *qmp, const char *path, const char *name)
{
	_cleanup_json_ struct json_object *value = NULL;
	struct json_object *arguments = json_object_new_object();
	struct err ignored;

	json_add_string(arguments, "path", path);
	json_add_string(arguments, "property", name);
	if (qmp_execute(qmp, "qom-get", arguments, &value, &ignored) ||
	    !json_object_is_type(value, json_type_string))
		return NULL;
	return xstrdup(json_object_get_string(value));
}

/* The label of the character device that the guest's agent is behind, among the devices at @path;
 * the caller frees it. */
static char *find_agent_port(struct qmp *qmp, const char *path)
{
	_cleanup_json_ struct json_object *devices = NULL;
	struct json_object *arguments = json_object_new_object();
	struct err ignored;
	size_t i;

	json_add_string(arguments, "path", path);
	if (qmp_execute(qmp, "qom-list", arguments, &devices, &ignored) ||
	    !json_object_is_type(devices, json_type_array))
		return NULL;
	for (i = 0; i < json_object_array_length(devices); i++) {
		struct json_object *device = json_object_array_get_idx(devices, i);
		_cleanup_free_ char *port = NULL;
		_cleanup_free_ char *use = NULL;
		const char *name, *type;

		if (!json_get_string(device, "name", &name) ||
		    !json_get_string(device, "type", &type) ||
		    strcmp(type, "child<virtserialport>") != 0)
			continue;
		port = xasprintf("%s/%s", path, name);
		use = get_property(qmp, port, "name");
		if (use && !strcmp(use, "org.qemu.guest_agent.0"))
			return get_property(qmp, port, "chardev");
	}
	return NULL;
}

/* The guest agent's channel, when an agent has opened its end; the caller frees it. */
static char *find_agent(struct qmp *qmp, struct json_object *chardevs, bool *in_use)
{
	_cleanup_free_ char *named = find_agent_port(qmp, "/machine/peripheral");
	_cleanup_free_ char *port =
		named ? xstrdup(named) : find_agent_port(qmp, "/machine/peripheral-anon");
	size_t i, count = port && json_object_is_type(chardevs, json_type_array)
				  ? json_object_array_length(chardevs)
				  : 0;

	for (i = 0; i < count; i++) {
		struct json_object *chardev = json_object_array_get_idx(chardevs, i);
		const char *label, *filename;
		bool is_open;

		if (json_get_string(chardev, "label", &label) && !strcmp(label, port) &&
		    json_get_string(chardev, "filename", &filename) &&
		    json_get_bool(chardev, "frontend-open", &is_open) && is_open)
			return socket_address(qmp, "qga", filename, in_use);
	}
	return NULL;
}

int vm_find_channel(struct qmp *qmp, char **address, bool *in_use, struct err *err)
{
	_cleanup_json_ struct json_object *chardevs = NULL;

	*address = NULL;
	*in_use = false;
	if (qmp_execute(qmp, "query-chardev", NULL, &chardevs, err))
		return err_wrap(err, "cannot ask QEMU (query-chardev)");
	*address = find_console(qmp, chardevs, in_use);
	if (!*address)
		*address = find_agent(qmp, chardevs, in_use);
	return 0;
}

/* The channel is a socket of the other machine too. */
static int forward_channel(struct vm *vm, struct err *err)
{
	_cleanup_free_ char *there = vm->guest_found;
	const char *local;

	vm->guest_found = NULL;
	if (remote_forward(vm->remote, strchr(there, ':') + 1, &local, vm->deadline, err))
		return -1;
	vm->guest_found = xasprintf("%.*s:%s", (int)strcspn(there, ":"), there, local);
	return 0;
}

/* Ask QEMU which of its character devices leads to the guest. */
static int find_guest(struct vm *vm, struct err *err)
{
	bool in_use;

	if (!vm->qmp)
		return 0;
	if (vm_find_channel(vm->qmp, &vm->guest_found, &in_use, err))
		return -1;
	if (vm->guest_found && !in_use && vm->remote)
		return forward_channel(vm, err);
	if (!vm->guest_found || !in_use)
		return 0;
	err_set(err, ERR_GUEST_UNREACHABLE, "the guest's %s '%s' is in use by another program",
		strncmp(vm->guest_found, "qga:", 4) ? "console" : "agent",
		strchr(vm->guest_found, ':') + 1);
	return err_hint(err, "close the other one, or name a channel with --guest");
}

const char *vm_channel(const struct vm *vm)
{
	const char *address = vm->guest_address ? vm->guest_address : vm->guest_found;

	return address && strcmp(address, "none") != 0 ? address : NULL;
}

int vm_no_channel(const struct vm *vm, struct err *err)
{
	_cleanup_free_ char *ssh = vm_ssh_address(vm);

	err_set(err, ERR_GUEST_UNREACHABLE, "no channel to the guest");
	if (ssh)
		return err_hint(err, "QEMU forwards a port to the guest's ssh: --guest %s", ssh);
	return err_hint(
		err,
		"name one with --guest serial:PATH, ssh:HOST, qga:PATH, exec:COMMAND or local");
}

int vm_open_guest(struct vm *vm, struct err *err)
{
	if (vm->guest)
		return 0;
	if (!vm->guest_address && !vm->guest_found && find_guest(vm, err))
		return -1;
	if (!vm_channel(vm))
		return 0;
	return guest_open(&vm->guest, vm_channel(vm), &vm->login, &vm->trace, vm->deadline, err);
}

void vm_close_guest(struct vm *vm)
{
	guest_close(vm->guest);
	vm->guest = NULL;
	/* where a login lasts, it is for the same console, which QEMU may still show as in use */
	if (vm->login.is_in)
		return;
	free(vm->guest_found);
	vm->guest_found = NULL;
}

/* What commands have left logged in for those that might have followed. */
static void log_out(struct vm *vm)
{
	struct deadline outer = deadline_push(vm->deadline, LOG_OUT_MS);
	struct err ignored;

	vm->login.is_kept = false;
	vm->login.is_barred = true; /* should somebody else have logged it out, it stays so */
	deadline_undo(vm->deadline);
	(void)!vm_open_guest(vm, &ignored);
	vm_close_guest(vm);
	vm->login.is_barred = false;
	vm->login.is_in = false;
	vm_close_guest(vm);
	deadline_pop(vm->deadline, outer);
}

void vm_close(struct vm *vm)
{
	vm_close_guest(vm);
	if (vm->login.is_in)
		log_out(vm);
	qmp_close(vm->qmp);
	vm->qmp = NULL;
	remote_close(vm->remote);
	vm->remote = NULL;
}

void vm_forget(struct vm *vm)
{
	free(vm->own_name);
	vm->own_name = NULL;
	vm->own_pid = 0;
}
