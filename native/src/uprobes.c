// SPDX-License-Identifier: Apache-2.0
/* Functions that are waited for: sets the probes, tells the first hit of each. */
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "agent.h"
#include "uprobes.h"

/* Hits come in bursts, and each release waits for the kernel's own readers. */
#define RELEASE_MILLISECONDS 100
#define MAPPINGS_MAX 4096

struct mapping {
	unsigned long long start, end, offset;
	char *path;
};

static const struct target *target;
static struct bpf_object *programs;
static bool works;
static size_t files_told;
static int wake = -1;
static pthread_t releaser;
static pthread_mutex_t setting = PTHREAD_MUTEX_INITIALIZER;
static volatile bool ending;
static bool wanted;
static const char *complaint;
static unsigned long long complaints;

bool uprobes_wanted(const char *path)
{
	wanted = uprobe_lines_open(path);
	return wanted;
}

void uprobes_complain(const char *detail)
{
	complaint = detail;
	complaints++;
}

bool uprobes_are_wanted(void)
{
	return wanted;
}

int uprobes_descriptor(void)
{
	return uprobe_lines_descriptor();
}

static void *release_hit_probes(void *unused)
{
	(void)unused;
	while (!ending) {
		struct probed_file *const *files;
		uint64_t count;
		size_t known;

		if (read(wake, &count, sizeof(count)) < 0 || ending)
			break;
		usleep(RELEASE_MILLISECONDS * 1000);
		pthread_mutex_lock(&setting);
		known = uprobe_files(&files);
		for (size_t i = 0; i < known && !ending; i++)
			if (__atomic_exchange_n(&files[i]->outdated, false, __ATOMIC_SEQ_CST))
				uprobe_links_release(files[i]);
		pthread_mutex_unlock(&setting);
	}
	return NULL;
}

void uprobes_begin(struct bpf_object *object)
{
	programs = object;
}

static const char *obstacle(void)
{
	const char *known = uprobe_links_obstacle();

	return known ? known : "functions can be watched with eBPF only";
}

static void set_listed(void)
{
	struct probed_file *const *files;
	size_t known;

	pthread_mutex_lock(&setting);
	known = uprobe_files(&files);
	for (size_t i = 0; i < known; i++) {
		struct probed_file *file = files[i];

		if (file->is_set)
			continue;
		file->is_set = true;
		if (works) {
			uprobe_file_open(file, target);
			uprobe_links_set(file);
		}
		for (size_t j = 0; j < file->count && !works; j++)
			file->probes[j].refused = obstacle();
	}
	pthread_mutex_unlock(&setting);
}

void uprobes_set_first(const struct target *of)
{
	if (!wanted)
		return;
	target = of;
	works = programs && uprobe_links_begin(programs);
	wake = eventfd(0, EFD_CLOEXEC);
	if (works && pthread_create(&releaser, NULL, release_hit_probes, NULL) != 0)
		works = false;
	uprobe_lines_read(true);
	set_listed();
}

static void tell_refused(const struct probe *probe)
{
	line_start("unprobed");
	line_number("probe", probe->number);
	line_text("reason", probe->refused);
	line_end();
}

/* Says which probes of the last set stand, once for each. */
void uprobes_tell(void)
{
	struct probed_file *const *files;
	size_t known, set = 0, refused = 0;

	if (!wanted)
		return;
	known = uprobe_files(&files);
	for (; files_told < known; files_told++) {
		struct probed_file *file = files[files_told];

		for (size_t i = 0; i < file->count; i++) {
			if (file->probes[i].refused) {
				tell_refused(&file->probes[i]);
				refused++;
			} else {
				set++;
			}
		}
	}
	if (complaints)
		report_gap("probe_list", complaints, complaint);
	complaints = 0;
	line_start("probed");
	line_number("set", set);
	line_number("refused", refused);
	line_end();
}

void uprobes_more(void)
{
	if (!uprobe_lines_read(false))
		return;
	set_listed();
	uprobes_tell();
}

static size_t read_mappings(pid_t process_id, struct mapping *out)
{
	char path[64], line[PATH_BYTES + 128];
	size_t count = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/maps", process_id);
	file = fopen(path, "re");
	while (file && count < MAPPINGS_MAX && fgets(line, sizeof(line), file)) {
		struct mapping *one = &out[count];
		char executable;
		int name = 0;

		if (sscanf(line, "%llx-%llx %*c%*c%c%*c %llx %*s %*s %n", &one->start,
			   &one->end, &executable, &one->offset, &name) != 4 ||
		    executable != 'x' || !name || line[name] != '/')
			continue;
		line[strcspn(line, "\n")] = 0;
		one->path = strdup(line + name);
		count += one->path != NULL;
	}
	if (file)
		fclose(file);
	return count;
}

static void write_frame(unsigned long long address, const struct mapping *mappings,
			size_t count)
{
	line_object_start(NULL);
	line_number("address", address);
	for (size_t i = 0; i < count; i++) {
		if (address < mappings[i].start || address >= mappings[i].end)
			continue;
		line_text("path", mappings[i].path);
		line_number("offset", address - mappings[i].start + mappings[i].offset);
		break;
	}
	line_object_end();
}

static void write_frames(const struct hit_record *record)
{
	static struct mapping mappings[MAPPINGS_MAX];
	size_t count = read_mappings(record->head.process_id, mappings);
	unsigned int frames = record->frame_count < FRAMES_MAX ? record->frame_count : FRAMES_MAX;

	line_list_start("frames");
	write_frame(record->address, mappings, count);
	if (record->caller)
		write_frame(record->caller, mappings, count);
	/* The first frame is the probe itself. */
	for (unsigned int i = 1; i < frames; i++)
		if (i > 1 || record->frames[i] != record->caller)
			write_frame(record->frames[i], mappings, count);
	line_list_end();
	while (count > 0)
		free(mappings[--count].path);
}

void uprobes_hit(const struct hit_record *record)
{
	struct probe *probe = uprobe_numbered(record->probe);
	uint64_t one = 1;

	if (!probe || probe->told)
		return;
	probe->told = true;
	line_start("hit");
	line_number("probe", probe->number);
	line_number("process_id", record->head.process_id);
	line_number("container_process_id", record->container_process_id);
	line_number("thread_id", record->thread_id);
	line_fraction("seconds", seconds_of(record->head.nanoseconds));
	line_bytes("command", record->command, strnlen(record->command, COMMAND_BYTES));
	write_frames(record);
	line_end();
	__atomic_store_n(&probe->file->outdated, true, __ATOMIC_SEQ_CST);
	if (write(wake, &one, sizeof(one)) < 0)
		return; /* the probe only stays, and costs a little */
}

static void stop_releasing(void)
{
	uint64_t one = 1;

	if (!works)
		return;
	ending = true;
	if (write(wake, &one, sizeof(one)) > 0)
		pthread_join(releaser, NULL);
}

static void tell_file(const struct probed_file *file, size_t *counts)
{
	for (size_t i = 0; i < file->count; i++) {
		const struct probe *probe = &file->probes[i];

		counts[0] += !probe->refused;
		if (!uprobe_was_hit(probe->number))
			continue;
		counts[1]++;
		if (probe->told)
			continue;
		line_start("hit"); /* its record was lost, the fact was not */
		line_number("probe", probe->number);
		line_end();
	}
	if (works && file->descriptor >= 0 && uprobe_file_changed(file, target)) {
		line_start("probed_file_changed");
		line_text("path", file->path);
		line_end();
	}
}

void uprobes_finish(void)
{
	struct probed_file *const *files;
	size_t known, counts[2] = { 0 };

	if (!wanted)
		return;
	stop_releasing();
	known = uprobe_files(&files);
	for (size_t i = 0; i < known; i++)
		tell_file(files[i], counts);
	line_start("probes_ended");
	line_number("set", counts[0]);
	line_number("hit", counts[1]);
	line_end();
}
