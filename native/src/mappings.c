// SPDX-License-Identifier: Apache-2.0
/* /proc/PID/maps as a cross-check: a file that is mapped executable there and was never
 * told by the main source is told from here, and is a gap.
 *
 * The maps are read first and the main source is drained before the two are compared,
 * so that an event still on its way counts as told. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "agent.h"

#define PROCESSES_MAX 16384
#define LOOKS_AT_ONCE 64
#define LINE_BYTES 8192

struct found {
	struct found *next;
	pid_t process_id;
	unsigned long long inode;
	unsigned int device;
	unsigned int flags;
	char path[];
};

static pid_t processes[PROCESSES_MAX];
static bool looked[PROCESSES_MAX];
static size_t process_count, unexplained, untold_processes;
static struct texts explained, compared;
static struct found *waiting;

void mappings_explained(const char *path)
{
	texts_add(&explained, path);
}

static size_t find(pid_t process_id)
{
	size_t at = 0;

	while (at < process_count && processes[at] != process_id)
		at++;
	return at;
}

void mappings_process(pid_t process_id)
{
	size_t at = find(process_id);

	if (at == PROCESSES_MAX) {
		untold_processes++;
		return;
	}
	if (at == process_count)
		processes[process_count++] = process_id;
	looked[at] = false;
}

void mappings_process_gone(pid_t process_id)
{
	size_t at = find(process_id);

	if (at == process_count)
		return;
	process_count--;
	processes[at] = processes[process_count];
	looked[at] = looked[process_count];
}

size_t mappings_processes(const pid_t **out)
{
	*out = processes;
	return process_count;
}

static void keep(pid_t process_id, char *path, const struct file_event *like)
{
	unsigned int flags = take_off_mark(path);
	struct found *found;

	if (strncmp(path, "/dev/", 5) == 0 || texts_has(&compared, path))
		return;
	found = calloc(1, sizeof(*found) + strlen(path) + 1);
	if (!found)
		return;
	found->process_id = process_id;
	found->inode = like->inode;
	found->device = like->device;
	found->flags = flags;
	strcpy(found->path, path);
	found->next = waiting;
	waiting = found;
}

/* False: the process is gone. */
static bool look_at(pid_t process_id)
{
	char path[64], line[LINE_BYTES];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/maps", process_id);
	file = fopen(path, "re");
	if (!file)
		return false;
	while (fgets(line, sizeof(line), file)) {
		struct file_event like = { 0 };
		char permissions[5] = "";
		unsigned int major, minor;
		int at = 0;

		sscanf(line, "%*x-%*x %4s %*x %x:%x %llu %n", permissions, &major, &minor,
		       &like.inode, &at);
		line[strcspn(line, "\n")] = 0;
		if (!at || permissions[2] != 'x' || !like.inode || line[at] != '/')
			continue;
		like.device = makedev(major, minor);
		keep(process_id, line + at, &like);
	}
	fclose(file);
	return true;
}

void mappings_look(bool at_all)
{
	size_t looks = 0, at = 0;

	while (at < process_count) {
		if (looked[at] && !at_all) {
			at++;
			continue;
		}
		if (!at_all && looks++ >= LOOKS_AT_ONCE)
			return;
		looked[at] = true;
		if (look_at(processes[at]))
			at++;
		else
			mappings_process_gone(processes[at]);
	}
}

/* Where the main source tells no mappings at all, those it explains are told as well. */
void mappings_compare(bool tell_all)
{
	while (waiting) {
		struct found *found = waiting;
		struct file_event event = {
			.path = found->path,
			.use = USE_MAPPED,
			.process_id = found->process_id,
			.inode = found->inode,
			.device = found->device,
			.flags = found->flags,
			.seconds = seconds_now(),
			.source = "proc_maps",
		};

		if (texts_add(&compared, found->path)) {
			bool told = texts_has(&explained, found->path);

			unexplained += !told;
			if (!told || tell_all)
				report_file(&event);
		}
		waiting = found->next;
		free(found);
	}
}

void mappings_finish(void)
{
	if (unexplained)
		report_gap("unexplained_mapping", unexplained,
			   "files are mapped executable that the recorder did not see mapped");
	if (untold_processes)
		report_gap("processes_unchecked", untold_processes,
			   "more processes ran at once than are checked by their maps");
}
