/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mem-path: what is behind --mem-path as QEMU sees it, and the file that QEMU makes there
 * (file_ram_open() in softmmu/physmem.c: a name that is free becomes a file; in a directory the
 * file has no name).
 */
#ifndef QEMU_MEM_PATH_H
#define QEMU_MEM_PATH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/deadline.h"
#include "lib/err.h"

enum medium {
	MEDIUM_MEMORY, /* tmpfs and ramfs: what is in a file is in memory */
	MEDIUM_HUGE,   /* hugetlbfs */
	MEDIUM_DISK,   /* all others: memory only caches them */
};

struct mem_path {
	bool is_known; /* else nothing else is */
	bool is_there, is_directory;
	uint64_t file_bytes, allocated_bytes; /* of a file that is there: its size, and its share of
					    the file system */
	uint64_t device;		      /* of the file system */
	enum medium medium;
	uint64_t page_bytes; /* MEDIUM_HUGE: of a page */
	uint64_t free_bytes; /* in the file system; UINT64_MAX: as much as there is memory */
};

/* mem_path_read() - false when it is not known what QEMU would find, or it would find nothing */
bool mem_path_read(struct mem_path *out, pid_t pid, const char *path);

/*
 * mem_path_check() - refuse what QEMU cannot use, what is no memory for a guest (/dev/mem), what
 * would keep QEMU waiting, and what it would ask for again and again: a link to a file that is not
 * there (file_ram_open() tries to make what is there already)
 * @size_bytes:	of the memory
 */
int mem_path_check(pid_t pid, const char *path, uint64_t size_bytes, struct err *err)
	__attribute__((warn_unused_result));

/* The file that an object-add makes. Zero-initialised it is none. */
struct mem_file {
	bool is_expected; /* there was none of the name */
	pid_t pid;
	unsigned uid;  /* that QEMU makes files as */
	int directory; /* descriptor of where it will be; valid with is_expected */
	char *name;    /* in there; owned */
	uint64_t size_bytes;
	bool is_made; /* there is one now, and it is QEMU's */
	dev_t device;
	ino_t inode;
};

/* mem_file_expect() - before the object-add: is the name free? */
void mem_file_expect(struct mem_file *f, pid_t pid, const char *path, uint64_t size_bytes);

/*
 * mem_file_identify() - after it, and before any object-del
 * @is_in_use:	QEMU has the backend, and so the file open; a backend that failed leaves a file that
 *		nothing of QEMU's has open, once it has let go of it
 */
void mem_file_identify(struct mem_file *f, bool is_in_use, struct deadline *deadline);

/* mem_file_remove() - remove the file that was made, if it is still that, and no process has it
 * open by now: it would be the memory of another backend or another VM; -1 with ERR_PARTIAL when it
 * cannot be removed */
int mem_file_remove(struct mem_file *f, struct deadline *deadline, struct err *err)
	__attribute__((warn_unused_result));

/* mem_file_leave() - both, for a QEMU that has ended or is about to */
void mem_file_leave(struct mem_file *f, struct deadline *deadline);

void mem_file_free(struct mem_file *f);

#endif
