// SPDX-License-Identifier: Apache-2.0
/* The files that probes are wanted for, as the container has them. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent.h"
#include "uprobes.h"

#define GROWTH 64

static struct probed_file *files[PROBED_FILES_MAX];
static size_t file_count;
static struct probe *numbered[PROBES_MAX];

struct probed_file *uprobe_file_add(const char *path, bool on_host)
{
	struct probed_file *file;

	if (file_count == PROBED_FILES_MAX)
		return NULL;
	file = calloc(1, sizeof(*file));
	if (!file)
		return NULL;
	file->path = strdup(path);
	file->on_host = on_host;
	file->descriptor = file->link = -1;
	files[file_count++] = file;
	return file;
}

void uprobe_add(struct probed_file *file, const struct probe *probe)
{
	if (numbered[probe->number]) {
		uprobes_complain("a probe's number was used twice");
		return;
	}
	if (file->count % GROWTH == 0) {
		struct probe *more = realloc(file->probes,
					     (file->count + GROWTH) * sizeof(*more));

		if (!more) {
			uprobes_complain("no memory is left for a probe");
			return;
		}
		file->probes = more;
		for (size_t i = 0; i < file->count; i++)
			numbered[more[i].number] = &more[i];
	}
	file->probes[file->count] = *probe;
	file->probes[file->count].file = file;
	numbered[probe->number] = &file->probes[file->count++];
}

struct probe *uprobe_numbered(uint32_t number)
{
	return number < PROBES_MAX ? numbered[number] : NULL;
}

size_t uprobe_files(struct probed_file *const **out)
{
	*out = files;
	return file_count;
}

static bool same_root(int root)
{
	struct stat theirs, ours;

	return fstat(root, &theirs) == 0 && stat("/", &ours) == 0 &&
	       theirs.st_dev == ours.st_dev && theirs.st_ino == ours.st_ino;
}

static int root_of(pid_t process_id)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/root", process_id);
	return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* The container's root; its first process may be gone while others still run. */
static int container_root(const struct target *target)
{
	const pid_t *processes;
	size_t count = mappings_processes(&processes);
	int root = target->process_id ? root_of(target->process_id) : -1;

	for (size_t i = 0; root < 0 && i < count; i++)
		root = root_of(processes[i]);
	if (root >= 0 && target->root) {
		int below = openat(root, target->root, O_PATH | O_DIRECTORY | O_CLOEXEC);

		close(root);
		return below;
	}
	if (root >= 0 && same_root(root)) {
		close(root);
		errno = EXDEV;
		return -1;
	}
	return root;
}

static int open_path(const struct probed_file *file, const struct target *target)
{
	struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	int root, found;

	if (file->on_host)
		return open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	root = container_root(target);
	if (root < 0)
		return -1;
	found = syscall(SYS_openat2, root, file->path, &how, sizeof(how));
	close(root);
	return found;
}

static void refuse_all(struct probed_file *file, const char *reason)
{
	for (size_t i = 0; i < file->count; i++)
		file->probes[i].refused = reason;
}

static void expect_bytes(struct probed_file *file)
{
	for (size_t i = 0; i < file->count; i++) {
		struct probe *probe = &file->probes[i];
		uint8_t found[EXPECTED_BYTES];
		size_t wanted = probe->expected_bytes;

		if (pread(file->descriptor, found, wanted, probe->offset) != (ssize_t)wanted ||
		    memcmp(found, probe->expected, wanted) != 0)
			probe->refused = "the file is not the one that was read before";
	}
}

void uprobe_file_open(struct probed_file *file, const struct target *target)
{
	static char reason[REASON_BYTES];

	file->descriptor = open_path(file, target);
	if (file->descriptor < 0) {
		snprintf(reason, sizeof(reason), "the file cannot be opened: %s",
			 errno == EXDEV ? "the container has no root of its own yet" :
					  strerror(errno));
		refuse_all(file, strdup(reason));
		return;
	}
	if (fstat(file->descriptor, &file->as_set) || !S_ISREG(file->as_set.st_mode)) {
		refuse_all(file, "it is no regular file");
		return;
	}
	expect_bytes(file);
}

static bool same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* A file that is written to in a container becomes another one, below which the probes
 * stay; so does one that is replaced. */
bool uprobe_file_changed(const struct probed_file *file, const struct target *target)
{
	struct stat now;
	int found;
	bool differs;

	if (fstat(file->descriptor, &now) || !same(&now, &file->as_set))
		return true;
	found = open_path(file, target);
	if (found < 0)
		/* The container is gone, and nobody could have changed it since. */
		return errno == ENOENT && (file->on_host || target->process_id == 0 ||
					   pid_namespace_of(target->process_id));
	differs = fstat(found, &now) || !same(&now, &file->as_set);
	close(found);
	return differs;
}
