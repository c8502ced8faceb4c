/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cmdline: what the command line of a QEMU process says about how it can be reached. It is only a
 * hint: the user of an address checks which process is behind it. Must never: open anything.
 */
#ifndef VM_CMDLINE_H
#define VM_CMDLINE_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/address.h"

#define CMDLINE_MONITORS_MAX  8	  /* more are passed over */
#define CMDLINE_ADDRESSES_MAX 64  /* likewise */
#define CMDLINE_CONFIGS_MAX   4	  /* likewise */
#define CMDLINE_NAME_MAX      255 /* bytes of a VM's name; a longer one counts as none */

/* What QEMU listens there for. */
enum cmdline_purpose {
	CMDLINE_QMP,
	CMDLINE_HMP,	 /* a monitor for people */
	CMDLINE_CONSOLE, /* a serial port */
	CMDLINE_OTHER,
};

struct cmdline_address {
	enum cmdline_purpose purpose;
	/* a path, an abstract name, a descriptor, or a port, of a range the first that was free;
	 * the host as it was written, or empty; owned */
	struct address address;
};

struct cmdline {
	char *name;	    /* -name, printable; NULL for none */
	char *memory;	    /* -m as it was written, printable; NULL for none */
	struct address ssh; /* a port forwarded to the guest's port 22; owned; may be absent */
	struct cmdline_address addresses[CMDLINE_ADDRESSES_MAX]; /* in their order */
	unsigned addresses_count;
	char *configs[CMDLINE_CONFIGS_MAX]; /* files of -readconfig */
	unsigned configs_count;
	bool is_qemus; /* the words are options of QEMU's and nothing else, and no other's */
	/* of the addresses, as cmdline_index() finds them; borrowed from them */
	struct address monitors[CMDLINE_MONITORS_MAX]; /* those of QMP */
	unsigned monitors_count;
	struct address console; /* the first one; may be absent */
};

/*
 * cmdline_parse() - read words that each end in a NUL byte, as in /proc/PID/cmdline
 * @bytes:	@len bytes; the last word may lack its NUL
 * @cwd:	where relative paths begin; NULL: sockets with such paths are left out
 * @line:	filled in; the caller frees it
 */
void cmdline_parse(struct cmdline *line, const char *bytes, size_t len, const char *cwd);

/* cmdline_index() - find monitors and console anew, where the addresses have changed */
void cmdline_index(struct cmdline *line);

/* cmdline_find() - the first address with that purpose; NULL for none */
const struct address *cmdline_find(const struct cmdline *line, enum cmdline_purpose purpose);

/* cmdline_explains() - does the command line say what that address is for? */
bool cmdline_explains(const struct cmdline *line, const struct address *address);

void cmdline_free(struct cmdline *line);

#endif
