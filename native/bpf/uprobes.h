/* SPDX-License-Identifier: Apache-2.0 OR BSD-2-Clause */
/* Functions that are waited for: the first entry of each is told, with its callers. */
#ifndef VEXXY_UPROBES_H
#define VEXXY_UPROBES_H

#include "container.h"

/* One word a probe, which the agent reads too: a hit is known even where the ring was
 * full and its record was lost. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PROBES_MAX);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, __u64);
} probes_hit SEC(".maps");

#if defined(__TARGET_ARCH_arm64)
struct user_pt_regs___probed {
	__u64 regs[31];
	__u64 pc;
} RELOCATED;
#define REGISTERS struct user_pt_regs___probed
#define REGISTERS_ADDRESS(r) ((r)->pc)
#else
struct pt_regs___probed {
	unsigned long ip, sp;
} RELOCATED;
#define REGISTERS struct pt_regs___probed
#define REGISTERS_ADDRESS(r) ((r)->ip)
#endif

/* At a function's first instruction its caller's frame is not linked yet: the unwinder
 * misses the function that called. */
static __always_inline __u64 return_address(REGISTERS *state)
{
#if defined(__TARGET_ARCH_arm64)
	return state->regs[30];
#else
	__u64 address = 0;

	bpf_probe_read_user(&address, sizeof(address), (void *)state->sp);
	return address;
#endif
}

static __always_inline int hit(REGISTERS *state)
{
	__u64 cookie = bpf_get_attach_cookie(state);
	__u32 probe = cookie & (PROBES_MAX - 1);
	__u64 *known = bpf_map_lookup_elem(&probes_hit, &probe);
	struct task_struct *task = bpf_get_current_task_btf();
	struct hit_record *record;
	long bytes;

	if (!known || *known || !in_container(task) || is_entering(task))
		return 0;
	if (__sync_val_compare_and_swap(known, 0, 1))
		return 0;
	record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);
	if (!record)
		return 0;
	start_record(&record->head, RECORD_HIT);
	record->probe = probe;
	record->container_process_id = container_process_id(task);
	record->thread_id = bpf_get_current_pid_tgid();
	record->address = REGISTERS_ADDRESS(state);
	record->caller = cookie & PROBE_ENTRY ? return_address(state) : 0;
	bpf_get_current_comm(record->command, sizeof(record->command));
	bytes = bpf_get_stack(state, record->frames, sizeof(record->frames),
			      BPF_F_USER_STACK);
	record->frame_count = bytes > 0 ? bytes / sizeof(record->frames[0]) : 0;
	bpf_ringbuf_submit(record, BPF_RB_FORCE_WAKEUP);
	return 0;
}

/* From Linux 6.6 one link holds all probes of a file; before, each has its own. */
SEC("?uprobe")
int on_hit_of_many(REGISTERS *state)
{
	return hit(state);
}

SEC("?uprobe")
int on_hit_of_one(REGISTERS *state)
{
	return hit(state);
}

#endif
