// SPDX-License-Identifier: Apache-2.0
/* The ptrace source, the last resort: every system call of the container stops twice. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/ptrace.h>

#include "agent.h"
#include "stopped.h"

#define THREADS_MAX 32768
#define STOPS_AT_ONCE 4096
#define OPTIONS                                                                     \
	(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |            \
	 PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC)
#define EVENT_OF(status) ((status) >> 16)

struct thread {
	pid_t id;
	struct __ptrace_syscall_info call;
};

static struct thread threads[THREADS_MAX];
static int children = -1;
static bool image_runs;
static unsigned long long untracked;

static struct thread *thread_of(pid_t id)
{
	size_t slot = id % THREADS_MAX, tries = 0;

	while (threads[slot].id && threads[slot].id != id && tries++ < THREADS_MAX)
		slot = (slot + 1) % THREADS_MAX;
	if (tries >= THREADS_MAX) {
		untracked++;
		return NULL;
	}
	threads[slot].id = id;
	return &threads[slot];
}

static int seize_all(pid_t process_id, char *reason)
{
	char path[64];
	struct dirent *entry;
	DIR *tasks;
	int seized = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", process_id);
	tasks = opendir(path);
	while (tasks && (entry = readdir(tasks))) {
		pid_t id = atoi(entry->d_name);

		if (id <= 0)
			continue;
		if (ptrace(PTRACE_SEIZE, id, NULL, OPTIONS) == 0)
			seized++;
		else
			snprintf(reason, REASON_BYTES, "PTRACE_SEIZE failed: %s",
				 strerror(errno));
	}
	if (tasks)
		closedir(tasks);
	return seized > 0 && !reason[0] ? 0 : -1;
}

static int start(const struct target *target, char *reason)
{
	sigset_t child;

	if (!target->process_id) {
		snprintf(reason, REASON_BYTES, "it needs a process that waits (--pid)");
		return -1;
	}
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	children = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	fill_stopped_tables();
	return seize_all(target->process_id, reason);
}

static int descriptor(void)
{
	return children;
}

static void resume(pid_t id, int signal_number)
{
	ptrace(image_runs ? PTRACE_SYSCALL : PTRACE_CONT, id, NULL, signal_number);
}

static void on_syscall_stop(pid_t id)
{
	struct thread *thread = thread_of(id);
	struct __ptrace_syscall_info info;

	if (!thread || ptrace(PTRACE_GET_SYSCALL_INFO, id, sizeof(info), &info) <= 0)
		return;
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
		thread->call = info;
	else if (info.op == PTRACE_SYSCALL_INFO_EXIT &&
		 thread->call.op == PTRACE_SYSCALL_INFO_ENTRY)
		stopped_after_call(id, &thread->call, info.exit.rval);
}

static void on_event_stop(pid_t id, int event)
{
	unsigned long message = 0;

	if (event == PTRACE_EVENT_EXEC) {
		image_runs = true;
		stopped_at_exec(id);
	} else if (event != PTRACE_EVENT_STOP && image_runs) {
		ptrace(PTRACE_GETEVENTMSG, id, NULL, &message);
		if (thread_group_of(message) == (pid_t)message)
			report_fork(message, container_process_id_of(message),
				    thread_group_of(id), seconds_now());
	}
}

static void on_stop(pid_t id, int status)
{
	int signal_number = WSTOPSIG(status), event = EVENT_OF(status);

	if (signal_number == (SIGTRAP | 0x80)) {
		on_syscall_stop(id);
		resume(id, 0);
	} else if (event == PTRACE_EVENT_STOP && signal_number != SIGTRAP) {
		ptrace(PTRACE_LISTEN, id, NULL, 0); /* stopped by its own job control */
	} else if (event) {
		on_event_stop(id, event);
		resume(id, 0);
	} else {
		resume(id, signal_number);
	}
}

static void drain(void)
{
	struct signalfd_siginfo ignored;

	while (read(children, &ignored, sizeof(ignored)) > 0)
		;
	for (int stops = 0; stops < STOPS_AT_ONCE; stops++) {
		int status;
		pid_t id = waitpid(-1, &status, __WALL | WNOHANG);

		if (id <= 0)
			return;
		if (WIFSTOPPED(status)) {
			on_stop(id, status);
			continue;
		}
		report_exit(id, status, seconds_now());
	}
	/* More stops wait than one round takes: come back at once. */
	raise(SIGCHLD);
}

static void finish(void)
{
	drain();
	stopped_write_gaps();
	line_start("lost");
	line_number("unread", untracked);
	line_end();
}

const struct source source_ptrace = {
	.name = "ptrace",
	.start = start,
	.descriptor = descriptor,
	.drain = drain,
	.finish = finish,
};
