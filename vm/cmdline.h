/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cmdline: what a QEMU process's command line says about how to reach it. It is only a hint: the
 * caller checks which process is behind an address. Must never: open anything.
 */
#ifndef VM_CMDLINE_H
#define VM_CMDLINE_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/address.h"

#define CMDLINE_MONITORS_MAX  8	  /* more are ignored */
#define CMDLINE_ADDRESSES_MAX 64  /* likewise */
#define CMDLINE_CONFIGS_MAX   4	  /* likewise */
#define CMDLINE_NAME_MAX      255 /* bytes of a VM's name; a longer one is ignored */

/* What QEMU listens for. */
enum cmdline_purpose {
	CMDLINE_QMP,
	CMDLINE_HMP,	 /* a monitor for humans */
	CMDLINE_CONSOLE, /* a serial port */
	CMDLINE_OTHER,
};

struct cmdline_address {
	enum cmdline_purpose purpose;
	/* a path, an abstract name, a descriptor or a port (of a range, the first that was free);
	 * the host as written, or empty; owned */
	struct address address;
};

struct cmdline {
	char *name;	    /* -name, printable; NULL for none */
	char *memory;	    /* -m as written, printable; NULL for none */
	struct address ssh; /* a port forwarded to the guest's port 22; owned; may be absent */
	struct cmdline_address addresses[CMDLINE_ADDRESSES_MAX]; /* in the order given */
	unsigned addresses_count;
	char *configs[CMDLINE_CONFIGS_MAX]; /* files of -readconfig */
	unsigned configs_count;
	bool is_qemus; /* all words are QEMU options, some of them QEMU's alone */
	/* those addresses, as cmdline_index() finds them; borrowed */
	struct address monitors[CMDLINE_MONITORS_MAX]; /* for QMP */
	unsigned monitors_count;
	struct address console; /* the first one; may be absent */
};

/*
 * cmdline_parse() - parse words that each end in a NUL byte, as in /proc/PID/cmdline
 * @bytes:	@len bytes; the last word may lack its NUL
 * @cwd:	the base of relative paths; NULL: sockets with such paths are left out
 * @line:	filled in; the caller frees it
 */
void cmdline_parse(struct cmdline *line, const char *bytes, size_t len, const char *cwd);

/* cmdline_index() - find monitors and console again, after the addresses have changed */
void cmdline_index(struct cmdline *line);

/* cmdline_find() - the first address with that purpose; NULL for none */
const struct address *cmdline_find(const struct cmdline *line, enum cmdline_purpose purpose);

/* cmdline_explains() - does the command line say what that address is for? */
bool cmdline_explains(const struct cmdline *line, const struct address *address);

void cmdline_free(struct cmdline *line);

#endif
