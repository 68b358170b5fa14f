// SPDX-License-Identifier: Apache-2.0
/* The eBPF source: loads the programs of bpf/, attaches them, reads their records. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent.h"
#include "ebpf.h"
#include "uprobes.h"

#define PROGRAMS_MAX 8

static struct bpf_object *object;
static struct ring_buffer *ring;
static struct shared *shared;
static struct bpf_link *links[PROGRAMS_MAX];
static size_t link_count;
static char last_complaint[REASON_BYTES];

/* libbpf's own words are kept for the reason of a failure, not printed. */
static int complain(enum libbpf_print_level level, const char *format, va_list arguments)
{
	char line[REASON_BYTES];

	va_list again;

	if (level != LIBBPF_WARN)
		return 0;
	va_copy(again, arguments);
	vsnprintf(line, sizeof(line), format, arguments);
	line[strcspn(line, "\n")] = 0;
	if (!strstr(line, "BEGIN PROG LOAD LOG") && !last_complaint[0])
		snprintf(last_complaint, sizeof(last_complaint), "%s", line);
	if (getenv("VEXXY_TRACE_DEBUG"))
		vfprintf(stderr, format, again);
	va_end(again);
	return 0;
}

/* The map that holds the program's variables of one section. */
static struct bpf_map *variables(const char *section)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, object) {
		const char *dot = strrchr(bpf_map__name(map), '.');

		if (dot && strcmp(dot, section) == 0)
			return map;
	}
	return NULL;
}

static struct settings *initial_settings(void)
{
	struct bpf_map *map = variables(".rodata");
	size_t size = 0;
	const void *value = map ? bpf_map__initial_value(map, &size) : NULL;

	return size >= sizeof(struct settings) ? (struct settings *)value : NULL;
}

static struct shared *map_shared(void)
{
	struct bpf_map *map = variables(".bss");
	void *address;

	if (!map || bpf_map__value_size(map) < sizeof(struct shared))
		return NULL;
	address = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE, MAP_SHARED,
		       bpf_map__fd(map), 0);
	return address == MAP_FAILED ? NULL : address;
}

static int load(const struct target *target, const char *start, const char *end)
{
	struct settings *settings;

	object = bpf_object__open_mem(start, end - start, NULL);
	if (!object)
		return -errno;
	settings = initial_settings();
	if (!settings)
		return -EINVAL;
	settings->namespace_inode = target->namespace_inode;
	if (target->cgroup_name) {
		settings->cgroup_name_bytes = strlen(target->cgroup_name);
		memcpy(settings->cgroup_name, target->cgroup_name,
		       settings->cgroup_name_bytes);
	}
	settings->never_look_up = getenv("VEXXY_TRACE_NEVER_LOOK_UP") != NULL;
	fill_operations(settings->operation, settings->path_argument);
	uprobes_choose(object);
	return bpf_object__load(object);
}

static void unload(void)
{
	while (link_count > 0)
		bpf_link__destroy(links[--link_count]);
	if (shared)
		munmap(shared, sizeof(*shared));
	ring_buffer__free(ring);
	bpf_object__close(object);
	ring = NULL;
	object = NULL;
	shared = NULL;
}

static int attach(char *reason)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, object) {
		struct bpf_link *link;

		if (uprobes_own(program))
			continue;
		link = bpf_program__attach(program);

		if (!link || link_count == PROGRAMS_MAX) {
			snprintf(reason, REASON_BYTES, "attaching %s failed: %s",
				 bpf_program__name(program), strerror(errno));
			return -1;
		}
		links[link_count++] = link;
	}
	return 0;
}

static int prepare(const struct target *target, char *reason)
{
	int ring_map = bpf_object__find_map_fd_by_name(object, "ring");
	int entering = bpf_object__find_map_fd_by_name(object, "entering");
	unsigned int process_id = target->process_id;
	unsigned char one = 1;

	shared = map_shared();
	ring = ring_buffer__new(ring_map, ebpf_record, NULL, NULL);
	if (!shared || !ring) {
		snprintf(reason, REASON_BYTES, "the ring buffer could not be mapped: %s",
			 strerror(errno));
		return -1;
	}
	if (!process_id)
		return 0;
	shared->entering = 1;
	return bpf_map_update_elem(entering, &process_id, &one, BPF_ANY);
}

static int load_either(const struct target *target)
{
	const char *variant = getenv("VEXXY_TRACE_OBJECT");
	int failed = -1;

	if (!variant || strcmp(variant, "plain") != 0)
		failed = load(target, typed_object, typed_object_end);
	if (failed) {
		unload();
		failed = load(target, plain_object, plain_object_end);
	}
	return failed;
}

static int start(const struct target *target, char *reason)
{
	int failed;

	last_complaint[0] = 0;
	libbpf_set_print(complain);
	failed = load_either(target);
	if (failed && uprobes_give_up(last_complaint)) {
		unload();
		failed = load_either(target);
	}
	if (failed) {
		snprintf(reason, REASON_BYTES, "the kernel refused the programs (%s): %s",
			 strerror(-failed), last_complaint);
		unload();
		return -1;
	}
	if (prepare(target, reason) || attach(reason)) {
		unload();
		return -1;
	}
	uprobes_begin(object);
	return 0;
}

int ebpf_try(char *reason)
{
	const struct target nobody = { .cgroup_name = "vexxy-trace-probe" };

	if (start(&nobody, reason) != 0)
		return -1;
	unload();
	return 0;
}

static int descriptor(void)
{
	return ring_buffer__epoll_fd(ring);
}

static void drain(void)
{
	ring_buffer__consume(ring);
}

/* Runs that the kernel skipped because the same program was running on the processor. */
static unsigned long long skipped_runs(void)
{
	struct bpf_program *program;
	unsigned long long skipped = 0;

	bpf_object__for_each_program(program, object) {
		struct bpf_prog_info info = {};
		__u32 length = sizeof(info);

		if (bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &length) == 0)
			skipped += info.recursion_misses;
	}
	return skipped;
}

static void write_lost(void)
{
	static const char *const kinds[RECORD_TYPES] = {
		"", "files", "executions", "directories", "forks", "exits", "connections",
		"refusals", "mappings", "hits",
	};

	line_start("lost");
	for (int type = 1; type < RECORD_TYPES; type++)
		line_number(kinds[type], shared->lost[type]);
	line_number("skipped_runs", skipped_runs());
	line_number("refusals_beyond_bound", shared->refused_unsent);
	line_end();
}

static void write_gaps(void)
{
	static const struct {
		const char *kind, *detail;
	} gaps[GAPS] = {
		[GAP_IO_URING] = { "io_uring", "files can be opened through io_uring unseen" },
		[GAP_MOUNTS] = { "mounts", "the image changed its mounts; paths may differ" },
		[GAP_PTRACE] = { "ptrace", "a process could write code into another" },
		[GAP_COMPAT] = { "compat", "32-bit system calls are not decoded" },
		[GAP_UNKNOWN_MAPPING] = { "unknown_mapping",
					  "executable memory was unmapped before it was looked at" },
		[GAP_UNKNOWN_SYSCALL] = { "unknown_syscall",
					  "a system call number is beyond the known ones" },
		[GAP_UNKNOWN_FILE] = { "unknown_file",
				       "an opened file was closed before it was looked at" },
		[GAP_ENTERING_FULL] = { "entering_full",
					"too many processes entered the container at once" },
	};

	for (int gap = 0; gap < GAPS; gap++)
		if (shared->gaps[gap])
			report_gap(gaps[gap].kind, shared->gaps[gap], gaps[gap].detail);
	if (!shared->namespace_address)
		report_gap("target_unseen", 1, "no process of the container was ever seen");
}

static void finish(void)
{
	drain();
	uprobes_finish();
	for (unsigned int number = 0; number < SYSCALLS_MAX; number++)
		if (shared->syscalls[number])
			syscall_seen(number);
	write_gaps();
	write_lost();
	unload();
}

const struct source source_ebpf = {
	.name = "ebpf",
	.start = start,
	.descriptor = descriptor,
	.drain = drain,
	.finish = finish,
};
