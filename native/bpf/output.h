/* SPDX-License-Identifier: Apache-2.0 OR BSD-2-Clause */
/* Maps, and the way out of the kernel: every record is sent or counted as lost. */
#ifndef VEXXY_OUTPUT_H
#define VEXXY_OUTPUT_H

#include "kernel.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "record.h"

#define S_IFMT 0170000
#define S_IFREG 0100000
#define S_IFDIR 0040000
#define S_IFSOCK 0140000
#define RING_BYTES (32 * 1024 * 1024)
/* Wakes the agent before the ring fills; until then the agent comes by itself. */
#define RING_HURRY_BYTES (RING_BYTES / 8)
#define ENTERING_MAX 4096

/* Kernels from 6.2 let a pointer be read without a helper call; the agent loads the
 * object built with TYPED first and the one without where that is refused. */
#ifdef TYPED
extern void *bpf_rdonly_cast(const void *object, __u32 type_id) __ksym;
#define AS(type, pointer) \
	((type *)bpf_rdonly_cast((const void *)(pointer), bpf_core_type_id_kernel(type)))
#define READ(pointer, field) ((pointer)->field)
/* Any structure that begins with a pointer serves to load one. */
#define LOAD(address) ((void *)AS(struct list_head, address)->next)
#else
#define AS(type, pointer) ((type *)(pointer))
#define READ(pointer, field) BPF_CORE_READ(pointer, field)
#define LOAD(address) load(address)

static __always_inline void *load(const void *address)
{
	void *value = NULL;

	bpf_probe_read_kernel(&value, sizeof(value), address);
	return value;
}
#endif

struct scratch {
	struct file_record file;
	struct exec_record exec;
	struct refused_record refused;
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, RING_BYTES);
} ring SEC(".maps");

/* One set for each kind of program: they may interrupt each other on one processor. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct scratch);
} scratches SEC(".maps");

enum { SCRATCH_SYSCALL, SCRATCH_PROCESS };

/* Processes put into the container from outside, until their first exec: their acts
 * are the container runtime's, not the image's. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, ENTERING_MAX);
	__type(key, __u32);
	__type(value, __u8);
} entering SEC(".maps");

const volatile struct settings settings = {};
struct shared shared = {};

static __always_inline struct scratch *scratch_of(__u32 slot)
{
	return bpf_map_lookup_elem(&scratches, &slot);
}

static __always_inline void count_gap(enum gap gap)
{
	__sync_fetch_and_add(&shared.gaps[gap], 1);
}

static __always_inline void start_record(struct record *head, __u8 type)
{
	head->type = type;
	head->flags = 0;
	head->kind = 0;
	head->process_id = bpf_get_current_pid_tgid() >> 32;
	head->nanoseconds = bpf_ktime_get_ns();
}

static __always_inline bool send_flagged(struct record *record, __u64 size, __u64 flags)
{
	if (bpf_ringbuf_output(&ring, record, size, flags) == 0)
		return true;
	if (record->type < RECORD_TYPES)
		__sync_fetch_and_add(&shared.lost[record->type], 1);
	return false;
}

static __always_inline bool send(struct record *record, __u64 size)
{
	__u64 waiting = bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA);
	bool hurry = waiting > RING_HURRY_BYTES;

	return send_flagged(record, size, hurry ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP);
}

/* For what the agent must look at before it changes. */
static __always_inline bool send_at_once(struct record *record, __u64 size)
{
	return send_flagged(record, size, BPF_RB_FORCE_WAKEUP);
}

static __always_inline __u64 mix(__u64 state, __u64 word)
{
	state ^= word;
	state *= 0x9fb21c651e98df25ULL;
	return state ^ (state >> 32);
}

#define SEEN_WAYS 4

static __always_inline bool was_seen(__u64 mark)
{
	__u32 first = mark & (SEEN_SLOTS - SEEN_WAYS);

	for (int way = 0; way < SEEN_WAYS; way++)
		if (shared.seen[first + way] == mark)
			return true;
	return false;
}

static __always_inline void remember(__u64 mark)
{
	__u32 first = mark & (SEEN_SLOTS - SEEN_WAYS);

	for (int way = 0; way < SEEN_WAYS; way++)
		if (!shared.seen[first + way]) {
			shared.seen[first + way] = mark;
			return;
		}
	shared.seen[first + ((mark >> 40) & (SEEN_WAYS - 1))] = mark;
}

#endif
