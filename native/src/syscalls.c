// SPDX-License-Identifier: Apache-2.0
/* System calls by number: their names, what to look at, where their path is. */
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>

#include "agent.h"

struct named {
	unsigned int number;
	const char *name;
};

static const struct named names[] = {
#include "syscall_names.inc"
};

/* By name, so that a call this architecture lacks needs no exception. */
static const struct {
	const char *name;
	unsigned char operation;
} operations[] = {
	{ "open", OPERATION_OPEN },
	{ "openat", OPERATION_OPEN },
	{ "openat2", OPERATION_OPEN },
	{ "creat", OPERATION_OPEN },
	{ "open_by_handle_at", OPERATION_OPEN },
	{ "mmap", OPERATION_MMAP },
	{ "mprotect", OPERATION_MPROTECT },
	{ "pkey_mprotect", OPERATION_MPROTECT },
	{ "bind", OPERATION_BIND },
	{ "listen", OPERATION_LISTEN },
	{ "accept", OPERATION_ACCEPT },
	{ "accept4", OPERATION_ACCEPT },
	{ "connect", OPERATION_CONNECT },
	{ "sendto", OPERATION_SENDTO },
	{ "sendmsg", OPERATION_SENDMSG },
	{ "sendmmsg", OPERATION_SENDMSG },
	{ "io_uring_setup", OPERATION_IO_URING },
	{ "unshare", OPERATION_CLONE },
	{ "clone", OPERATION_CLONE },
	{ "clone3", OPERATION_CLONE3 },
	{ "setns", OPERATION_SETNS },
	{ "mount", OPERATION_MOUNT },
	{ "move_mount", OPERATION_MOUNT },
	{ "pivot_root", OPERATION_MOUNT },
	{ "ptrace", OPERATION_PTRACE },
	{ "process_vm_writev", OPERATION_PTRACE },
};

static const struct {
	const char *name;
	unsigned char argument;
} paths[] = {
	{ "open", 0 },	     { "openat", 1 },	 { "openat2", 1 },   { "creat", 0 },
	{ "execve", 0 },     { "execveat", 1 },	 { "mkdir", 0 },     { "mkdirat", 1 },
	{ "mknod", 0 },	     { "mknodat", 1 },	 { "unlink", 0 },    { "unlinkat", 1 },
	{ "rmdir", 0 },	     { "rename", 1 },	 { "link", 1 },	     { "symlink", 1 },
	{ "symlinkat", 2 },  { "chmod", 0 },	 { "fchmodat", 1 },  { "chown", 0 },
	{ "lchown", 0 },     { "fchownat", 1 },	 { "truncate", 0 },  { "utime", 0 },
	{ "utimes", 0 },     { "utimensat", 1 }, { "futimesat", 1 }, { "setxattr", 0 },
	{ "lsetxattr", 0 },  { "mount", 1 },	 { "umount2", 0 },   { "access", 0 },
	{ "faccessat", 1 },  { "stat", 0 },	 { "lstat", 0 },     { "newfstatat", 1 },
	{ "statx", 1 },	     { "chdir", 0 },	 { "chroot", 0 },    { "readlink", 0 },
	{ "readlinkat", 1 }, { "renameat", 1 },	 { "renameat2", 1 }, { "linkat", 1 },
	{ "fchmodat2", 1 },  { "faccessat2", 1 }, { "statfs", 0 },    { "pivot_root", 0 },
};

const char *syscall_name(unsigned int number)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].number == number)
			return names[i].name;
	return NULL;
}

static int number_of(const char *name)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i].name, name) == 0 && names[i].number < SYSCALLS_MAX)
			return names[i].number;
	return -1;
}

void fill_operations(unsigned char *operation, unsigned char *path_argument)
{
	memset(operation, OPERATION_NONE, SYSCALLS_MAX);
	memset(path_argument, NO_PATH_ARGUMENT, SYSCALLS_MAX);
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
		int number = number_of(operations[i].name);

		if (number >= 0)
			operation[number] = operations[i].operation;
	}
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		int number = number_of(paths[i].name);

		if (number >= 0)
			path_argument[number] = paths[i].argument;
	}
}
