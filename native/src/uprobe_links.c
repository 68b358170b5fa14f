// SPDX-License-Identifier: Apache-2.0
/* Probes in the kernel: one link for all of a file, made anew without those that were
 * hit; before Linux 6.6 one link for each. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent.h"
#include "uprobes.h"

#define ATTACH_UPROBE_MULTI 48 /* BPF_TRACE_UPROBE_MULTI; older headers lack it */

/* The kernel's union bpf_attr for this command; older headers lack its last part. */
struct link_create {
	__u32 program, target, attach_type, flags;
	__u64 path, offsets, counters, cookies;
	__u32 count, multi_flags, process_id, reserved;
};

static struct bpf_program *of_many, *of_one;
static const volatile uint64_t *words;
static bool many_works;
static char given_up[REASON_BYTES];

void uprobes_choose(struct bpf_object *object)
{
	of_many = bpf_object__find_program_by_name(object, "on_hit_of_many");
	of_one = bpf_object__find_program_by_name(object, "on_hit_of_one");
	if (!uprobes_are_wanted() || given_up[0] || !of_many || !of_one)
		return;
	bpf_program__set_autoload(of_many, true);
	bpf_program__set_autoload(of_one, true);
	bpf_program__set_expected_attach_type(of_many, ATTACH_UPROBE_MULTI);
}

/* What is wrong with the probes shall not take the files and processes away as well. */
bool uprobes_give_up(const char *reason)
{
	if (!uprobes_are_wanted() || given_up[0])
		return false;
	snprintf(given_up, sizeof(given_up), "the kernel refused the programs: %.400s", reason);
	return true;
}

const char *uprobe_links_obstacle(void)
{
	return given_up[0] ? given_up : NULL;
}

bool uprobes_own(const struct bpf_program *program)
{
	return program == of_many || program == of_one;
}

bool uprobe_links_begin(struct bpf_object *object)
{
	int map = bpf_object__find_map_fd_by_name(object, "probes_hit");
	void *address;

	if (given_up[0])
		return false;
	address = mmap(NULL, PROBES_MAX * sizeof(*words), PROT_READ, MAP_SHARED, map, 0);

	words = address == MAP_FAILED ? NULL : address;
	many_works = !getenv("VEXXY_TRACE_ONE_BY_ONE");
	return words != NULL;
}

bool uprobe_was_hit(uint32_t number)
{
	return words && words[number];
}

static __u64 cookie_of(const struct probe *probe)
{
	return probe->number | (probe->entry ? PROBE_ENTRY : 0);
}

static int link_many(const char *path, struct probe **probes, size_t count)
{
	struct link_create command = {
		.program = bpf_program__fd(of_many),
		.attach_type = ATTACH_UPROBE_MULTI,
		.path = (uintptr_t)path,
		.count = count,
	};
	__u64 *offsets = calloc(2 * count, sizeof(*offsets));
	int link;

	if (!offsets)
		return -1;
	for (size_t i = 0; i < count; i++) {
		offsets[i] = probes[i]->offset;
		offsets[count + i] = cookie_of(probes[i]);
	}
	command.offsets = (uintptr_t)offsets;
	command.cookies = (uintptr_t)(offsets + count);
	link = syscall(SYS_bpf, BPF_LINK_CREATE, &command, sizeof(command));
	free(offsets);
	return link;
}

/* One bad place spoils the link of all: find it by halving, and leave it out. */
static size_t good_probes(const char *path, struct probe **probes, size_t count)
{
	int link = link_many(path, probes, count);
	size_t first, second;

	if (link >= 0) {
		close(link);
		return count;
	}
	if (count == 1) {
		char reason[REASON_BYTES];

		snprintf(reason, sizeof(reason), "the kernel cannot probe this instruction: %s",
			 strerror(errno));
		probes[0]->refused = strdup(reason);
		return 0;
	}
	first = good_probes(path, probes, count / 2);
	second = good_probes(path, probes + count / 2, count - count / 2);
	memmove(probes + first, probes + count / 2, second * sizeof(*probes));
	return first + second;
}

static struct bpf_link *link_one(const char *path, const struct probe *probe)
{
	DECLARE_LIBBPF_OPTS(bpf_uprobe_opts, options, .bpf_cookie = cookie_of(probe));

	return bpf_program__attach_uprobe_opts(of_one, -1, path, probe->offset, &options);
}

static void set_each(const char *path, struct probe **probes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char reason[REASON_BYTES];

		probes[i]->link = link_one(path, probes[i]);
		if (probes[i]->link)
			continue;
		snprintf(reason, sizeof(reason), "the kernel refused the probe: %s",
			 strerror(errno));
		probes[i]->refused = strdup(reason);
	}
}

static size_t waiting(struct probed_file *file, struct probe **out)
{
	size_t count = 0;

	for (size_t i = 0; i < file->count; i++)
		if (!file->probes[i].refused && !uprobe_was_hit(file->probes[i].number))
			out[count++] = &file->probes[i];
	return count;
}

/* Only where the file is mapped does the kernel look at the instruction; else it would
 * leave out later, without a word, what it cannot probe. */
static void set(struct probed_file *file, const char *path, struct probe **probes)
{
	size_t count = waiting(file, probes);
	size_t bytes = file->as_set.st_size;
	void *mapped;

	if (!count)
		return;
	mapped = mmap(NULL, bytes, PROT_READ | PROT_EXEC, MAP_PRIVATE, file->descriptor, 0);
	if (mapped == MAP_FAILED) {
		for (size_t i = 0; i < count; i++)
			probes[i]->refused = "the file cannot be mapped for execution";
		return;
	}
	if (many_works) {
		file->link = link_many(path, probes, count);
		if (file->link < 0)
			count = good_probes(path, probes, count);
		if (file->link < 0 && count)
			file->link = link_many(path, probes, count);
	}
	if (file->link < 0 && count) {
		many_works = false;
		set_each(path, probes, count);
	}
	munmap(mapped, bytes);
}

void uprobe_links_set(struct probed_file *file)
{
	struct probe **probes = calloc(file->count ? file->count : 1, sizeof(*probes));
	char path[64];

	if (!probes || file->descriptor < 0)
		return;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file->descriptor);
	set(file, path, probes);
	free(probes);
}

static void release_each(struct probed_file *file)
{
	for (size_t i = 0; i < file->count; i++) {
		struct probe *probe = &file->probes[i];

		if (probe->link && uprobe_was_hit(probe->number)) {
			bpf_link__destroy(probe->link);
			probe->link = NULL;
		}
	}
}

/* Take away the probes that were hit. The new link is there before the old one goes. */
void uprobe_links_release(struct probed_file *file)
{
	struct probe **probes;
	char path[64];
	size_t count;
	int link = -1;

	release_each(file);
	if (file->link < 0)
		return;
	probes = calloc(file->count, sizeof(*probes));
	if (!probes)
		return;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file->descriptor);
	count = waiting(file, probes);
	if (count)
		link = link_many(path, probes, count);
	if (!count || link >= 0) {
		close(file->link);
		file->link = link;
	}
	free(probes);
}
