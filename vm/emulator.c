/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One QEMU process. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/text.h"
#include "vm/emulator.h"
#include "vm/qemuopt.h"

#define CMDLINE_BYTES_MAX (1 << 20) /* the rest of a longer command line is ignored */
#define CONFIG_BYTES_MAX  (64 << 10)
#define SHOWN_MAX	  4

static const char own_words[] = "QEMU emulator version "; /* printed by -version */

void emulator_free(struct qemu *q)
{
	cmdline_free(&q->line);
	sockets_free(&q->sockets);
	free(q->program);
	q->program = NULL;
}

static bool has_ending(const char *name, const char *base)
{
	static const char *const endings[] = { "", "-wrapped", "-real" };
	size_t i, len = strlen(base);

	for (i = 0; i < ARRAY_SIZE(endings); i++)
		if (!strncmp(name, base, len) && !strcmp(name + len, endings[i]))
			return true;
	return false;
}

/* NixOS and Guix wrap a program and prefix its name with a dot. */
static bool is_qemus_name(const char *name)
{
	name += *name == '.';
	return !strncmp(name, "qemu-system-", 12) || has_ending(name, "qemu-kvm") ||
	       has_ending(name, "kvm");
}

/* Is it one of the programs that come with QEMU and share some of its options? */
static bool is_tool(const char *name)
{
	static const char *const tools[] = {
		"qemu-img",	 "qemu-io", "qemu-nbd", "qemu-ga", "qemu-storage-daemon",
		"qemu-pr-helper"
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(tools); i++)
		if (has_ending(name, tools[i]))
			return true;
	return false;
}

static bool is_loader(const char *name)
{
	return !strncmp(name, "ld", 2) && strstr(name, ".so");
}

/* Where the command line of a program started through the dynamic loader begins (ld.so(8)). */
static size_t loaded_program(const struct buf *words)
{
	static const char *const valued[] = { "--library-path",
					      "--preload",
					      "--audit",
					      "--argv0",
					      "--inhibit-rpath",
					      "--glibc-hwcaps-prepend",
					      "--glibc-hwcaps-mask" };
	size_t at = strlen(words->data) + 1, i;

	while (at < words->len && words->data[at] == '-') {
		const char *word = words->data + at;

		at += strlen(word) + 1;
		for (i = 0; i < ARRAY_SIZE(valued); i++)
			if (!strcmp(word, valued[i]) && at < words->len)
				at += strlen(words->data + at) + 1;
	}
	return at < words->len ? at : 0;
}

static uint64_t hash(const struct buf *bytes)
{
	uint64_t value = 0xcbf29ce484222325; /* FNV-1a */
	size_t i;

	for (i = 0; i < bytes->len; i++)
		value = (value ^ (unsigned char)bytes->data[i]) * 0x100000001b3;
	return value;
}

/* Read the command line, without the dynamic loader's part. */
static bool read_words(struct qemu *q, const struct proc *p, struct buf *words)
{
	size_t start;

	q->is_silent = !proc_words(p, CMDLINE_BYTES_MAX, words);
	if (!words->len && !q->is_silent)
		return false;
	q->program = proc_program(p);
	if (q->is_silent)
		return true;
	q->words_hash = hash(words);
	if (q->program && is_loader(q->program) && (start = loaded_program(words))) {
		const char *path = words->data + start, *slash = strrchr(path, '/');

		free(q->program);
		q->program = xstrdup(slash ? slash + 1 : path);
		buf_drop(words, start);
	}
	return true;
}

/* Root opens no file that another user's command line names. */
static void read_configs(struct qemu *q, const struct proc *p, struct buf *words, const char *cwd)
{
	_cleanup_buf_ struct buf more = { 0 };
	unsigned i;

	for (i = 0; q->uid == geteuid() && i < q->line.configs_count; i++) {
		_cleanup_buf_ struct buf text = { 0 };

		if (proc_read_file(p, q->line.configs[i], CONFIG_BYTES_MAX, &text))
			qemuopt_file_words(&more, buf_text(&text));
	}
	if (!more.len)
		return;
	if (words->data[words->len - 1])
		buf_add(words, "", 1);
	buf_add(words, more.data, more.len);
	cmdline_free(&q->line);
	cmdline_parse(&q->line, words->data, words->len, cwd);
}

/* Does it listen where its command line has a monitor or a console? */
static bool does_as_it_says(const struct qemu *q)
{
	unsigned i;

	for (i = 0; i < q->line.addresses_count; i++)
		if (q->line.addresses[i].purpose != CMDLINE_OTHER &&
		    sockets_at(&q->sockets, &q->line.addresses[i].address))
			return true;
	return false;
}

/* @is_named: read its program file even if the process is another user's */
static bool is_qemu(const struct qemu *q, const struct proc *p, bool is_named)
{
	if (q->program && is_qemus_name(q->program))
		return true;
	if (q->program && is_tool(q->program))
		return false;
	return does_as_it_says(q) || (q->line.is_qemus && (is_named || q->uid == geteuid()) &&
				      proc_program_has(p, own_words));
}

/* Is it worth asking the kernel? Most processes look nothing like QEMU. */
static bool may_be(const struct qemu *q)
{
	return (q->program && is_qemus_name(q->program)) || q->line.is_qemus ||
	       q->line.addresses_count;
}

/* Is a monitor or console not at a path, or does it listen on none of those in its command line? */
static bool needs_ports(const struct qemu *q)
{
	bool is_shown = false;
	unsigned i;

	for (i = 0; i < q->line.addresses_count; i++) {
		const struct cmdline_address *a = &q->line.addresses[i];

		if (a->purpose == CMDLINE_OTHER)
			continue;
		if (a->address.kind != ADDRESS_UNIX)
			return true;
		if (a->purpose == CMDLINE_QMP)
			is_shown |= sockets_at(&q->sockets, &a->address);
	}
	return !is_shown;
}

/* Without its command line: the program's name decides whether it is QEMU, and the kernel tells
 * where it listens. */
static void read_silent(struct qemu *q, const struct proc *p)
{
	q->parent = proc_parent(p);
	q->is_qemu = q->program && is_qemus_name(q->program);
	if (!q->is_qemu)
		return;
	sockets_read(&q->sockets, p);
	sockets_read_ports(&q->sockets, p);
}

static bool read_process(struct qemu *q, const struct proc *p, bool is_named)
{
	_cleanup_buf_ struct buf words = { 0 };
	_cleanup_free_ char *cwd = NULL;

	if (!read_words(q, p, &words))
		return false;
	if (q->is_silent) {
		read_silent(q, p);
		return true;
	}
	cwd = proc_cwd(p);
	cmdline_parse(&q->line, words.data, words.len, cwd);
	if (!is_named && !may_be(q))
		return true;
	read_configs(q, p, &words, cwd);
	q->parent = proc_parent(p);
	sockets_read(&q->sockets, p);
	if (needs_ports(q))
		sockets_read_ports(&q->sockets, p);
	sockets_resolve(&q->sockets, p, q->uid == geteuid(), &q->line);
	q->is_qemu = is_qemu(q, p, is_named);
	return true;
}

static bool read_pid(struct qemu *q, pid_t pid, const uid_t *uid, bool is_named)
{
	struct proc p;
	bool is_read;

	*q = (struct qemu){ .pid = pid };
	if (!proc_open(&p, pid))
		return false;
	q->uid = p.uid;
	is_read = (!uid || q->uid == *uid) && read_process(q, &p, is_named);
	proc_close(&p);
	if (!is_read)
		emulator_free(q);
	return is_read;
}

bool emulator_read(struct qemu *q, pid_t pid, const uid_t *uid)
{
	return read_pid(q, pid, uid, false);
}

bool emulator_read_named(struct qemu *q, pid_t pid)
{
	return read_pid(q, pid, NULL, true);
}

const struct address *emulator_ssh(struct qemu *q)
{
	struct proc p;

	if (q->line.ssh.kind && !q->sockets.has_ports && proc_open(&p, q->pid)) {
		sockets_read_ports(&q->sockets, &p);
		sockets_resolve_ssh(&q->sockets, &q->line);
		proc_close(&p);
	}
	return q->line.ssh.kind ? &q->line.ssh : NULL;
}

bool emulator_is_double(const struct qemu *q, const struct qemu *of)
{
	return q->pid != of->pid && !q->is_silent && q->words_hash == of->words_hash &&
	       q->program && of->program && !strcmp(q->program, of->program) &&
	       q->sockets.is_known && !q->sockets.count &&
	       (of->sockets.count || q->parent == of->pid);
}

char *emulator_unknown(const struct qemu *q, const char **first)
{
	struct buf text = { 0 };
	unsigned i, count = 0;

	for (i = 0; i < q->sockets.count; i++) {
		const char *address = q->sockets.list[i].address.text;

		if (sockets_is_explained(&q->sockets.list[i], &q->line))
			continue;
		if (!count++ && first)
			*first = address;
		if (count <= SHOWN_MAX)
			buf_addf(&text, "%s'%s'", count > 1 ? ", " : "", address);
	}
	if (count > SHOWN_MAX)
		buf_addf(&text, " and %u more", count - SHOWN_MAX);
	if (text.data)
		printable(text.data);
	return text.data;
}
