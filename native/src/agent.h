/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the agent know of each other. */
#ifndef VEXXY_AGENT_H
#define VEXXY_AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "record.h"

#define REASON_BYTES 512

struct target {
	pid_t process_id;
	const char *cgroup_name;
	const char *root;
	unsigned int namespace_inode;
};

/* One of the kernel's facilities. `start` returns 0, or -1 with a sentence in reason;
 * after it every later act of the target is recorded. */
struct source {
	const char *name;
	int (*start)(const struct target *target, char *reason);
	int (*descriptor)(void);
	void (*drain)(void);
	void (*finish)(void);
	/* True where an open tells nothing about being mapped or executed. */
	bool opens_explain_mappings;
};

extern const struct source source_ebpf;
extern const struct source source_fanotify;
extern const struct source source_ptrace;

/* lines.c: JSON lines to standard output, never waiting for its reader. */
void line_start(const char *event);
void line_text(const char *key, const char *value);
void line_bytes(const char *key, const char *value, size_t length);
void line_number(const char *key, long long value);
void line_fraction(const char *key, double value);
void line_truth(const char *key, bool value);
void line_list_start(const char *key);
void line_list_text(const char *value, size_t length);
void line_list_number(unsigned long long value);
void line_list_end(void);
void line_object_start(const char *key);
void line_object_end(void);
void line_end(void);
bool lines_waiting(void);
bool lines_write(void); /* false: the reader is gone */
void lines_flush(void); /* waits */
unsigned long long lines_lost(void);

/* report.c: the events that every source tells. */
struct file_event {
	const char *path;
	unsigned int use;
	pid_t process_id;
	unsigned long long inode;
	unsigned int device;
	unsigned int flags;
	double seconds;
	const char *source; /* NULL: the main source */
};

struct exec_event {
	struct file_event file;
	pid_t container_process_id;
	const char *script; /* NULL: no script */
	const char *arguments; /* each ended by a zero */
	size_t argument_bytes;
};

struct network_event {
	pid_t process_id;
	int direction;
	int family;
	int socket_type;
	const unsigned char *address;
	int port;
	double seconds;
};

void report_begin(const struct target *target, bool opens_explain_mappings);
void report_file(const struct file_event *event);
void report_exec(const struct exec_event *event);
void report_fork(pid_t process_id, pid_t container_process_id, pid_t parent, double seconds);
void report_exit(pid_t process_id, int code, double seconds);
void report_network(const struct network_event *event);
void report_gap(const char *kind, unsigned long long count, const char *detail);
double seconds_now(void);
double seconds_of(unsigned long long nanoseconds);

/* mappings.c: /proc/PID/maps as a cross-check of the main source. */
void mappings_explained(const char *path);
void mappings_process(pid_t process_id);
void mappings_process_gone(pid_t process_id);
void mappings_look(bool at_all);
void mappings_compare(bool tell_all);
void mappings_finish(void);
/* Executable memory of which the main source could not tell the file. */
struct mapping_event {
	pid_t process_id;
	pid_t thread_id;
	unsigned long long address;
	double seconds;
};
void mappings_resolve(const struct mapping_event *event);
size_t mappings_processes(const pid_t **processes);

/* texts.c: a set of strings. */
struct texts {
	char **slots;
	size_t capacity;
	size_t count;
};
bool texts_add(struct texts *set, const char *text); /* true: it was new */
bool texts_has(const struct texts *set, const char *text);

/* procfs.c */
unsigned int pid_namespace_of(pid_t process_id); /* 0: gone or forbidden */
pid_t container_process_id_of(pid_t process_id);
int thread_group_of(pid_t thread_id);
bool link_of(pid_t process_id, const char *name, char *out, size_t size);
unsigned int take_off_mark(char *path); /* FLAG_DELETED where there was one */
size_t processes_in(unsigned int namespace_inode, pid_t *out, size_t max);
long blocked_syscall_of(pid_t process_id, pid_t thread_id);

/* syscalls.c */
const char *syscall_name(unsigned int number);
void fill_operations(unsigned char *operation, unsigned char *path_argument);

/* loop.c */
int record_until_told(const struct source *source);
void syscall_seen(unsigned int number);
void write_syscalls(void);

/* probe.c */
int probe(void);

#endif
