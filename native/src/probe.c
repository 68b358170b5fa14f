// SPDX-License-Identifier: Apache-2.0
/* What of the kernel's facilities works here, tried rather than guessed. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/ptrace.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent.h"
#include "ebpf.h"

#define BTF_PATH "/sys/kernel/btf/vmlinux"

static int try_fanotify(char *reason)
{
	int group = fanotify_init(FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_UNLIMITED_QUEUE |
					  FAN_UNLIMITED_MARKS,
				  O_RDONLY | O_CLOEXEC);
	int failed = group < 0;

	if (!failed)
		failed = fanotify_mark(group, FAN_MARK_ADD | FAN_MARK_MOUNT,
				       FAN_OPEN | FAN_OPEN_EXEC, AT_FDCWD, "/") != 0;
	if (failed)
		snprintf(reason, REASON_BYTES, "fanotify was refused: %s", strerror(errno));
	if (group >= 0)
		close(group);
	return failed ? -1 : 0;
}

static int try_ptrace(char *reason)
{
	pid_t child;
	int failed;

	if (geteuid() != 0) {
		snprintf(reason, REASON_BYTES, "a container's process is another user's");
		return -1;
	}
	child = fork();
	if (child == 0) {
		pause();
		_exit(0);
	}
	failed = child < 0 || ptrace(PTRACE_SEIZE, child, NULL, PTRACE_O_TRACESYSGOOD) != 0;
	if (failed)
		snprintf(reason, REASON_BYTES, "ptrace was refused: %s", strerror(errno));
	if (child > 0) {
		kill(child, SIGKILL);
		waitpid(child, NULL, __WALL);
	}
	return failed ? -1 : 0;
}

static bool write_trial(const char *name, int (*trial)(char *reason))
{
	char reason[REASON_BYTES] = "";
	bool works = trial(reason) == 0;

	line_object_start(name);
	line_truth("works", works);
	line_text("reason", works ? "" : reason);
	line_object_end();
	return works;
}

int probe(void)
{
	struct utsname kernel;
	bool any;

	uname(&kernel);
	line_start("probe");
	line_text("kernel", kernel.release);
	line_text("architecture", kernel.machine);
	line_truth("btf", access(BTF_PATH, R_OK) == 0);
	line_truth("root", geteuid() == 0);
	line_object_start("sources");
	any = write_trial("ebpf", ebpf_try);
	any |= write_trial("fanotify", try_fanotify);
	any |= write_trial("ptrace", try_ptrace);
	line_object_end();
	line_end();
	lines_flush();
	return any ? 0 : 3;
}
