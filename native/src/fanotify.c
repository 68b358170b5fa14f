// SPDX-License-Identifier: Apache-2.0
/* The fanotify source: opens and executions on every mount of the container.
 *
 * It tells neither what was mapped nor system calls or connections; files mapped come
 * from /proc/PID/maps. An ignore mark on each inode keeps the kernel from telling the
 * same thing twice. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/nsfs.h>

#include "agent.h"

#define EVENT_BYTES 65536
#define READS_AT_ONCE 64
#define ARGUMENTS_BYTES 4096
#define NESTING_MAX 32

static int group = -1;
static const struct target *target;
static bool image_runs;
static unsigned long long overflows, unread;

static bool holds_files(const char *type)
{
	static const char *const views[] = { "proc", "sysfs", "cgroup", "cgroup2", "devpts",
					     "mqueue", "devtmpfs", "securityfs", "bpf" };

	for (size_t i = 0; i < sizeof(views) / sizeof(views[0]); i++)
		if (strcmp(type, views[i]) == 0)
			return false;
	return true;
}

/* An overlay is the container's alone, so all of it is marked: then mounts of it that
 * the container makes later count as well. Other file systems may be the machine's. */
static int mark(const char *place, const char *type)
{
	unsigned int reach = strcmp(type, "overlay") == 0 ? FAN_MARK_FILESYSTEM :
							    FAN_MARK_MOUNT;

	return fanotify_mark(group, FAN_MARK_ADD | reach, FAN_OPEN | FAN_OPEN_EXEC, AT_FDCWD,
			     place);
}

static int mark_mounts(pid_t process_id, char *reason)
{
	char path[64], line[8192], point[4096], place[4096 + 64], type[64];
	int marked = 0;
	FILE *mounts;

	snprintf(path, sizeof(path), "/proc/%d/mountinfo", process_id);
	mounts = fopen(path, "re");
	while (mounts && fgets(line, sizeof(line), mounts)) {
		const char *rest = strstr(line, " - ");

		if (sscanf(line, "%*d %*d %*s %*s %4095s", point) != 1 || !rest ||
		    sscanf(rest, " - %63s", type) != 1 || !holds_files(type))
			continue;
		snprintf(place, sizeof(place), "/proc/%d/root%s", process_id, point);
		if (mark(place, type) == 0)
			marked++;
		else if (strcmp(point, "/") == 0)
			snprintf(reason, REASON_BYTES, "marking the root mount failed: %s",
				 strerror(errno));
	}
	if (mounts)
		fclose(mounts);
	return marked > 0 && !reason[0] ? 0 : -1;
}

static bool shares_mounts(pid_t process_id)
{
	char theirs[64], ours[64];

	return link_of(process_id, "ns/mnt", theirs, sizeof(theirs)) &&
	       link_of(getpid(), "ns/mnt", ours, sizeof(ours)) && strcmp(theirs, ours) == 0;
}

static int start(const struct target *of, char *reason)
{
	target = of;
	if (!of->process_id) {
		snprintf(reason, REASON_BYTES, "it needs a process that waits (--pid)");
		return -1;
	}
	if (shares_mounts(of->process_id)) {
		snprintf(reason, REASON_BYTES, "the target shares this machine's mounts");
		return -1;
	}
	group = fanotify_init(FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK |
				      FAN_UNLIMITED_QUEUE | FAN_UNLIMITED_MARKS,
			      O_RDONLY | O_CLOEXEC | O_LARGEFILE);
	if (group < 0) {
		snprintf(reason, REASON_BYTES, "fanotify_init failed: %s", strerror(errno));
		return -1;
	}
	return mark_mounts(of->process_id, reason);
}

static int descriptor(void)
{
	return group;
}

/* Whether the process is in the target's pid namespace or one nested in it. One that is
 * gone already counts: the mounts are the container's own. */
static bool is_containers(pid_t process_id)
{
	char path[64];
	struct stat status;
	bool inside = true;
	int space;

	snprintf(path, sizeof(path), "/proc/%d/ns/pid", process_id);
	space = open(path, O_RDONLY | O_CLOEXEC);
	for (int depth = 0; space >= 0 && depth < NESTING_MAX; depth++) {
		int parent;

		inside = fstat(space, &status) == 0 &&
			 status.st_ino == target->namespace_inode;
		parent = inside ? -1 : ioctl(space, NS_GET_PARENT);
		close(space);
		space = parent;
	}
	if (space >= 0)
		close(space);
	return inside;
}

static bool starts_with(int file, const char *text, size_t length)
{
	char start[4] = "";

	return pread(file, start, length, 0) == (ssize_t)length &&
	       memcmp(start, text, length) == 0;
}

static bool is_loader(const char *path)
{
	const char *name = strrchr(path, '/');

	return name && strncmp(name, "/ld", 3) == 0 && strstr(name, ".so");
}

static void tell_exec(const struct file_event *file)
{
	static char arguments[ARGUMENTS_BYTES];
	char path[64], executable[4096];
	struct exec_event event = { .file = *file, .arguments = arguments };
	ssize_t length = 0;
	int command;

	event.container_process_id = container_process_id_of(file->process_id);
	snprintf(path, sizeof(path), "/proc/%d/cmdline", file->process_id);
	command = open(path, O_RDONLY | O_CLOEXEC);
	/* Before the exec is done, the command line is still the old program's. */
	if (command >= 0 && link_of(file->process_id, "exe", executable, sizeof(executable)) &&
	    strcmp(executable, file->path) == 0)
		length = read(command, arguments, sizeof(arguments));
	if (command >= 0)
		close(command);
	event.argument_bytes = length > 0 ? length : 0;
	report_exec(&event);
}

static void tell(const struct fanotify_event_metadata *seen)
{
	char link[64], path[4096];
	struct stat status;
	struct file_event event = { .path = path, .process_id = seen->pid, .use = USE_READ };

	snprintf(link, sizeof(link), "fd/%d", seen->fd);
	if (!link_of(getpid(), link, path, sizeof(path)) || fstat(seen->fd, &status) != 0) {
		unread++;
		return;
	}
	if (!S_ISREG(status.st_mode))
		return;
	event.inode = status.st_ino;
	event.device = status.st_dev;
	event.seconds = seconds_now();
	event.flags = status.st_nlink == 0 ? take_off_mark(path) : 0;
	if (seen->mask & FAN_OPEN_EXEC && is_loader(path))
		event.use = USE_MAPPED;
	else if (seen->mask & FAN_OPEN_EXEC)
		event.use = USE_EXECUTED;
	if (event.use == USE_EXECUTED && !starts_with(seen->fd, "#!", 2))
		tell_exec(&event);
	else
		report_file(&event);
	mappings_process(seen->pid);
}

static void take(const struct fanotify_event_metadata *seen)
{
	if (seen->mask & FAN_Q_OVERFLOW) {
		overflows++;
		return;
	}
	if (seen->fd < 0) {
		unread++;
		return;
	}
	image_runs |= (seen->mask & FAN_OPEN_EXEC) != 0;
	if (image_runs && is_containers(seen->pid)) {
		tell(seen);
		fanotify_mark(group,
			      FAN_MARK_ADD | FAN_MARK_IGNORED_MASK |
				      FAN_MARK_IGNORED_SURV_MODIFY,
			      seen->mask & (FAN_OPEN | FAN_OPEN_EXEC), seen->fd, NULL);
	}
	close(seen->fd);
}

static void drain(void)
{
	static char events[EVENT_BYTES]
		__attribute__((aligned(__alignof__(struct fanotify_event_metadata))));

	for (int reads = 0; reads < READS_AT_ONCE; reads++) {
		ssize_t length = read(group, events, sizeof(events));
		const struct fanotify_event_metadata *seen = (const void *)events;

		if (length <= 0)
			return;
		for (; FAN_EVENT_OK(seen, length); seen = FAN_EVENT_NEXT(seen, length))
			take(seen);
	}
}

static void finish(void)
{
	drain();
	line_start("lost");
	line_number("overflows", overflows);
	line_number("unread", unread);
	line_end();
	close(group);
}

const struct source source_fanotify = {
	.name = "fanotify",
	.start = start,
	.descriptor = descriptor,
	.drain = drain,
	.finish = finish,
	.opens_explain_mappings = true,
};
