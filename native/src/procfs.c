// SPDX-License-Identifier: Apache-2.0
/* What /proc says of a process; every answer may be out of date a moment later. */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent.h"

unsigned int pid_namespace_of(pid_t process_id)
{
	char path[64];
	struct stat status;

	snprintf(path, sizeof(path), "/proc/%d/ns/pid", process_id);
	return stat(path, &status) == 0 ? status.st_ino : 0;
}

/* The last word of a line of /proc/PID/status, -1 where there is no such line. */
static int status_number(pid_t process_id, const char *key, bool last)
{
	char path[64], line[256];
	int value = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", process_id);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		if (strncmp(line, key, strlen(key)) != 0)
			continue;
		line[strcspn(line, "\n")] = 0;
		value = atoi(last ? strrchr(line, '\t') + 1 : line + strlen(key));
		break;
	}
	if (file)
		fclose(file);
	return value;
}

pid_t container_process_id_of(pid_t process_id)
{
	return status_number(process_id, "NSpid:\t", true);
}

int thread_group_of(pid_t thread_id)
{
	return status_number(thread_id, "Tgid:\t", false);
}

bool link_of(pid_t process_id, const char *name, char *out, size_t size)
{
	char path[96];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/%d/%s", process_id, name);
	length = readlink(path, out, size - 1);
	out[length > 0 ? length : 0] = 0;
	return length > 0;
}

/* The kernel marks the path of a removed file; a memory file's path is no path at all. */
unsigned int take_off_mark(char *path)
{
	static const char mark[] = " (deleted)", memory[] = "/memfd:";
	size_t length = strlen(path), marked = sizeof(mark) - 1;

	if (strncmp(path, memory, sizeof(memory) - 1) == 0)
		memmove(path, path + 1, length--);
	if (length <= marked || strcmp(path + length - marked, mark) != 0)
		return 0;
	path[length - marked] = 0;
	return FLAG_DELETED;
}

size_t processes_in(unsigned int namespace_inode, pid_t *out, size_t max)
{
	DIR *all = opendir("/proc");
	struct dirent *entry;
	size_t count = 0;

	while (all && count < max && (entry = readdir(all))) {
		pid_t process_id = atoi(entry->d_name);

		if (process_id > 0 && pid_namespace_of(process_id) == namespace_inode)
			out[count++] = process_id;
	}
	if (all)
		closedir(all);
	return count;
}

long blocked_syscall_of(pid_t process_id, pid_t thread_id)
{
	char path[96], line[32] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/syscall", process_id, thread_id);
	file = fopen(path, "re");
	if (file && !fgets(line, sizeof(line), file))
		line[0] = 0;
	if (file)
		fclose(file);
	return isdigit((unsigned char)line[0]) ? atol(line) : -1;
}
