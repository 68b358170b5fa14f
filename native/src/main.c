// SPDX-License-Identifier: Apache-2.0
/* vexxy-trace: records what a container does, from before its first process. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "agent.h"
#include "uprobes.h"

#define SOURCES 3
#define EXISTING_MAX 4096

enum exit_code { EXIT_DONE = 0, EXIT_BROKEN = 1, EXIT_USAGE = 2, EXIT_UNAVAILABLE = 3,
		 EXIT_NO_TARGET = 4 };

static const struct source *const sources[SOURCES] = {
	&source_ebpf,
	&source_fanotify,
	&source_ptrace,
};

static int usage(void)
{
	fputs("usage: vexxy-trace probe\n"
	      "       vexxy-trace record --pid PID [--source auto|ebpf|fanotify|ptrace]"
	      " [--root PATH] [--probes FILE|-]\n"
	      "       vexxy-trace record --cgroup-name TEXT [--source auto|ebpf]"
	      " [--probes FILE|-]\n",
	      stderr);
	return EXIT_USAGE;
}

static int refuse(const char *kind, const char *reason, int code)
{
	line_start("failed");
	line_text("kind", kind);
	line_text("reason", reason);
	line_end();
	lines_flush();
	return code;
}

/* Start the best source that works, or the one that is wanted. */
static const struct source *start_source(const struct target *target, const char *wanted,
					 char reasons[SOURCES][REASON_BYTES])
{
	for (size_t i = 0; i < SOURCES; i++) {
		if (strcmp(wanted, "auto") != 0 && strcmp(wanted, sources[i]->name) != 0)
			continue;
		if (sources[i]->start(target, reasons[i]) == 0) {
			reasons[i][0] = 0;
			return sources[i];
		}
	}
	return NULL;
}

static void write_reasons(const char *key, char reasons[SOURCES][REASON_BYTES])
{
	char sentence[REASON_BYTES + 32];

	line_list_start(key);
	for (size_t i = 0; i < SOURCES; i++) {
		if (!reasons[i][0])
			continue;
		snprintf(sentence, sizeof(sentence), "%s: %.500s", sources[i]->name, reasons[i]);
		line_list_text(sentence, strlen(sentence));
	}
	line_list_end();
}

static void say_ready(const struct source *source, char reasons[SOURCES][REASON_BYTES])
{
	struct utsname kernel;

	uname(&kernel);
	line_start("ready");
	line_text("source", source->name);
	line_text("kernel", kernel.release);
	write_reasons("fallbacks", reasons);
	line_end();
}

/* Processes that were there before: what they had loaded is told, but nobody saw how. */
static void report_existing(const struct target *target)
{
	static pid_t existing[EXISTING_MAX];
	size_t count, others = 0;

	if (!target->namespace_inode)
		return;
	count = processes_in(target->namespace_inode, existing, EXISTING_MAX);
	for (size_t i = 0; i < count; i++) {
		if (existing[i] == target->process_id)
			continue;
		others++;
		mappings_process(existing[i]);
	}
	if (others)
		report_gap("existing_processes", others,
			   "processes of the container ran before the recording began");
}

static int record(const struct target *target, const char *wanted)
{
	static char reasons[SOURCES][REASON_BYTES];
	const struct source *source;
	sigset_t ends;

	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	signal(SIGPIPE, SIG_IGN);
	report_begin(target, strcmp(wanted, "fanotify") == 0);
	source = start_source(target, wanted, reasons);
	if (!source) {
		line_start("failed");
		line_text("kind", "unavailable");
		write_reasons("reasons", reasons);
		line_end();
		lines_flush();
		return EXIT_UNAVAILABLE;
	}
	if (target->process_id && !pid_namespace_of(target->process_id))
		return refuse("no_target", "the target ended before the recording began",
			      EXIT_NO_TARGET);
	uprobes_set_first(target);
	report_begin(target, source->opens_explain_mappings);
	say_ready(source, reasons);
	uprobes_tell();
	report_existing(target);
	return record_until_told(source);
}

static bool read_options(int count, char **words, struct target *target, const char **wanted)
{
	static const struct option options[] = {
		{ "pid", required_argument, NULL, 'p' },
		{ "cgroup-name", required_argument, NULL, 'c' },
		{ "source", required_argument, NULL, 's' },
		{ "root", required_argument, NULL, 'r' },
		{ "probes", required_argument, NULL, 'u' },
		{ 0 },
	};
	int option;

	while ((option = getopt_long(count, words, "", options, NULL)) != -1) {
		if (option == 'p')
			target->process_id = atoi(optarg);
		else if (option == 'c')
			target->cgroup_name = optarg;
		else if (option == 's')
			*wanted = optarg;
		else if (option == 'r')
			target->root = optarg;
		else if (option != 'u' || !uprobes_wanted(optarg))
			return false;
	}
	if (target->cgroup_name &&
	    (!target->cgroup_name[0] || strlen(target->cgroup_name) > CGROUP_NAME_BYTES))
		return false;
	return optind == count && (target->process_id > 0) != (target->cgroup_name != NULL);
}

static bool is_known(const char *wanted)
{
	for (size_t i = 0; i < SOURCES; i++)
		if (strcmp(wanted, sources[i]->name) == 0)
			return true;
	return strcmp(wanted, "auto") == 0;
}

int main(int count, char **words)
{
	struct target target = { 0 };
	const char *wanted = "auto";

	if (count == 2 && strcmp(words[1], "probe") == 0)
		return probe();
	if (count < 2 || strcmp(words[1], "record") != 0)
		return usage();
	if (!read_options(count - 1, words + 1, &target, &wanted) || !is_known(wanted))
		return usage();
	if (target.process_id) {
		target.namespace_inode = pid_namespace_of(target.process_id);
		if (!target.namespace_inode)
			return refuse("no_target", "there is no such process, or it is not"
						   " ours to look at", EXIT_NO_TARGET);
		if (target.namespace_inode == pid_namespace_of(getpid()))
			return refuse("no_target", "the target shares this machine's process"
						   " namespace", EXIT_NO_TARGET);
	}
	return record(&target, wanted);
}
