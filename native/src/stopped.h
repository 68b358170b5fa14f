/* SPDX-License-Identifier: Apache-2.0 */
/* What is read from a process while ptrace holds it. */
#ifndef VEXXY_STOPPED_H
#define VEXXY_STOPPED_H

#include <sys/ptrace.h>
#include <sys/types.h>

void fill_stopped_tables(void);
void stopped_at_exec(pid_t id);
void stopped_after_call(pid_t id, const struct __ptrace_syscall_info *call, long long result);
void stopped_write_gaps(void);

#endif
