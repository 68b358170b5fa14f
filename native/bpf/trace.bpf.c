// SPDX-License-Identifier: Apache-2.0 OR BSD-2-Clause
/* The four places in the kernel where the recorder looks.
 *
 * One hook at the return of system calls is enough: the arguments are still in the
 * registers there, and a file is known by what the call returned, so no other thread
 * can change the name between the look and the use. */
#include "container.h"
#include "network.h"
#include "process.h"
#include "refused.h"
#include "uprobes.h"

/* The helpers used here are given to GPL-compatible programs only. */
char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Where mounts change, a file of the image may get a path that the image does not have. */
static __always_inline bool changes_mounts(__u8 operation, struct pt_regs *regs,
					   long result)
{
	__u64 flags = 0;

	if (operation == OPERATION_CLONE)
		flags = REGS_ARG0(regs);
	else if (operation == OPERATION_CLONE3 && result > 0)
		/* Only in the parent: by the child's turn this may be other memory. */
		bpf_probe_read_user(&flags, sizeof(flags), (void *)REGS_ARG0(regs));
	else if (operation == OPERATION_SETNS)
		flags = REGS_ARG1(regs) ? REGS_ARG1(regs) : NEW_MOUNT_NAMESPACE;
	return operation == OPERATION_MOUNT || flags & NEW_MOUNT_NAMESPACE;
}

static __always_inline void note_gap(__u8 operation, struct pt_regs *regs, long result)
{
	if (operation == OPERATION_IO_URING)
		count_gap(GAP_IO_URING);
	else if (operation == OPERATION_PTRACE)
		count_gap(GAP_PTRACE);
	else if (changes_mounts(operation, regs, result))
		count_gap(GAP_MOUNTS);
}

static __always_inline void returned(struct task_struct *task, struct pt_regs *regs,
				     __u8 operation, long result)
{
	if (operation >= OPERATION_BIND && operation <= OPERATION_SENDMSG) {
		network(task, regs, operation, result);
		return;
	}
	if (result < 0 && result > -4096)
		return;
	if (operation == OPERATION_OPEN)
		opened(task, result);
	else if (operation == OPERATION_MMAP)
		mapped(task, regs, result);
	else if (operation == OPERATION_MPROTECT)
		protected_again(regs);
	else
		note_gap(operation, regs, result);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(on_return, struct pt_regs *regs, long result)
{
	struct task_struct *task = bpf_get_current_task_btf();
	long number = REGS_NUMBER(regs);
	__u8 operation;

	if (!in_container(task))
		return 0;
	if (is_entering(task))
		return 0;
	if (TASK_IS_COMPAT(task)) {
		count_gap(GAP_COMPAT);
		return 0;
	}
	if (number < 0 || number >= SYSCALLS_MAX) {
		/* -1 is a signal handler's return, which has put back older registers. */
		if (number != -1)
			count_gap(GAP_UNKNOWN_SYSCALL);
		return 0;
	}
	if (!shared.syscalls[number])
		shared.syscalls[number] = 1;
	if (is_refusal(result))
		refused(regs, number, -result);
	operation = settings.operation[number];
	if (operation)
		returned(task, regs, operation, result);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task, int old_id, struct linux_binprm *program)
{
	learn_by_cgroup(task);
	if (!in_container(task))
		return 0;
	leave_entering(task->tgid);
	report_exec(task, program);
	return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	if (!in_container(child) || child->pid != child->tgid)
		return 0;
	if (!in_container(parent) || is_entering(parent))
		enter(child->tgid);
	else
		report_process(child, RECORD_FORK, parent);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	if (!in_container(task) || task->pid != task->tgid)
		return 0;
	if (is_entering(task))
		leave_entering(task->tgid);
	else
		report_process(task, RECORD_EXIT, NULL);
	return 0;
}
