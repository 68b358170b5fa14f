// SPDX-License-Identifier: Apache-2.0
/* /proc/PID/maps as a cross-check: a file that is mapped executable there and was never
 * told by the main source is told from here, and is a gap.
 *
 * The maps are read first and the main source is drained before the two are compared,
 * so that an event still on its way counts as told. */
#include <dirent.h>
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

struct mapping {
	unsigned long long first, end;
	char permissions[5];
	struct file_event file; /* device and inode only */
	char *path; /* into the line; NULL: no file */
	char line[LINE_BYTES];
};

static pid_t processes[PROCESSES_MAX];
static bool looked[PROCESSES_MAX];
static size_t process_count, unexplained, unresolved, untold_processes;
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

static bool is_device(const char *path)
{
	return strncmp(path, "/dev/", 5) == 0;
}

static void keep(pid_t process_id, char *path, const struct file_event *like)
{
	unsigned int flags = take_off_mark(path);
	struct found *found;

	if (is_device(path) || texts_has(&compared, path))
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

/* False at the last line; what is no file has no path. */
static bool next_mapping(FILE *maps, struct mapping *out)
{
	unsigned int major = 0, minor = 0;
	int at = 0;

	if (!fgets(out->line, sizeof(out->line), maps))
		return false;
	out->first = out->end = out->file.inode = 0;
	out->permissions[0] = 0;
	sscanf(out->line, "%llx-%llx %4s %*x %x:%x %llu %n", &out->first, &out->end,
	       out->permissions, &major, &minor, &out->file.inode, &at);
	out->line[strcspn(out->line, "\n")] = 0;
	out->file.device = makedev(major, minor);
	out->path = at && out->file.inode && out->line[at] == '/' ? out->line + at : NULL;
	return true;
}

static FILE *open_maps(pid_t process_id)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/maps", process_id);
	return fopen(path, "re");
}

/* False: the process is gone. */
static bool look_at(pid_t process_id)
{
	FILE *maps = open_maps(process_id);
	struct mapping mapping;

	if (!maps)
		return false;
	while (next_mapping(maps, &mapping))
		if (mapping.path && mapping.permissions[2] == 'x')
			keep(process_id, mapping.path, &mapping.file);
	fclose(maps);
	return true;
}

static bool find_mapping(pid_t process_id, unsigned long long address, struct mapping *out)
{
	FILE *maps = open_maps(process_id);
	bool found = false;

	while (maps && !found && next_mapping(maps, out))
		found = out->first <= address && address < out->end;
	if (maps)
		fclose(maps);
	return found;
}

/* Where the first thread ended, only the others still show the mappings: the one that
 * made this one, or, when it was the first itself, any that is left.
 */
static bool find_by_threads(const struct mapping_event *event, struct mapping *out)
{
	char path[64];
	const struct dirent *entry;
	bool found = find_mapping(event->thread_id, event->address, out);
	DIR *threads;

	if (found)
		return true;
	snprintf(path, sizeof(path), "/proc/%d/task", event->process_id);
	threads = opendir(path);
	while (threads && !found && (entry = readdir(threads)))
		found = atoi(entry->d_name) > 0 &&
			find_mapping(atoi(entry->d_name), event->address, out);
	if (threads)
		closedir(threads);
	return found;
}

void mappings_resolve(const struct mapping_event *event)
{
	struct mapping mapping;
	struct file_event *file = &mapping.file;

	if (!find_mapping(event->process_id, event->address, &mapping) &&
	    !find_by_threads(event, &mapping)) {
		unresolved++;
		return;
	}
	if (!mapping.path || is_device(mapping.path))
		return;
	file->flags = take_off_mark(mapping.path);
	file->path = mapping.path;
	file->use = USE_MAPPED;
	file->process_id = event->process_id;
	file->seconds = event->seconds;
	file->source = "proc_maps";
	report_file(file);
	mappings_explained(file->path);
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
	if (unresolved)
		report_gap("unknown_mapping", unresolved,
			   "memory was made executable and its file not found");
	if (untold_processes)
		report_gap("processes_unchecked", untold_processes,
			   "more processes ran at once than are checked by their maps");
}
