/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mem-path: what --mem-path refers to as QEMU sees it, and the file that QEMU creates there
 * (file_ram_open() in softmmu/physmem.c: a path that does not exist becomes a file; in a directory
 * the file is unnamed).
 */
#ifndef QEMU_MEM_PATH_H
#define QEMU_MEM_PATH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/deadline.h"
#include "lib/err.h"

enum medium {
	MEDIUM_MEMORY, /* tmpfs and ramfs: files are in memory */
	MEDIUM_HUGE,   /* hugetlbfs */
	MEDIUM_DISK,   /* all others: memory only caches files */
};

struct mem_path {
	bool is_known; /* if not, nothing else is valid */
	bool is_there, is_directory;
	uint64_t file_bytes,
		allocated_bytes; /* of an existing file: its size and the space it occupies */
	uint64_t device;	 /* of the file system */
	enum medium medium;
	uint64_t page_bytes; /* MEDIUM_HUGE: size of a huge page */
	uint64_t free_bytes; /* in the file system; UINT64_MAX: limited only by memory */
};

/* mem_path_read() - false if it is not known what QEMU would find there, or it would find
 * nothing */
bool mem_path_read(struct mem_path *out, pid_t pid, const char *path);

/*
 * mem_path_check() - refuse what QEMU cannot use, what is no memory for a guest (/dev/mem), what
 * would block QEMU, and a dangling link, on which QEMU would loop (file_ram_open() retries to
 * create what exists already)
 * @size_bytes:	of the memory
 */
int mem_path_check(pid_t pid, const char *path, uint64_t size_bytes, struct err *err)
	__attribute__((warn_unused_result));

/* The file that an object-add creates. Zero-initialised: none. */
struct mem_file {
	bool is_expected; /* the name was free */
	pid_t pid;
	unsigned uid;  /* as which QEMU creates files */
	int directory; /* descriptor of its directory; valid with is_expected */
	char *name;    /* in that directory; owned */
	uint64_t size_bytes;
	bool is_made; /* it exists now and is QEMU's */
	dev_t device;
	ino_t inode;
};

/* mem_file_expect() - before the object-add: is the name free? */
void mem_file_expect(struct mem_file *f, pid_t pid, const char *path, uint64_t size_bytes);

/*
 * mem_file_identify() - after the object-add and before any object-del
 * @is_in_use:	QEMU has the backend, and so the file, open. A failed backend leaves a file that
 *		QEMU closes and then has not open any more.
 */
void mem_file_identify(struct mem_file *f, bool is_in_use, struct deadline *deadline);

/* mem_file_remove() - remove the file if it is still the one that QEMU created and no process has
 * it open: it might be the memory of another backend or VM by now; -1 with ERR_PARTIAL when it
 * cannot be removed */
int mem_file_remove(struct mem_file *f, struct deadline *deadline, struct err *err)
	__attribute__((warn_unused_result));

/* mem_file_clean_up() - identify and remove the file of a QEMU that has ended or is about to */
void mem_file_clean_up(struct mem_file *f, struct deadline *deadline);

void mem_file_free(struct mem_file *f);

#endif
