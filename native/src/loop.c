// SPDX-License-Identifier: Apache-2.0
/* The recording itself: empty the source, check the maps, hand on the lines. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "agent.h"
#include "uprobes.h"

#define ROUND_MILLISECONDS 20
#define LOOK_EVERY_SECONDS 1.0
#define LOOK_AT_ALL_EVERY_SECONDS 10.0

static bool seen[SYSCALLS_MAX];

void syscall_seen(unsigned int number)
{
	if (number < SYSCALLS_MAX)
		seen[number] = true;
}

void write_syscalls(void)
{
	char unnamed[32];

	line_start("syscalls");
	line_list_start("names");
	for (unsigned int number = 0; number < SYSCALLS_MAX; number++) {
		const char *name = syscall_name(number);

		if (!seen[number])
			continue;
		snprintf(unnamed, sizeof(unnamed), "syscall_%u", number);
		name = name ? name : unnamed;
		line_list_text(name, strlen(name));
	}
	line_list_end();
	line_end();
}

/* A call that never returned, such as a server's wait, shows only where it waits. */
static void see_blocked_syscalls(void)
{
	const pid_t *processes;
	size_t count = mappings_processes(&processes);

	for (size_t i = 0; i < count; i++) {
		long number = blocked_syscall_of(processes[i], processes[i]);

		if (number >= 0)
			syscall_seen(number);
	}
}

static void look_when_due(void)
{
	static double looked, looked_at_all;
	double now = seconds_now();

	if (now - looked < LOOK_EVERY_SECONDS)
		return;
	looked = now;
	if (now - looked_at_all >= LOOK_AT_ALL_EVERY_SECONDS) {
		looked_at_all = now;
		mappings_look(true);
	} else {
		mappings_look(false);
	}
}

static void finish(const struct source *source)
{
	source->drain(); /* may tell of processes not looked at yet */
	mappings_look(true);
	source->drain();
	mappings_compare(source->opens_explain_mappings);
	see_blocked_syscalls();
	source->finish();
	mappings_finish();
	write_syscalls();
	line_start("end");
	line_fraction("seconds", seconds_now());
	line_number("lines_lost", lines_lost());
	line_end();
	fcntl(STDOUT_FILENO, F_SETFL, 0);
	lines_flush();
}

int record_until_told(const struct source *source)
{
	struct pollfd polled[4] = {
		{ .fd = source->descriptor(), .events = POLLIN },
		{ .fd = STDOUT_FILENO },
		{ .events = POLLIN },
	};
	sigset_t ends;

	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	polled[2].fd = signalfd(-1, &ends, SFD_CLOEXEC);
	fcntl(STDOUT_FILENO, F_SETFL, fcntl(STDOUT_FILENO, F_GETFL) | O_NONBLOCK);
	for (;;) {
		polled[1].events = lines_waiting() ? POLLOUT : 0;
		polled[3] = (struct pollfd){ uprobes_descriptor(), POLLIN, 0 };
		if (poll(polled, 4, ROUND_MILLISECONDS) < 0 && errno != EINTR)
			return 1;
		look_when_due();
		source->drain();
		mappings_compare(source->opens_explain_mappings);
		if (polled[3].revents)
			uprobes_more();
		if (polled[1].revents & (POLLERR | POLLNVAL) || !lines_write())
			return 1;
		if (polled[2].revents & POLLIN)
			break;
	}
	finish(source);
	return 0;
}
