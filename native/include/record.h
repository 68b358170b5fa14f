/* SPDX-License-Identifier: Apache-2.0 OR BSD-2-Clause */
/* What the kernel programs and the agent say to each other. */
#ifndef VEXXY_RECORD_H
#define VEXXY_RECORD_H

#define PATH_BYTES 4096
#define NAME_BYTES 256
#define ARGUMENT_BYTES 1024
#define SCRIPT_BYTES 256
#define REFUSED_PATH_BYTES 256
#define SYSCALLS_MAX 512
#define CGROUP_NAME_BYTES 72
#define SEEN_SLOTS (1u << 18)
#define NO_PATH_ARGUMENT 0xff
#define NEW_MOUNT_NAMESPACE 0x20000
#define PROBES_MAX (1u << 16)
#define PROBE_ENTRY (1ull << 32) /* in a probe's cookie, above its number */
#define FRAMES_MAX 30
#define COMMAND_BYTES 16

enum record_type {
	RECORD_FILE = 1,
	RECORD_EXEC,
	RECORD_DIRECTORY,
	RECORD_FORK,
	RECORD_EXIT,
	RECORD_NETWORK,
	RECORD_REFUSED,
	RECORD_MAPPING,
	RECORD_HIT,
	RECORD_TYPES
};

/* Bits, because one open can both read and write. */
enum file_use {
	USE_READ = 1,
	USE_WRITTEN = 2,
	USE_REFERRED = 4,
	USE_DIRECTORY = 8,
	USE_EXECUTED = 16,
	USE_MAPPED = 32,
};

enum record_flag {
	FLAG_DELETED = 1,
	FLAG_TRUNCATED = 2,
	FLAG_UNNAMED = 4, /* never had a place in a file system: a memory file */
	FLAG_SCRIPT = 8,
};

enum direction { DIRECTION_LISTEN = 1, DIRECTION_INBOUND, DIRECTION_OUTBOUND };

/* What to look at when a system call returns; the agent fills a table by number. */
enum operation {
	OPERATION_NONE,
	OPERATION_OPEN,
	OPERATION_MMAP,
	OPERATION_MPROTECT,
	OPERATION_BIND,
	OPERATION_LISTEN,
	OPERATION_ACCEPT,
	OPERATION_CONNECT,
	OPERATION_SENDTO,
	OPERATION_SENDMSG,
	OPERATION_IO_URING,
	OPERATION_PTRACE,
	OPERATION_MOUNT,
	OPERATION_CLONE, /* flags in the first argument, as unshare has them */
	OPERATION_CLONE3, /* flags behind a pointer */
	OPERATION_SETNS, /* kind of namespace in the second argument, 0 for any */
};

enum gap {
	GAP_IO_URING,
	GAP_MOUNTS,
	GAP_PTRACE,
	GAP_COMPAT,
	GAP_UNKNOWN_MAPPING,
	GAP_UNKNOWN_SYSCALL,
	GAP_UNKNOWN_FILE,
	GAP_ENTERING_FULL,
	GAPS
};

struct record {
	unsigned char type;
	unsigned char flags;
	unsigned short kind;
	unsigned int process_id; /* thread group, as the initial pid namespace counts */
	unsigned long long nanoseconds;
};

/* A path is its names from the leaf up to the root, each ended by a zero. */
struct file_record {
	struct record head;
	unsigned long long inode;
	unsigned int device;
	unsigned int path_bytes;
	char path[PATH_BYTES + NAME_BYTES];
};

struct exec_record {
	struct record head;
	unsigned int container_process_id;
	unsigned int argument_bytes;
	char arguments[ARGUMENT_BYTES];
	char script[SCRIPT_BYTES];
	struct file_record file;
};

struct process_record {
	struct record head;
	unsigned int container_process_id;
	unsigned int parent_process_id;
	unsigned int parent_container_process_id;
	int exit_code;
};

struct network_record {
	struct record head; /* kind: enum direction */
	unsigned long long address[2]; /* in network order; IPv4 in the first four bytes */
	unsigned short family;
	unsigned short port;
	unsigned int socket_type;
};

struct refused_record {
	struct record head; /* kind: system call number */
	int error;
	unsigned int path_bytes;
	unsigned long long arguments[3];
	char path[REFUSED_PATH_BYTES];
};

/* Executable memory whose file the kernel program could not look up. */
struct mapping_record {
	struct record head;
	unsigned int thread_id;
	unsigned int reserved;
	unsigned long long address;
};

struct hit_record {
	struct record head;
	unsigned int probe;
	unsigned int container_process_id;
	unsigned int thread_id;
	unsigned int frame_count;
	char command[COMMAND_BYTES];
	unsigned long long address;
	unsigned long long caller; /* 0 where the probe is not at a function's entry */
	unsigned long long frames[FRAMES_MAX];
};

/* Written by the agent before the programs are loaded. */
struct settings {
	unsigned int namespace_inode; /* of the pid namespace; 0: learn by cgroup name */
	unsigned int cgroup_name_bytes;
	unsigned int never_look_up; /* every mapping is left to the agent: for tests */
	char cgroup_name[CGROUP_NAME_BYTES];
	unsigned char operation[SYSCALLS_MAX];
	unsigned char path_argument[SYSCALLS_MAX];
};

/* Written by the programs, read by the agent while they run. */
struct shared {
	unsigned long long namespace_address; /* 0 until the target was met */
	unsigned int level;
	unsigned int namespace_inode;
	unsigned int entering;
	unsigned int sent;
	unsigned int refused_sent;
	unsigned int refused_unsent;
	unsigned long long lost[RECORD_TYPES];
	unsigned long long gaps[GAPS];
	unsigned char syscalls[SYSCALLS_MAX];
	/* Fingerprints of what was already sent. A slot that is overwritten only means
	 * that the thing is sent once more: a full table loses nothing. */
	unsigned long long seen[SEEN_SLOTS];
};

#endif
