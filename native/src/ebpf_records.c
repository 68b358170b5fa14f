// SPDX-License-Identifier: Apache-2.0
/* Records of the eBPF programs as events. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "agent.h"
#include "ebpf.h"
#include "uprobes.h"

#define PATH_TEXT_BYTES (PATH_BYTES + NAME_BYTES + 2)

/* Where the next script, named relatively, was started from. */
static char directory[PATH_TEXT_BYTES];

static const char *path_text(const struct file_record *record, char *out)
{
	const char *names[PATH_BYTES / 2 + 1];
	size_t count = 0, at = 0, length = 0;

	while (at < record->path_bytes && count < PATH_BYTES / 2) {
		names[count++] = record->path + at;
		at += strnlen(record->path + at, record->path_bytes - at) + 1;
	}
	/* A memory file's name is its own; it lies in no directory. */
	if (record->head.flags & FLAG_UNNAMED && count == 1)
		return strcpy(out, names[0]);
	while (count > 0) {
		const char *name = names[--count];

		if (name[0] == '/' && !name[1])
			continue;
		length += sprintf(out + length, "/%s", name);
	}
	if (!length)
		strcpy(out, "/");
	return out;
}

static struct file_event file_of(const struct file_record *record, char *path)
{
	return (struct file_event){
		.path = path_text(record, path),
		.use = record->head.kind,
		.process_id = record->head.process_id,
		.inode = record->inode,
		.device = makedev(record->device >> 20, record->device & 0xfffff),
		.flags = record->head.flags,
		.seconds = seconds_of(record->head.nanoseconds),
	};
}

static void on_exec(const struct exec_record *record)
{
	static char path[PATH_TEXT_BYTES], script[PATH_TEXT_BYTES + SCRIPT_BYTES];
	struct exec_event event = {
		.file = file_of(&record->file, path),
		.container_process_id = record->container_process_id,
		.arguments = record->arguments,
		.argument_bytes = record->argument_bytes,
	};

	if (record->head.flags & FLAG_SCRIPT) {
		snprintf(script, sizeof(script), "%s%s%s",
			 record->script[0] == '/' ? "" : directory,
			 record->script[0] == '/' ? "" : "/", record->script);
		event.script = script;
	}
	report_exec(&event);
}

static void on_network(const struct network_record *record)
{
	struct network_event event = {
		.process_id = record->head.process_id,
		.direction = record->head.kind,
		.family = record->family,
		.socket_type = record->socket_type,
		.address = (const unsigned char *)record->address,
		.port = record->port,
		.seconds = seconds_of(record->head.nanoseconds),
	};

	report_network(&event);
}

static void on_refused(const struct refused_record *record)
{
	const char *name = syscall_name(record->head.kind);
	const char *error = record->error == EROFS ? "EROFS" :
			    record->error == EPERM ? "EPERM" :
						     "EACCES";

	line_start("refused");
	line_text("syscall", name ? name : "unknown");
	line_text("error", error);
	line_bytes("path", record->path, strnlen(record->path, sizeof(record->path)));
	line_list_start("arguments");
	for (int i = 0; i < 3; i++)
		line_list_number(record->arguments[i]);
	line_list_end();
	line_number("process_id", record->head.process_id);
	line_fraction("seconds", seconds_of(record->head.nanoseconds));
	line_end();
}

static void on_process(const struct process_record *record)
{
	double seconds = seconds_of(record->head.nanoseconds);

	if (record->head.type == RECORD_FORK)
		report_fork(record->head.process_id, record->container_process_id,
			    record->parent_process_id, seconds);
	else
		report_exit(record->head.process_id, record->exit_code, seconds);
}

static void on_mapping(const struct mapping_record *record)
{
	mappings_resolve(&(struct mapping_event){
		.process_id = record->head.process_id,
		.thread_id = record->thread_id,
		.address = record->address,
		.seconds = seconds_of(record->head.nanoseconds),
	});
}

int ebpf_record(void *context, void *data, size_t size)
{
	static char path[PATH_TEXT_BYTES];
	const struct record *record = data;
	struct file_event event;

	(void)context;
	(void)size;
	switch (record->type) {
	case RECORD_FILE:
		event = file_of(data, path);
		report_file(&event);
		break;
	case RECORD_DIRECTORY:
		path_text(data, directory);
		break;
	case RECORD_EXEC:
		on_exec(data);
		break;
	case RECORD_NETWORK:
		on_network(data);
		break;
	case RECORD_REFUSED:
		on_refused(data);
		break;
	case RECORD_HIT:
		uprobes_hit(data);
		break;
	case RECORD_MAPPING:
		on_mapping(data);
		break;
	default:
		on_process(data);
	}
	return 0;
}
