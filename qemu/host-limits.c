/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The limits of this machine. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/proc.h"
#include "lib/size.h"
#include "lib/util.h"
#include "lib/text.h"
#include "qemu/cgroup.h"
#include "qemu/host-limits.h"
#include "qemu/host.h"

#define MIB		 (UINT64_C(1) << 20)
#define CAP_IPC_LOCK	 14
#define CAP_SYS_ADMIN	 21
#define CAP_SYS_RESOURCE 24
#define THREADS_MAX	 16
#define SLACK_BYTES	 (32 * MIB)  /* QEMU may take this much before the hint is followed */
#define MAPPING_BYTES	 (4 * MIB)   /* QEMU rounds its mappings up to 2 MiB and adds a page */
#define THREADS_BYTES	 (128 * MIB) /* stacks of up to 16 threads that preallocate */

/* Check a limit: -1 with @err if it is too low. */
typedef int limit_fn(const struct demand *d, struct err *err);

/* The overhead of taking memory: page tables, QEMU's bitmaps, and the memory map (1/64) in the
 * guest's old memory, which QEMU may not have taken yet. */
static uint64_t overhead_bytes(uint64_t bytes)
{
	return bytes / 64 + 8 * MIB;
}

static const char *size_of(char out[static SIZE_TEXT_MAX], uint64_t bytes)
{
	return size_format(out, bytes >= MIB ? bytes / MIB * MIB : bytes);
}

/* Limits of cgroups */

/* Hint at how to raise the limit of a cgroup. */
static int hint_limit(const struct cgroup_room *room, uint64_t limit, struct err *err)
{
	_cleanup_free_ char *shown = text_quoted(room->directory);

	if (!shown || strlen(shown) > sizeof(err->hint) - 160)
		return err_hint(err,
				"raise the limit of QEMU's cgroup to %llu in its %s; --force "
				"tries anyway",
				(unsigned long long)limit, room->file);
	if (cgroup_has_lower_swap_limit(room, limit))
		return err_hint(err,
				"raise it: (cd %s && echo %llu | tee memory.memsw.limit_in_bytes "
				"memory.limit_in_bytes); --force tries anyway",
				shown, (unsigned long long)limit);
	return err_hint(err, "raise it: echo %llu >%s/%s; --force tries anyway",
			(unsigned long long)limit, shown, room->file);
}

/* Hint at how to raise it by @missing_bytes. */
static int hint_cgroup(const struct cgroup_room *room, uint64_t missing_bytes, struct err *err)
{
	uint64_t limit = room->limit_bytes + missing_bytes + SLACK_BYTES;

	return hint_limit(room, (limit + MIB - 1) / MIB * MIB, err);
}

/* Limits of the process (getrlimit(2)). */

/* One limit: its name in /proc/PID/limits, in messages and for prlimit(1), and its value. */
struct rlimit_kind {
	const char *name, *constant, *option, *verb;
};

static const struct rlimit_kind as_limit = { "Max address space", "RLIMIT_AS", "as", "map" };
static const struct rlimit_kind data_limit = { "Max data size", "RLIMIT_DATA", "data",
					       "map for itself" };
static const struct rlimit_kind file_limit = { "Max file size", "RLIMIT_FSIZE", "fsize", "write" };
static const struct rlimit_kind process_limit = { "Max processes", "RLIMIT_NPROC", "nproc",
						  "start" };
static const struct rlimit_kind lock_limit = { "Max locked memory", "RLIMIT_MEMLOCK", "memlock",
					       "lock" };

static int hint_rlimit(const struct demand *d, const struct rlimit_kind *kind, uint64_t bytes,
		       struct err *err)
{
	uint64_t limit = (bytes + SLACK_BYTES + MIB - 1) / MIB * MIB;

	return err_hint(err, "raise it: prlimit --pid %d --%s=%llu; --force tries anyway",
			(int)d->pid, kind->option, (unsigned long long)limit);
}

/* Check a limit of which @used_bytes are used. */
static int check_rlimit(const struct demand *d, const struct rlimit_kind *kind, uint64_t used_bytes,
			uint64_t need_bytes, struct err *err)
{
	char have[SIZE_TEXT_MAX];
	uint64_t limit;

	if (!proc_limit(d->pid, kind->name, &limit) || limit == UINT64_MAX ||
	    bytes_less(limit, used_bytes) >= need_bytes)
		return 0;
	err_set(err, ERR_FAILED, "QEMU may %s only %s more (%s)", kind->verb,
		size_of(have, bytes_less(limit, used_bytes)), kind->constant);
	return hint_rlimit(d, kind, used_bytes + need_bytes, err);
}

static int check_address_space(const struct demand *d, struct err *err)
{
	uint64_t used, need = d->size_bytes + MAPPING_BYTES;

	if (d->is_prealloc)
		need += THREADS_BYTES;
	if (proc_status_bytes(d->pid, "VmSize", &used) &&
	    check_rlimit(d, &as_limit, used, need, err))
		return -1;
	return d->is_private && proc_status_bytes(d->pid, "VmData", &used)
		       ? check_rlimit(d, &data_limit, used, need, err)
		       : 0;
}

/* Above it the kernel kills the process with SIGXFSZ. */
static int check_file_size(const struct demand *d, struct err *err)
{
	char most[SIZE_TEXT_MAX];
	uint64_t limit;

	if (!d->is_file || !proc_limit(d->pid, file_limit.name, &limit) || d->device_bytes <= limit)
		return 0;
	err_set(err, ERR_FAILED, "QEMU may make no file larger than %s (%s)", size_of(most, limit),
		file_limit.constant);
	return hint_rlimit(d, &file_limit, d->device_bytes, err);
}

/*
 * QEMU reserves the address range before it maps memory there: with mlockall(2) both briefly count
 * as locked.
 */
static int check_locked(const struct demand *d, struct err *err)
{
	uint64_t twice = d->is_pinning ? 0 : d->device_bytes;

	if (!d->is_locking || (d->is_huge && !d->is_pinning) ||
	    proc_has_capability(d->pid, CAP_IPC_LOCK))
		return 0;
	return check_rlimit(d, &lock_limit, d->locked_bytes + twice, d->size_bytes + MAPPING_BYTES,
			    err);
}

/* Threads that preallocate; QEMU aborts if it cannot start one. */

/* At most this many preallocate (MAX_MEM_PREALLOC_THREAD_COUNT, util/oslib-posix.c); the default is
 * at most the number of the guest's CPUs. */
static uint64_t threads_count(const struct demand *d)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t most =
		processors > 0 && processors < THREADS_MAX ? (uint64_t)processors : THREADS_MAX;
	uint64_t wanted = d->backend->prealloc.value;

	return wanted && wanted < most ? wanted : most;
}

/* The limit of the user does not apply to privileged processes (fork(2)). */
static bool read_user_threads(const struct demand *d, uint64_t *limit, uint64_t *used)
{
	_cleanup_free_ char *ids = proc_status_text(d->pid, "Uid");
	unsigned uid;

	if (!proc_limit(d->pid, process_limit.name, limit) || *limit == UINT64_MAX || !ids ||
	    sscanf(ids, "%u", &uid) != 1 || !uid || proc_has_capability(d->pid, CAP_SYS_RESOURCE) ||
	    proc_has_capability(d->pid, CAP_SYS_ADMIN))
		return false;
	*used = proc_threads_of_user(uid);
	return true;
}

static int refuse_threads(uint64_t room, uint64_t need, const char *of, struct err *err)
{
	return err_set(err, ERR_FAILED,
		       "%s leaves QEMU %llu new threads, and it aborts without the %llu that take "
		       "memory at once",
		       of, (unsigned long long)room, (unsigned long long)need);
}

static int check_user_threads(const struct demand *d, uint64_t need, struct err *err)
{
	uint64_t limit, used, enough;

	if (!read_user_threads(d, &limit, &used) || bytes_less(limit, used) >= need)
		return 0;
	enough = used + need;
	refuse_threads(bytes_less(limit, used), need, process_limit.constant, err);
	return err_hint(err, "raise it: prlimit --pid %d --%s=%llu:; --force tries anyway",
			(int)d->pid, process_limit.option, (unsigned long long)enough);
}

static int check_threads(const struct demand *d, struct err *err)
{
	uint64_t need = threads_count(d);
	struct cgroup_room room;
	bool is_short;

	if (!d->is_prealloc)
		return 0;
	if (!cgroup_task_room(d->pid, &room))
		return check_user_threads(d, need, err);
	is_short = room.bytes < need;
	if (is_short) {
		refuse_threads(room.bytes, need, "the cgroup (pids.max)", err);
		hint_limit(&room, room.limit_bytes + need - room.bytes, err);
	}
	free(room.directory);
	return is_short ? -1 : check_user_threads(d, need, err);
}

/* Does the memory count as committed? Not that of files, whose pages are requested one by one. */
static bool is_committed(const struct demand *d)
{
	if (d->is_huge)
		return false;
	return d->backend->mem_path ? d->is_private : backend_type(d->backend) != BACKEND_MEMFD;
}

static int check_commit(const struct demand *d, struct err *err)
{
	char have[SIZE_TEXT_MAX];
	uint64_t room;

	if (!is_committed(d) || !host_commit_bytes(&room) || room >= d->size_bytes)
		return 0;
	err_set(err, ERR_FAILED, "the host promises only %s more (vm.overcommit_memory=2)",
		size_of(have, room));
	return err_hint(err, "see CommitLimit in /proc/meminfo; sysctl vm.overcommit_ratio raises "
			     "it; --force tries anyway");
}

/* NUMA nodes of the host */

/* The host nodes that the memory may come from; false if they are not known or do not matter. */
static bool find_nodes(const struct demand *d, bool nodes[static NODES_MAX], bool *are_all)
{
	_cleanup_free_ char *online = host_nodes();
	_cleanup_free_ char *allowed = proc_status_text(d->pid, "Mems_allowed_list");
	bool there[NODES_MAX] = { false }, may[NODES_MAX] = { false };
	bool is_bound = d->backend->policy == POLICY_BIND;
	unsigned i;

	if (!online || !allowed || !backend_read_nodes(online, there) ||
	    !backend_read_nodes(allowed, may))
		return false;
	memset(nodes, !is_bound, NODES_MAX);
	if (is_bound)
		backend_read_nodes(d->backend->host_nodes, nodes);
	*are_all = true;
	for (i = 0; i < NODES_MAX; i++) {
		nodes[i] = nodes[i] && there[i] && may[i];
		*are_all = *are_all && nodes[i] == there[i];
	}
	return true;
}

static int check_node_numbers(const struct demand *d, struct err *err)
{
	_cleanup_free_ char *online = host_nodes();
	_cleanup_free_ char *allowed = proc_status_text(d->pid, "Mems_allowed_list");
	bool there[NODES_MAX] = { false }, may[NODES_MAX] = { false }, wanted[NODES_MAX] = { 0 };
	unsigned i, usable = 0;

	if (!d->backend->host_nodes || !online || !backend_read_nodes(online, there))
		return 0;
	backend_read_nodes(d->backend->host_nodes, wanted);
	if (!allowed || !backend_read_nodes(allowed, may))
		memcpy(may, there, sizeof(may));
	for (i = 0; i < NODES_MAX; i++) {
		if (wanted[i] && !there[i]) {
			err_set(err, ERR_FAILED, "the host has no NUMA node %u", i);
			return err_hint(err, "its nodes: --host-nodes %s", online);
		}
		usable += wanted[i] && may[i];
	}
	if (usable)
		return 0;
	err_set(err, ERR_FAILED, "QEMU may take no memory of the host's NUMA nodes '%s'",
		d->backend->host_nodes);
	return err_hint(err, "its cpuset allows it: --host-nodes %s", allowed ? allowed : online);
}

static int check_nodes(const struct demand *d, struct err *err)
{
	uint64_t room = 0, bytes,
		 need = d->is_huge ? d->huge_bytes
				   : d->taken_bytes + overhead_bytes(d->taken_bytes);
	bool nodes[NODES_MAX], are_all;
	char have[SIZE_TEXT_MAX];
	unsigned i;

	if (!need || !find_nodes(d, nodes, &are_all) || are_all)
		return 0;
	for (i = 0; i < NODES_MAX; i++) {
		if (nodes[i] && (d->is_huge ? !host_node_huge_bytes(i, d->page_bytes, &bytes)
					    : !host_node_bytes(i, &bytes)))
			return 0;
		room += nodes[i] ? bytes : 0;
	}
	if (room >= need)
		return 0;
	err_set(err, ERR_FAILED, "the NUMA nodes that QEMU may take it from have %s%s",
		size_of(have, d->is_huge ? room : bytes_less(room, overhead_bytes(d->taken_bytes))),
		d->is_huge ? " free in huge pages" : " available");
	return err_hint(err, "take a smaller size, or other --host-nodes; --force tries anyway");
}

/* The memory of the host and of QEMU's cgroups */

static int check_available(const struct demand *d, struct err *err)
{
	char have[SIZE_TEXT_MAX];
	uint64_t room;

	if (!host_available_bytes(&room) || room >= d->taken_bytes)
		return 0;
	err_set(err, ERR_FAILED, "the host has only %s available", size_format(have, room));
	return err_hint(err, "take a smaller size%s; --force tries anyway",
			d->backend->prealloc.is_set ? ", or leave out --prealloc" : "");
}

static int check_cgroup(const struct demand *d, struct err *err)
{
	uint64_t taken = d->taken_bytes, overhead, need;
	char have[SIZE_TEXT_MAX];
	struct cgroup_room room;

	if (!(taken || d->huge_bytes) || !cgroup_memory_room(d->pid, &room))
		return 0;
	if (room.counts_huge_pages)
		taken += d->huge_bytes;
	overhead = overhead_bytes(taken);
	need = taken ? taken + overhead + d->besides_bytes : 0;
	if (room.bytes < need) {
		err_set(err, ERR_FAILED, "QEMU's cgroup leaves %s",
			size_of(have, bytes_less(room.bytes, overhead)));
		hint_cgroup(&room, need - room.bytes, err);
	}
	free(room.directory);
	return room.bytes < need ? -1 : 0;
}

static int check_huge_cgroup(const struct demand *d, struct err *err)
{
	char have[SIZE_TEXT_MAX], page[SIZE_TEXT_MAX];
	struct cgroup_room room;

	if (!d->is_huge || !d->page_bytes || !cgroup_huge_room(d->pid, d->page_bytes, &room))
		return 0;
	if (room.bytes < d->huge_bytes) {
		err_set(err, ERR_FAILED, "QEMU's cgroup leaves %s in huge pages of %s",
			size_format(have, room.bytes), size_format(page, d->page_bytes));
		hint_cgroup(&room, d->huge_bytes - room.bytes, err);
	}
	free(room.directory);
	return room.bytes < d->huge_bytes ? -1 : 0;
}

static int check_huge_pages(const struct demand *d, struct err *err)
{
	char page[SIZE_TEXT_MAX], have[SIZE_TEXT_MAX];
	struct huge_pages pages;
	uint64_t need;

	if (!d->is_huge)
		return 0;
	if (!host_huge_pages(&pages, d->page_bytes)) {
		err_set(err, ERR_FAILED, "the host has no huge pages of %s",
			pages.page_bytes ? size_format(page, pages.page_bytes) : "any size");
		return err_hint(err, "see /sys/kernel/mm/hugepages on the host");
	}
	need = d->huge_bytes / pages.page_bytes + !!(d->huge_bytes % pages.page_bytes);
	if (pages.free >= need)
		return 0;
	err_set(err, ERR_FAILED, "the host has %s free in huge pages of %s",
		size_format(have, pages.free * pages.page_bytes),
		size_format(page, pages.page_bytes));
	return err_hint(err,
			"have more: echo %llu >/sys/kernel/mm/hugepages/hugepages-%llukB/"
			"nr_hugepages; --force tries anyway",
			(unsigned long long)(pages.total + need - pages.free),
			(unsigned long long)(pages.page_bytes / 1024));
}

static int check_reserved(const struct demand *d, struct err *err)
{
	return d->backend->reserve == RESERVE_OFF ? 0 : check_huge_pages(d, err);
}

static int check_file_system(const struct demand *d, struct err *err)
{
	char have[SIZE_TEXT_MAX];

	if (!d->has_path || d->path.free_bytes >= d->file_bytes)
		return 0;
	err_set(err, ERR_FAILED, "the file system of '%s' has only %s free", d->backend->mem_path,
		size_of(have, d->path.free_bytes));
	return err_hint(err, "make room there, or name another one with --mem-path; --force tries "
			     "anyway");
}

static limit_fn *const at_once[] = { check_file_size, check_address_space, check_locked,
				     check_threads,   check_commit,	   check_node_numbers,
				     check_reserved };
static limit_fn *const when_taken[] = { check_cgroup, check_huge_cgroup, check_file_system,
					check_nodes,  check_huge_pages,	 check_available };

int host_limits_check(const struct demand *d, struct err *err)
{
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(at_once); i++)
		if (at_once[i](d, err))
			return -1;
	return 0;
}

int host_limits_check_taken(const struct demand *d, struct err *err)
{
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(when_taken); i++)
		if (when_taken[i](d, err))
			return -1;
	return 0;
}

void host_limits_warn(const struct demand *d, void (*warn)(void *context, const char *text),
		      void *context)
{
	struct demand all = *d;
	char size[SIZE_TEXT_MAX];
	unsigned i;

	all.besides_bytes = d->unused_bytes;
	for (i = 0; i < ARRAY_SIZE(when_taken); i++) {
		bool is_cgroup = when_taken[i] == check_cgroup;
		_cleanup_free_ char *text = NULL;
		struct err err;

		if (!when_taken[i](&all, &err))
			continue;
		size_format(size, d->size_bytes + (is_cgroup ? d->unused_bytes : 0));
		text = xasprintf("%s, and the guest can use %s more: the kernel may then kill QEMU",
				 err.message, size);
		warn(context, text);
	}
}
