// SPDX-License-Identifier: Apache-2.0
/* Events as lines, the same whichever source saw them. docs/tracer.md lists the keys. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "agent.h"

static const struct target *target;
static double started;
static bool opens_explain;

static double monotonic(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

double seconds_now(void)
{
	return monotonic() - started;
}

double seconds_of(unsigned long long nanoseconds)
{
	double seconds = nanoseconds / 1e9 - started;

	return seconds > 0 ? seconds : 0;
}

void report_begin(const struct target *of, bool opens_explain_mappings)
{
	target = of;
	opens_explain = opens_explain_mappings;
	started = monotonic();
}

/* A target that was never pivoted names its files with this machine's prefix. */
static const char *inside(const char *path)
{
	size_t length = target->root ? strlen(target->root) : 0;

	if (!length || strncmp(path, target->root, length) != 0)
		return path;
	return path[length] == '/' ? path + length : path[length] ? path : "/";
}

static void write_uses(unsigned int use)
{
	static const struct {
		unsigned int bit;
		const char *word;
	} words[] = {
		{ USE_EXECUTED, "executed" },  { USE_MAPPED, "mapped" },
		{ USE_READ, "read" },	       { USE_WRITTEN, "written" },
		{ USE_DIRECTORY, "directory" }, { USE_REFERRED, "referred" },
	};

	line_list_start("use");
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (use & words[i].bit)
			line_list_text(words[i].word, strlen(words[i].word));
	line_list_end();
}

static void write_file(const struct file_event *event)
{
	line_text("path", inside(event->path));
	line_number("process_id", event->process_id);
	line_number("device", event->device);
	line_number("inode", event->inode);
	line_fraction("seconds", event->seconds);
	if (event->flags & (FLAG_DELETED | FLAG_UNNAMED))
		line_truth("deleted", true);
	if (event->flags & FLAG_TRUNCATED)
		line_truth("truncated", true);
}

static bool explains(unsigned int use)
{
	return use & (USE_EXECUTED | USE_MAPPED) || (opens_explain && use & USE_READ);
}

void report_file(const struct file_event *event)
{
	line_start("file");
	write_uses(event->use);
	write_file(event);
	if (event->source)
		line_text("source", event->source);
	else if (explains(event->use))
		mappings_explained(event->path);
	line_end();
}

void report_exec(const struct exec_event *event)
{
	const char *at = event->arguments;
	const char *end = at + event->argument_bytes;

	line_start("exec");
	write_file(&event->file);
	line_number("container_process_id", event->container_process_id);
	if (event->script)
		line_text("script", inside(event->script));
	line_list_start("arguments");
	while (at < end) {
		size_t length = strnlen(at, end - at);

		line_list_text(at, length);
		at += length + 1;
	}
	line_list_end();
	line_end();
	mappings_explained(event->file.path);
	mappings_process(event->file.process_id);
}

void report_fork(pid_t process_id, pid_t container_process_id, pid_t parent, double seconds)
{
	line_start("fork");
	line_number("process_id", process_id);
	line_number("container_process_id", container_process_id);
	line_number("parent_process_id", parent);
	line_fraction("seconds", seconds);
	line_end();
	mappings_process(process_id);
}

void report_exit(pid_t process_id, int code, double seconds)
{
	line_start("exit");
	line_number("process_id", process_id);
	line_number("code", code);
	line_fraction("seconds", seconds);
	line_end();
	mappings_process_gone(process_id);
}

void report_network(const struct network_event *event)
{
	static const char *const directions[] = { "", "listen", "inbound", "outbound" };
	char text[INET6_ADDRSTRLEN] = "";

	if (event->socket_type != SOCK_STREAM && event->socket_type != SOCK_DGRAM)
		return;
	inet_ntop(event->family, event->address, text, sizeof(text));
	line_start("network");
	line_text("direction", directions[event->direction]);
	line_text("protocol", event->socket_type == SOCK_STREAM ? "tcp" : "udp");
	line_text("address", text);
	line_number("port", event->port);
	line_number("process_id", event->process_id);
	line_fraction("seconds", event->seconds);
	line_end();
}

void report_gap(const char *kind, unsigned long long count, const char *detail)
{
	line_start("gap");
	line_text("kind", kind);
	line_number("count", count);
	line_text("detail", detail);
	line_end();
}
