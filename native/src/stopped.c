// SPDX-License-Identifier: Apache-2.0
/* What is read from a process while ptrace holds it. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#include "agent.h"
#include "stopped.h"

#define ARGUMENTS_BYTES 4096
#define REFUSED_MAX 4096

static unsigned char operation[SYSCALLS_MAX], path_argument[SYSCALLS_MAX];
static unsigned long long io_urings, mounts, attachments, vanished;
static size_t refusals;
static struct texts told;

void fill_stopped_tables(void)
{
	fill_operations(operation, path_argument);
}

static void tell(pid_t process_id, char *path, unsigned int use, const struct stat *status)
{
	char key[4200];
	struct file_event event = {
		.path = path,
		.use = use,
		.process_id = process_id,
		.inode = status->st_ino,
		.device = status->st_dev,
		.flags = take_off_mark(path),
		.seconds = seconds_now(),
	};

	snprintf(key, sizeof(key), "%u %.4095s", use, path);
	if (texts_add(&told, key))
		report_file(&event);
}

/* How the descriptor was opened, as /proc/PID/fdinfo has it. */
static unsigned int use_of_descriptor(pid_t id, int number, mode_t mode)
{
	char path[96], line[128];
	unsigned int flags = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", id, number);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "flags: %o", &flags) == 1)
			break;
	if (file)
		fclose(file);
	if (S_ISDIR(mode))
		return USE_DIRECTORY;
	if (flags & O_PATH)
		return USE_REFERRED;
	if ((flags & O_ACCMODE) == O_WRONLY)
		return USE_WRITTEN;
	return (flags & O_ACCMODE) == O_RDWR ? USE_READ | USE_WRITTEN : USE_READ;
}

static void tell_descriptor(pid_t id, int number, unsigned int use)
{
	char name[64], path[4096], place[96];
	struct stat status;

	snprintf(name, sizeof(name), "fd/%d", number);
	snprintf(place, sizeof(place), "/proc/%d/fd/%d", id, number);
	if (!link_of(id, name, path, sizeof(path)) || stat(place, &status) != 0) {
		vanished++;
		return;
	}
	if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode))
		return;
	if (strncmp(path, "/proc/", 6) == 0 || strncmp(path, "/sys/", 5) == 0)
		return;
	use = use ? use : use_of_descriptor(id, number, status.st_mode);
	tell(thread_group_of(id), path, use, &status);
}

/* The kernel mapped the dynamic linker itself, and nothing else has run yet. */
static void tell_loader(pid_t process_id, const char *executable)
{
	char name[64], line[8192];
	FILE *maps;

	snprintf(name, sizeof(name), "/proc/%d/maps", process_id);
	maps = fopen(name, "re");
	while (maps && fgets(line, sizeof(line), maps)) {
		char permissions[5] = "";
		unsigned int major = 0, minor = 0;
		unsigned long long inode = 0;
		struct stat status = { 0 };
		int at = 0;

		sscanf(line, "%*x-%*x %4s %*x %x:%x %llu %n", permissions, &major, &minor,
		       &inode, &at);
		line[strcspn(line, "\n")] = 0;
		if (!at || permissions[2] != 'x' || line[at] != '/' ||
		    strcmp(line + at, executable) == 0)
			continue;
		status.st_ino = inode;
		status.st_dev = makedev(major, minor);
		tell(process_id, line + at, USE_MAPPED, &status);
	}
	if (maps)
		fclose(maps);
}

void stopped_at_exec(pid_t id)
{
	static char arguments[ARGUMENTS_BYTES];
	char path[4096], place[64];
	struct stat status = { 0 };
	struct exec_event event = { .arguments = arguments };
	ssize_t length;
	int command;

	link_of(id, "exe", path, sizeof(path));
	snprintf(place, sizeof(place), "/proc/%d/exe", id);
	stat(place, &status);
	snprintf(place, sizeof(place), "/proc/%d/cmdline", id);
	command = open(place, O_RDONLY | O_CLOEXEC);
	length = command >= 0 ? read(command, arguments, sizeof(arguments)) : 0;
	if (command >= 0)
		close(command);
	tell_loader(id, path);
	event.file = (struct file_event){
		.path = path,
		.use = USE_EXECUTED,
		.process_id = id,
		.inode = status.st_ino,
		.device = status.st_dev,
		.flags = take_off_mark(path),
		.seconds = seconds_now(),
	};
	event.container_process_id = container_process_id_of(id);
	event.argument_bytes = length > 0 ? length : 0;
	report_exec(&event);
}

static bool changes_mounts(pid_t id, unsigned char kind, const unsigned long long *arguments)
{
	unsigned long long flags = 0;
	struct iovec here = { &flags, sizeof(flags) };
	struct iovec there = { (void *)(uintptr_t)arguments[0], sizeof(flags) };

	if (kind == OPERATION_CLONE)
		flags = arguments[0];
	else if (kind == OPERATION_CLONE3)
		process_vm_readv(id, &here, 1, &there, 1, 0);
	else if (kind == OPERATION_SETNS)
		flags = arguments[1] ? arguments[1] : NEW_MOUNT_NAMESPACE;
	return kind == OPERATION_MOUNT || flags & NEW_MOUNT_NAMESPACE;
}

static void read_text(pid_t id, unsigned long long address, char *out, size_t size)
{
	struct iovec here = { out, size - 1 }, there = { (void *)(uintptr_t)address, size - 1 };
	ssize_t length;

	/* A string near the end of its page is shorter than what is asked for. */
	length = process_vm_readv(id, &here, 1, &there, 1, 0);
	if (length < 0) {
		there.iov_len = 4096 - address % 4096;
		if (there.iov_len > size - 1)
			there.iov_len = size - 1;
		length = process_vm_readv(id, &here, 1, &there, 1, 0);
	}
	out[length > 0 ? length : 0] = 0;
}

static void tell_refused(pid_t id, const struct __ptrace_syscall_info *call, int error)
{
	unsigned char argument = path_argument[call->entry.nr];
	char path[REFUSED_PATH_BYTES] = "", key[REFUSED_PATH_BYTES + 64];
	const char *name = syscall_name(call->entry.nr);

	if (argument != NO_PATH_ARGUMENT)
		read_text(id, call->entry.args[argument], path, sizeof(path));
	snprintf(key, sizeof(key), "refused %d %d %s", (int)call->entry.nr, error, path);
	if (refusals >= REFUSED_MAX || !texts_add(&told, key))
		return;
	refusals++;
	line_start("refused");
	line_text("syscall", name ? name : "unknown");
	line_text("error", error == EROFS ? "EROFS" : error == EPERM ? "EPERM" : "EACCES");
	line_text("path", path);
	line_list_start("arguments");
	for (int i = 0; i < 3; i++)
		line_list_number(call->entry.args[i]);
	line_list_end();
	line_number("process_id", thread_group_of(id));
	line_fraction("seconds", seconds_now());
	line_end();
}

void stopped_after_call(pid_t id, const struct __ptrace_syscall_info *call, long long result)
{
	const unsigned long long *arguments = (const void *)call->entry.args;
	unsigned long long number = call->entry.nr;

	if (number >= SYSCALLS_MAX)
		return;
	syscall_seen(number);
	if (result == -EPERM || result == -EACCES || result == -EROFS)
		tell_refused(id, call, -result);
	if (result < 0)
		return;
	switch (operation[number]) {
	case OPERATION_OPEN:
		tell_descriptor(id, result, 0);
		break;
	case OPERATION_MMAP:
		if (arguments[2] & PROT_EXEC && !(arguments[3] & MAP_ANONYMOUS))
			tell_descriptor(id, (int)arguments[4], USE_MAPPED);
		break;
	case OPERATION_MPROTECT:
		if (arguments[2] & PROT_EXEC)
			mappings_process(thread_group_of(id));
		break;
	case OPERATION_IO_URING:
		io_urings++;
		break;
	case OPERATION_PTRACE:
		attachments++;
		break;
	default:
		/* A child of clone3 may find other memory where its flags were. */
		if (operation[number] != OPERATION_CLONE3 || result > 0)
			mounts += changes_mounts(id, operation[number], arguments);
	}
}

void stopped_write_gaps(void)
{
	if (io_urings)
		report_gap("io_uring", io_urings, "files can be opened through io_uring unseen");
	if (mounts)
		report_gap("mounts", mounts, "the image changed its mounts; paths may differ");
	if (attachments)
		report_gap("ptrace", attachments, "a process could write code into another");
	if (vanished)
		report_gap("unknown_file", vanished,
			   "an opened file was closed before it was looked at");
}
