/* SPDX-License-Identifier: Apache-2.0 OR BSD-2-Clause */
/* System calls that the sandbox's limits refused. */
#ifndef VEXXY_REFUSED_H
#define VEXXY_REFUSED_H

#include "output.h"

#define ERROR_EPERM 1
#define ERROR_EACCES 13
#define ERROR_EROFS 30
/* A process that keeps trying new names must not fill the agent's memory. */
#define REFUSED_MAX 4096

static __always_inline bool is_refusal(long result)
{
	return result == -ERROR_EPERM || result == -ERROR_EACCES || result == -ERROR_EROFS;
}

static __always_inline __u64 argument(struct pt_regs *regs, __u8 number)
{
	if (number == 0)
		return REGS_ARG0(regs);
	return number == 1 ? REGS_ARG1(regs) : REGS_ARG2(regs);
}

static __always_inline __u64 mark_of_refusal(const struct refused_record *record)
{
	const __u64 *words = (const __u64 *)record->path;
	__u64 mark = mix(record->head.kind, record->error);

	if (!record->path_bytes)
		return mix(mark, record->arguments[0]) | 1;
	for (int word = 0; word < REFUSED_PATH_BYTES / 8; word++)
		mark = mix(mark, words[word]);
	return mark | 1;
}

static __always_inline void refused(struct pt_regs *regs, __u32 number, int error)
{
	struct scratch *scratch = scratch_of(SCRATCH_SYSCALL);
	__u8 path_argument = settings.path_argument[number & (SYSCALLS_MAX - 1)];
	struct refused_record *record;
	__u64 mark;
	long length;

	if (!scratch)
		return;
	record = &scratch->refused;
	start_record(&record->head, RECORD_REFUSED);
	record->head.kind = number;
	record->error = error;
	record->path_bytes = 0;
	record->arguments[0] = REGS_ARG0(regs);
	record->arguments[1] = REGS_ARG1(regs);
	record->arguments[2] = REGS_ARG2(regs);
	__builtin_memset(record->path, 0, sizeof(record->path));
	if (path_argument != NO_PATH_ARGUMENT) {
		length = bpf_probe_read_user_str(record->path, sizeof(record->path),
						 (void *)argument(regs, path_argument));
		record->path_bytes = length > 0 ? length : 0;
	}
	mark = mark_of_refusal(record);
	if (was_seen(mark))
		return;
	if (shared.refused_sent >= REFUSED_MAX) {
		__sync_fetch_and_add(&shared.refused_unsent, 1);
		return;
	}
	__sync_fetch_and_add(&shared.refused_sent, 1);
	if (send(&record->head, sizeof(*record)))
		remember(mark);
}

#endif
