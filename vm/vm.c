/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The virtual machine of a command. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/peer.h"
#include "lib/util.h"
#include "lib/text.h"
#include "vm/discover.h"
#include "vm/forward.h"
#include "vm/monitor.h"
#include "vm/named.h"
#include "vm/namesake.h"
#include "vm/vm.h"

/* Free monitors greet within this time of each other. */
#define SAME_TIME_MS 50

/* For a monitor that has greeted and is not its VM's last one. */
#define NEXT_MONITOR_MS 1000

/* For logging out of a console that does not answer. */
#define LOG_OUT_MS 8000

/* Connect to all monitors, the only way to find a free one; returns how many accepted. */
static unsigned connect_all(struct vm *vm, const struct qemu *qemu, struct qmp **sessions,
			    struct err *err)
{
	unsigned i, count = 0;

	for (i = 0; i < qemu->line.monitors_count; i++)
		if (!monitor_connect(&sessions[count], qemu, &qemu->line.monitors[i], &vm->trace,
				     vm->deadline, err))
			count++;
	return count;
}

/* Wait until a monitor sends something; the first in order that has, -1 for none in time. */
static int poll_greetings(struct vm *vm, struct qmp **sessions, unsigned count, int64_t wait_ms,
			  struct err *err)
{
	struct pollfd fds[CMDLINE_MONITORS_MAX];
	unsigned i;

	for (i = 0; i < count; i++)
		fds[i] = (struct pollfd){ .fd = qmp_fd(sessions[i]), .events = POLLIN };
	if (!count || deadline_poll(vm->deadline, fds, count,
				    deadline_within(vm->deadline, wait_ms), err) <= 0)
		return -1;
	for (i = 0; !fds[i].revents; i++)
		;
	return (int)i;
}

/* The first free monitor in order, even if another one greeted sooner. */
static int wait_for_greeting(struct vm *vm, struct qmp **sessions, unsigned count, struct err *err)
{
	int quickest = poll_greetings(vm, sessions, count, QMP_GREETING_MS, err), first = -1;

	if (quickest > 0)
		first = poll_greetings(vm, sessions, (unsigned)quickest, SAME_TIME_MS, err);
	return first >= 0 ? first : quickest;
}

/* If there are other monitors, one that greets and then stays silent gets only a moment. */
static int start(struct vm *vm, struct qmp *session, bool is_last, struct err *err)
{
	int64_t until_ms =
		deadline_within(vm->deadline, is_last ? QMP_GREETING_MS : NEXT_MONITOR_MS);

	return qmp_start(session, until_ms, is_last ? DEADLINE_NEVER : until_ms, err);
}

/* Take the first monitor of @qemu that greets and answers. */
static int open_process(struct vm *vm, const struct qemu *qemu, struct err *err)
{
	struct qmp *sessions[CMDLINE_MONITORS_MAX];
	unsigned i, count = connect_all(vm, qemu, sessions, err);

	while (count && !vm->qmp) {
		int ready = wait_for_greeting(vm, sessions, count, err);
		unsigned at = ready < 0 ? 0 : (unsigned)ready;

		/* if all are silent, the first one's error is reported */
		if (!start(vm, sessions[at], ready < 0 || count == 1, err))
			vm->qmp = sessions[at];
		else
			qmp_close(sessions[at]);
		for (count--, i = at; i < count; i++)
			sessions[i] = sessions[i + 1];
		if (ready < 0)
			break;
	}
	for (i = 0; i < count; i++)
		qmp_close(sessions[i]);
	return vm->qmp ? 0 : -1;
}

/* Open the named running VM, or the only one. Root can reach another user's VM by its pid. */
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
	qemu_list_free(&found);
	return qemu ? status : -1;
}

void vm_stay(struct vm *vm)
{
	struct qemu qemu;

	if ((vm->name && !vm->monitor.kind) || !vm->pid || !discover_process(vm->pid, &qemu))
		return;
	vm->own_pid = vm->pid;
	vm->own_name = qemu.line.name;
	qemu.line.name = NULL;
	emulator_free(&qemu);
}

/* Open a monitor on another machine: ssh listens here, and QEMU's paths are on that machine. */
static int open_remote(struct vm *vm, struct err *err)
{
	struct address here;
	const char *local;

	remote_close(vm->remote);
	vm->remote = NULL;
	if (remote_open(&vm->remote, &vm->monitor, &local, vm->deadline, err))
		return err->code == ERR_INTERRUPTED
			       ? -1
			       : err_wrap(err, "cannot reach '%s'", vm->monitor.text);
	here = (struct address){ ADDRESS_UNIX, .text = local, .path = local };
	if (qmp_open(&vm->qmp, &here, &vm->trace, vm->deadline, err)) {
		remote_explain(vm->remote, err);
		return err_wrap(err, "cannot reach '%s'", vm->monitor.text);
	}
	qmp_set_peer(vm->qmp, 0);
	vm->pid = 0;
	return 0;
}

/* Is the VM behind the named monitor the same as before, and the profile's? */
static bool is_meant(const struct vm *vm, struct err *err)
{
	if (vm->own_pid &&
	    namesake_check_again(vm->monitor.text, vm->own_pid, vm->own_name, vm->pid, err))
		return false;
	return !vm->name || !namesake_check(vm->name, vm->pid, vm->deadline, err);
}

/* Nothing is at the named monitor: the user may have copied QEMU's whole option value. */
static void hint_at_address(const struct address *address, struct err *err)
{
	const char *text = address->text, *options = strstr(text, ",server");
	_cleanup_free_ char *path = options ? xstrndup(text, (size_t)(options - text)) : NULL;
	_cleanup_free_ char *quoted = path ? text_quoted(path) : NULL;

	if (quoted)
		err_hint(err, "QEMU's options are no part of it: --qmp %s", quoted);
	else if (address->kind != ADDRESS_TCP && !err->hint[0])
		err_hint(err, "see which VMs run here with: memhp vms");
}

/* A monitor greets at once unless another client uses it: is a silent one known not to be QMP? */
static int check_silent(struct vm *vm, struct qmp *q, struct err *err)
{
	const struct address *to = &vm->monitor;
	struct pollfd pollfd = { .fd = qmp_fd(q), .events = POLLIN };
	int ready = deadline_poll(vm->deadline, &pollfd, 1,
				  deadline_within(vm->deadline, NEXT_MONITOR_MS), err);
	struct named named = { qmp_peer_pid(q), to->path, -1 };
	int status;

	if (ready || to->kind != ADDRESS_UNIX)
		return ready < 0 && err->code != ERR_TIMEOUT ? -1 : 0;
	if (!to->is_abstract)
		named.path_fd = peer_open_path(0, to->path, O_PATH);
	status = named_check_monitor(&named, err);
	if (named.path_fd >= 0)
		close(named.path_fd);
	return status;
}

/* Open the monitor that the user named. */
static int open_named(struct vm *vm, struct err *err)
{
	struct qmp *q;

	if (qmp_connect_in_turn(&q, &vm->monitor, &vm->trace, vm->deadline, err))
		return -1;
	if (check_silent(vm, q, err) ||
	    qmp_start(q, deadline_within(vm->deadline, QMP_GREETING_MS), DEADLINE_NEVER, err)) {
		qmp_close(q);
		return -1;
	}
	vm->qmp = q;
	return 0;
}

int vm_open_qmp(struct vm *vm, struct err *err)
{
	if (vm->qmp)
		return 0;
	if (vm->monitor.kind == ADDRESS_REMOTE)
		return open_remote(vm, err);
	if (!vm->monitor.kind)
		return open_found(vm, err);
	if (open_named(vm, err)) {
		if (err->code == ERR_QEMU_UNREACHABLE)
			hint_at_address(&vm->monitor, err);
		return -1;
	}
	vm->pid = dial_find_qemu(vm->qmp, &vm->monitor, vm->deadline);
	qmp_set_peer(vm->qmp, vm->pid);
	if (is_meant(vm, err))
		return 0;
	qmp_close(vm->qmp);
	vm->qmp = NULL;
	return -1;
}

bool vm_has_monitor(const struct vm *vm)
{
	return vm->monitor.kind || vm->is_running_named || !vm->channel.kind;
}

char *vm_ssh_address(const struct vm *vm)
{
	const struct address *ssh;
	struct qemu qemu;
	char *copy;

	if (!vm->pid || !discover_process(vm->pid, &qemu))
		return NULL;
	ssh = emulator_ssh(&qemu);
	copy = ssh ? xstrdup(ssh->text) : NULL;
	emulator_free(&qemu);
	return copy;
}

/* The channel is a socket on the other machine too. */
static int forward_channel(struct vm *vm, struct err *err)
{
	struct address there = vm->found.address;
	const char *local;
	int status;

	vm->found.address = (struct address){ 0 };
	status = remote_forward(vm->remote, there.path, &local, vm->deadline, err);
	if (!status)
		vm->found.address = address_of_device(there.kind, local);
	address_free(&there);
	return status;
}

/* Find out from QEMU which of its character devices leads to the guest. */
static int find_guest(struct vm *vm, struct err *err)
{
	struct channel *found = &vm->found;

	if (!vm->qmp)
		return 0;
	if (channel_find(found, vm->qmp, err))
		return -1;
	if (found->address.kind && !found->in_use && vm->remote)
		return forward_channel(vm, err);
	if (!found->address.kind || !found->in_use)
		return 0;
	err_set(err, ERR_GUEST_UNREACHABLE, "the guest's %s '%s' is in use by another program",
		found->address.kind == ADDRESS_AGENT ? "agent" : "console", found->address.path);
	return err_hint(err, "close the other one, or name a channel with --guest");
}

const struct address *vm_channel(const struct vm *vm)
{
	const struct address *address = vm->channel.kind ? &vm->channel : &vm->found.address;

	return address->kind && address->kind != ADDRESS_NONE ? address : NULL;
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

/* The opener for the channel's path. */
static struct stream_opener opener(struct vm *vm)
{
	vm->dial = (struct dial){
		.qmp = vm->qmp,
		.pid = vm->pid,
		.is_agent = vm_channel(vm)->kind == ADDRESS_AGENT,
		.is_pty = !vm->channel.kind && vm->found.is_pty,
		.label = vm->channel.kind ? NULL : vm->found.label,
		.deadline = vm->deadline,
	};
	return dial_opener(&vm->dial);
}

int vm_open_guest(struct vm *vm, struct err *err)
{
	if (vm->guest)
		return 0;
	if (!vm->channel.kind && !vm->found.address.kind && find_guest(vm, err))
		return -1;
	if (!vm_channel(vm))
		return 0;
	if (vm->qmp && vm_channel(vm)->kind == ADDRESS_SSH &&
	    forward_check(vm_channel(vm), vm->pid, vm->deadline, err))
		return -1;
	return guest_open(&vm->guest, vm_channel(vm), opener(vm), &vm->login, &vm->trace,
			  vm->deadline, err);
}

void vm_close_guest(struct vm *vm)
{
	guest_close(vm->guest);
	vm->guest = NULL;
	/* a lasting login is on the same console, which QEMU may still show as in use */
	if (vm->login.is_in)
		return;
	channel_free(&vm->found);
}

/* Log out of a console that was kept logged in for further commands. */
static void log_out(struct vm *vm)
{
	struct deadline outer = deadline_push(vm->deadline, LOG_OUT_MS);
	struct err ignored;

	vm->login.is_kept = false;
	vm->login.is_barred = true; /* if it was logged out by hand, leave it so */
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
