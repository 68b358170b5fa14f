/* SPDX-License-Identifier: Apache-2.0 OR BSD-2-Clause */
/* Programs that are started: the binary, its script, its arguments, its loader. */
#ifndef VEXXY_PROCESS_H
#define VEXXY_PROCESS_H

#include "container.h"
#include "files.h"

#define AUXV_PAIRS 20
#define AUXV_BASE 7

/* The dynamic linker was mapped by the kernel, where no system call shows it. */
static __always_inline void report_loader(struct task_struct *task)
{
	struct mm_struct *memory = task->mm;

	for (int pair = 0; pair < AUXV_PAIRS; pair++) {
		unsigned long entry[2] = {};

		bpf_probe_read_kernel(entry, sizeof(entry),
				      __builtin_preserve_access_index(&memory->saved_auxv[0]) +
					      2 * pair);
		if (entry[0] == 0)
			return;
		if (entry[0] != AUXV_BASE)
			continue;
		if (entry[1])
			report_mapping(entry[1], SCRATCH_PROCESS);
		return;
	}
}

static __always_inline void write_arguments(struct exec_record *record,
					    struct mm_struct *memory)
{
	__u64 bytes = memory->arg_end - memory->arg_start;

	record->argument_bytes = 0;
	if (bytes > ARGUMENT_BYTES)
		bytes = ARGUMENT_BYTES;
	if (bpf_probe_read_user(record->arguments, bytes, (void *)memory->arg_start) == 0)
		record->argument_bytes = bytes;
}

/* A script named relative to the working directory needs that directory to be found. */
static __always_inline void send_directory(struct task_struct *task, struct scratch *scratch)
{
	struct path path;

	start_record(&scratch->file.head, RECORD_DIRECTORY);
	BPF_CORE_READ_INTO(&path, task, fs, pwd);
	write_path(&scratch->file, &path);
	send(&scratch->file.head, file_record_bytes(&scratch->file));
}

static __always_inline void write_script(struct task_struct *task, struct scratch *scratch,
					 struct linux_binprm *program)
{
	struct exec_record *record = &scratch->exec;

	record->script[0] = 0;
	if (program->filename == program->interp)
		return;
	record->head.flags |= FLAG_SCRIPT;
	bpf_probe_read_kernel_str(record->script, sizeof(record->script), program->filename);
	if (record->script[0] != '/')
		send_directory(task, scratch);
}

static __always_inline void report_exec(struct task_struct *task,
					struct linux_binprm *program)
{
	struct scratch *scratch = scratch_of(SCRATCH_PROCESS);
	struct exec_record *record;

	if (!scratch)
		return;
	record = &scratch->exec;
	start_record(&record->head, RECORD_EXEC);
	record->container_process_id = container_process_id(task);
	write_arguments(record, task->mm);
	write_script(task, scratch, program);
	start_record(&record->file.head, RECORD_FILE);
	record->file.head.kind = USE_EXECUTED;
	describe(&record->file, program->file);
	send(&record->head, offsetof(struct exec_record, file) + file_record_bytes(&record->file));
	report_loader(task);
}

static __always_inline void report_process(struct task_struct *task, __u8 type,
					   struct task_struct *parent)
{
	struct process_record record = {};

	start_record(&record.head, type);
	record.head.process_id = task->tgid;
	record.container_process_id = container_process_id(task);
	record.exit_code = task->exit_code;
	if (parent) {
		record.parent_process_id = parent->tgid;
		record.parent_container_process_id = container_process_id(parent);
	}
	send(&record.head, sizeof(record));
}

#endif
