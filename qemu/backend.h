/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * backend: memory backends, the host's half of a memory device (MemoryBackendProperties in QEMU's
 * qapi/qom.json). Never talks to the guest.
 */
#ifndef QEMU_BACKEND_H
#define QEMU_BACKEND_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"
#include "lib/json.h"
#include "lib/util.h"

enum backend_type { BACKEND_AUTO, BACKEND_RAM, BACKEND_MEMFD, BACKEND_FILE };
enum backend_reserve { RESERVE_UNSET, RESERVE_ON, RESERVE_OFF };
enum backend_policy {
	POLICY_UNSET,
	POLICY_DEFAULT,
	POLICY_PREFERRED,
	POLICY_BIND,
	POLICY_INTERLEAVE
};

/* The properties of a backend; zero-initialised it is plain RAM. */
struct backend_options {
	unsigned type;		 /* enum backend_type; auto: see backend_type() */
	const char *mem_path;	 /* a file, or a directory for a nameless file; borrowed */
	struct opt_u64 hugetlb;	 /* bytes of a huge page; 0: the host's default size */
	struct opt_u64 prealloc; /* threads; 0: QEMU's choice */
	bool is_shared;
	unsigned reserve;	/* enum backend_reserve */
	const char *host_nodes; /* "0", "0-1,3"; borrowed; NULL: none */
	unsigned policy;	/* enum backend_policy */
	const char *reason;	/* why memhp chose it; NULL: the user did; borrowed */
};

/* The option values by enum, ending with NULL; "" means not given. */
extern const char *const backend_types[];
extern const char *const backend_reserves[];
extern const char *const backend_policies[];

#define NODES_MAX 4096 /* NUMA nodes of a host: far more than MAX_NODES of QEMU */

/* backend_read_nodes() - set the nodes of "0-1,3" in @nodes, which must start empty; false if it is
 * no such list */
bool backend_read_nodes(const char *text, bool nodes[static NODES_MAX]);

/*
 * backend_check() - derive the type from the options, and refuse combinations that cannot work
 * Return: 0; -1 with ERR_USAGE: options exclude each other or lack what they need
 */
int backend_check(struct backend_options *b, struct err *err) __attribute__((warn_unused_result));

/* backend_type() - the type; for auto, memfd if it must be shared, as RAM has no descriptor to pass
 * on, else ram */
enum backend_type backend_type(const struct backend_options *b);

/* backend_is_shared() - will QEMU make it shared? memfd is by default */
bool backend_is_shared(const struct backend_options *b);

/* backend_is_plain() - is it RAM without options? */
bool backend_is_plain(const struct backend_options *b);

/* backend_takes_now() - does it take the host's memory when it is created, not on first use? */
bool backend_takes_now(const struct backend_options *b);

/* backend_request() - the object-add request; the caller puts or sends it */
struct json_object *backend_request(const struct backend_options *b, const char *id,
				    uint64_t size_bytes);

/*
 * backend_verify() - is the backend as requested?
 * @list:	reply to query-memdev; borrowed
 * Return: 0; -1 with ERR_FAILED and the property that differs
 */
int backend_verify(const struct backend_options *b, const char *id, uint64_t size_bytes,
		   struct json_object *list, struct err *err) __attribute__((warn_unused_result));

/*
 * backend_find() - the backend's element in a reply to query-memdev
 * Return: borrowed from @list; NULL if there is none
 */
struct json_object *backend_find(struct json_object *list, const char *id);

#endif
