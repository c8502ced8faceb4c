/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One process, according to /proc. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/aside.h"
#include "lib/kfile.h"
#include "lib/proc.h"

#define PROGRAM_MAX (256 << 20) /* bytes of a program that are searched */
#define WORDS_MAX   (1 << 20)

bool proc_open(struct proc *p, pid_t pid)
{
	_cleanup_free_ char *path = xasprintf("/proc/%d", (int)pid);
	struct stat st;

	*p = (struct proc){ .pid = pid, .directory = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC) };
	/* the owner of /proc/PID is the effective user of the process, dumpable or not */
	if (p->directory >= 0 && !fstat(p->directory, &st)) {
		p->uid = st.st_uid;
		return true;
	}
	proc_close(p);
	return false;
}

void proc_close(struct proc *p)
{
	if (p->directory >= 0)
		close(p->directory);
	p->directory = -1;
}

char *proc_link(const struct proc *p, const char *name)
{
	char target[PATH_MAX];
	ssize_t len = readlinkat(p->directory, name, target, sizeof(target));

	return len > 0 && (size_t)len < sizeof(target) ? xstrndup(target, (size_t)len) : NULL;
}

/* Append everything there is to read; false on an error, and beyond @max_bytes. */
static bool read_all(int fd, size_t max_bytes, struct buf *bytes)
{
	size_t start = bytes->len;
	char chunk[16384];
	ssize_t n;

	while ((n = read(fd, chunk, sizeof(chunk))) > 0) {
		size_t room = max_bytes - (bytes->len - start);

		buf_add(bytes, chunk, (size_t)n < room ? (size_t)n : room);
		if ((size_t)n > room)
			return false;
	}
	return n == 0;
}

bool proc_read(const struct proc *p, const char *name, size_t max_bytes, struct buf *bytes)
{
	int fd = openat(p->directory, name, O_RDONLY | O_CLOEXEC);
	bool is_whole = fd >= 0 && read_all(fd, max_bytes, bytes);

	if (fd >= 0)
		close(fd);
	return is_whole;
}

static int read_words(int fd, const char *question, struct buf *answer)
{
	const struct proc p = { .directory = fd };
	size_t max_bytes;

	memcpy(&max_bytes, question, sizeof(max_bytes));
	proc_read(&p, "cmdline", max_bytes, answer);
	errno = 0;
	return -1;
}

bool proc_words(const struct proc *p, size_t max_bytes, struct buf *words)
{
	return aside_ask(read_words, p->directory, &max_bytes, sizeof(max_bytes), words) >= 0 ||
	       !errno;
}

pid_t proc_parent(const struct proc *p)
{
	_cleanup_buf_ struct buf text = { 0 };
	_cleanup_free_ char *digits = NULL;
	const char *after;
	uint64_t parent;

	if (!proc_read(p, "stat", 4096, &text))
		return 0;
	/* "PID (NAME) STATE PARENT ...", and the name may contain anything (proc(5)) */
	after = strrchr(buf_text(&text), ')');
	if (!after || strlen(after) < 5)
		return 0;
	digits = xstrndup(after + 4, strcspn(after + 4, " "));
	return parse_u64(digits, 10, &parent) && parent <= INT_MAX ? (pid_t)parent : 0;
}

char *proc_program(const struct proc *p)
{
	static const char deleted[] = " (deleted)";
	_cleanup_free_ char *path = proc_link(p, "exe");
	const char *slash = path ? strrchr(path, '/') : NULL;
	size_t len = slash ? strlen(slash + 1) : 0, end = sizeof(deleted) - 1;

	if (!len)
		return NULL;
	if (len > end && !strcmp(slash + 1 + len - end, deleted))
		len -= end;
	return xstrndup(slash + 1, len);
}

/* The kernel shows both links relative to the same root. */
char *proc_cwd(const struct proc *p)
{
	_cleanup_free_ char *root = proc_link(p, "root");
	char *cwd = proc_link(p, "cwd");
	size_t len = root ? strlen(root) : 0;
	const char *rest;

	if (!cwd || len < 2 || strncmp(cwd, root, len) != 0 || (cwd[len] && cwd[len] != '/'))
		return cwd;
	rest = cwd[len] ? cwd + len : "/";
	memmove(cwd, rest, strlen(rest) + 1);
	return cwd;
}

/* openat2(2), new in Linux 5.6, treats a directory as the root (RESOLVE_IN_ROOT), or does not leave
 * it (RESOLVE_BENEATH). Without it, a link may lead elsewhere. */
static int open_within(int directory, const char *path, int flags, uint64_t resolve)
{
	struct open_how how = { .flags = (uint64_t)(flags | O_CLOEXEC), .resolve = resolve };
	long fd = syscall(SYS_openat2, directory, path, &how, sizeof(how));

	if (fd >= 0 || errno != ENOSYS)
		return (int)fd;
	path += strspn(path, "/");
	return openat(directory, *path ? path : ".", flags | O_CLOEXEC);
}

static int open_below(const struct proc *p, const char *start, const char *path, int flags,
		      uint64_t resolve)
{
	int directory = openat(p->directory, start, O_PATH | O_DIRECTORY | O_CLOEXEC), saved;
	int fd = directory >= 0 ? open_within(directory, path, flags, resolve) : -1;

	saved = errno;
	if (directory >= 0)
		close(directory);
	errno = saved;
	return fd;
}

/* A path that leaves the working directory, by ".." or a link, is resolved again from the root. */
static int open_relative(const struct proc *p, const char *path, int flags, uint64_t resolve)
{
	_cleanup_free_ char *cwd = NULL;
	_cleanup_free_ char *whole = NULL;
	int fd = open_below(p, "cwd", path, flags,
			    resolve | RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS);

	if (fd >= 0 || errno != EXDEV)
		return fd;
	cwd = proc_cwd(p);
	whole = xasprintf("%s/%s", cwd ? cwd : "", path);
	return open_below(p, "root", whole, flags, resolve | RESOLVE_IN_ROOT);
}

static int open_path(const struct proc *p, const char *path, int flags, uint64_t resolve)
{
	return path[0] == '/' ? open_below(p, "root", path, flags, resolve | RESOLVE_IN_ROOT)
			      : open_relative(p, path, flags, resolve);
}

/* A path and the flags to open it with. */
struct opening {
	int flags;
	size_t max_bytes; /* of a file to read */
	char path[PATH_MAX];
};

static bool fill(struct opening *o, const char *path, int flags, size_t max_bytes)
{
	size_t len = strlen(path);

	*o = (struct opening){ .flags = flags, .max_bytes = max_bytes };
	if (len < sizeof(o->path))
		memcpy(o->path, path, len);
	return len < sizeof(o->path);
}

static int open_aside(int fd, const char *question, struct buf *answer)
{
	const struct opening *o = (const void *)question;
	const struct proc p = { .directory = fd };

	(void)answer;
	return open_path(&p, o->path, o->flags, 0);
}

/* A path in the kernel's cache is found at once (RESOLVE_CACHED, new in Linux 5.12); asking the
 * file system may take any time. */
int proc_open_path(const struct proc *p, const char *path, int flags)
{
	_cleanup_buf_ struct buf ignored = { 0 };
	int fd = open_path(p, path, flags, RESOLVE_CACHED);
	struct opening o;

	if (fd >= 0 || (errno != EAGAIN && errno != EINVAL))
		return fd;
	if (fill(&o, path, flags, 0))
		return aside_ask(open_aside, p->directory, &o, sizeof(o), &ignored);
	errno = ENAMETOOLONG;
	return -1;
}

/* Open it for reading only after checking that it is not a device or a pipe. */
static int read_file(int fd, const char *question, struct buf *answer)
{
	const struct opening *o = (const void *)question;
	const struct proc p = { .directory = fd };
	int found = open_path(&p, o->path, O_PATH, 0), file;
	_cleanup_free_ char *self = xasprintf("/proc/self/fd/%d", found);
	struct stat st;

	if (found < 0)
		return -1;
	errno = EINVAL;
	if (!fstat(found, &st) && S_ISREG(st.st_mode) &&
	    (file = open(self, O_RDONLY | O_CLOEXEC)) >= 0) {
		errno = read_all(file, o->max_bytes, answer) ? 0 : EFBIG;
		close(file);
	}
	return -1;
}

bool proc_read_file(const struct proc *p, const char *path, size_t max_bytes, struct buf *bytes)
{
	struct opening o;

	return fill(&o, path, O_PATH, max_bytes) &&
	       aside_ask(read_file, p->directory, &o, sizeof(o), bytes) < 0 && !errno;
}

static bool has_text(int fd, const char *text)
{
	size_t keep = strlen(text) - 1, have = 0, total = 0;
	static char chunk[1 << 16];
	bool is_there = false;
	ssize_t n;

	while (!is_there && total < PROGRAM_MAX &&
	       (n = read(fd, chunk + have, sizeof(chunk) - have)) > 0) {
		have += (size_t)n;
		total += (size_t)n;
		is_there = memmem(chunk, have, text, strlen(text));
		if (have > keep) {
			memmove(chunk, chunk + have - keep, keep);
			have = keep;
		}
	}
	return is_there;
}

static int search_program(int fd, const char *question, struct buf *answer)
{
	int program = openat(fd, "exe", O_RDONLY | O_CLOEXEC);

	if (program < 0)
		return -1;
	if (has_text(program, question))
		buf_add(answer, "", 1);
	close(program);
	return -1;
}

bool proc_program_has(const struct proc *p, const char *text)
{
	_cleanup_buf_ struct buf found = { 0 };

	(void)aside_ask(search_program, p->directory, text, strlen(text) + 1, &found);
	return found.len;
}

char *proc_status_text(pid_t pid, const char *name)
{
	_cleanup_free_ char *path = xasprintf("/proc/%d/status", (int)pid);
	_cleanup_free_ char *text = kfile_read(path);
	const char *value = kfile_line(text, name);

	return value ? xstrndup(value, strcspn(value, "\n")) : NULL;
}

bool proc_status_bytes(pid_t pid, const char *name, uint64_t *bytes)
{
	_cleanup_free_ char *text = proc_status_text(pid, name);
	unsigned long long kib;

	if (!text || sscanf(text, "%llu kB", &kib) != 1 || kib > UINT64_MAX / 1024)
		return false;
	*bytes = kib * 1024;
	return true;
}

bool proc_limit(pid_t pid, const char *name, uint64_t *value)
{
	_cleanup_free_ char *path = xasprintf("/proc/%d/limits", (int)pid);
	_cleanup_free_ char *text = kfile_read(path);
	const char *line = text ? strstr(text, name) : NULL;
	unsigned long long number;

	if (!line)
		return false;
	line += strlen(name);
	line += strspn(line, " ");
	*value = UINT64_MAX;
	if (!strncmp(line, "unlimited", 9))
		return true;
	if (sscanf(line, "%llu", &number) != 1)
		return false;
	*value = number;
	return true;
}

/* Capabilities in another user namespace mean nothing outside it. */
static bool is_in_our_user_namespace(pid_t pid)
{
	_cleanup_free_ char *path = xasprintf("/proc/%d/ns/user", (int)pid);
	struct stat theirs, ours;

	return !stat(path, &theirs) && !stat("/proc/self/ns/user", &ours) &&
	       theirs.st_dev == ours.st_dev && theirs.st_ino == ours.st_ino;
}

bool proc_has_capability(pid_t pid, unsigned capability)
{
	_cleanup_free_ char *text = proc_status_text(pid, "CapEff");
	uint64_t set;

	return text && parse_u64(text, 16, &set) && (set >> capability & 1) &&
	       is_in_our_user_namespace(pid);
}

bool proc_has_argument(pid_t pid, const char *option)
{
	_cleanup_buf_ struct buf words = { 0 };
	struct proc p;
	size_t at;

	if (!proc_open(&p, pid))
		return false;
	proc_words(&p, WORDS_MAX, &words);
	proc_close(&p);
	for (at = 0; at < words.len; at += strlen(words.data + at) + 1) {
		const char *word = words.data + at;

		if (word[0] == '-' && !strcmp(word + 1 + (word[1] == '-'), option))
			return true;
	}
	return false;
}

/* A process that ends gives up its memory first. */
bool proc_has_ended(pid_t pid)
{
	_cleanup_free_ char *state = proc_status_text(pid, "State");
	_cleanup_free_ char *memory = proc_status_text(pid, "VmSize");

	return state ? !memory : kill(pid, 0) && errno == ESRCH;
}

uint64_t proc_threads_of_user(uid_t uid)
{
	DIR *directory = opendir("/proc");
	struct dirent *entry;
	uint64_t sum = 0;

	while (directory && (entry = readdir(directory))) {
		_cleanup_free_ char *path = xasprintf("/proc/%s/status", entry->d_name);
		_cleanup_free_ char *text =
			strspn(entry->d_name, "0123456789") ? kfile_read(path) : NULL;
		const char *ids = text ? kfile_line(text, "Uid") : NULL;
		const char *threads = text ? kfile_line(text, "Threads") : NULL;
		unsigned owner, count;

		if (ids && threads && sscanf(ids, "%u", &owner) == 1 && owner == uid &&
		    sscanf(threads, "%u", &count) == 1)
			sum += count;
	}
	if (directory)
		closedir(directory);
	return sum;
}

bool proc_holds(pid_t pid, const char *path)
{
	_cleanup_free_ char *name = xasprintf("/proc/%d/fd", (int)pid);
	DIR *directory = opendir(name);
	struct dirent *entry;
	bool found = false;

	while (directory && !found && (entry = readdir(directory))) {
		char target[256];
		ssize_t len =
			readlinkat(dirfd(directory), entry->d_name, target, sizeof(target) - 1);

		target[len > 0 ? len : 0] = '\0';
		found = !strncmp(target, path, strlen(path));
	}
	if (directory)
		closedir(directory);
	return found;
}
