/* SPDX-License-Identifier: Apache-2.0 OR BSD-2-Clause */
/* Which tasks are the image's. */
#ifndef VEXXY_CONTAINER_H
#define VEXXY_CONTAINER_H

#include "output.h"

#define LEVELS_MAX 8
#define CGROUP_DEPTH 3
#define CGROUP_PREFIX_MAX 32

static __always_inline struct upid upid_at(struct pid *pid, __u32 level)
{
	struct upid upid = {};
	void *first = __builtin_preserve_access_index(&pid->numbers);
	__u64 place = level * bpf_core_type_size(struct upid);

	bpf_probe_read_kernel(&upid.nr, sizeof(upid.nr),
			      first + place + bpf_core_field_offset(struct upid, nr));
	bpf_probe_read_kernel(&upid.ns, sizeof(upid.ns),
			      first + place + bpf_core_field_offset(struct upid, ns));
	return upid;
}

static __noinline int find_namespace(struct task_struct *task)
{
	struct pid *pid = BPF_CORE_READ(task, thread_pid);
	__u32 deepest = BPF_CORE_READ(pid, level);

	for (__u32 level = 0; level < LEVELS_MAX; level++) {
		struct upid upid;

		if (level > deepest)
			break;
		upid = upid_at(pid, level);
		if (BPF_CORE_READ(upid.ns, ns.inum) != settings.namespace_inode)
			continue;
		shared.level = level;
		shared.namespace_inode = settings.namespace_inode;
		shared.namespace_address = (__u64)upid.ns;
		return 1;
	}
	return 0;
}

/* A pid namespace nested in the container's has the container's among its levels. */
static __always_inline bool in_container(struct task_struct *task)
{
	struct pid *pid;
	void *first;

	if (!shared.namespace_address) {
		if (!settings.namespace_inode || !find_namespace(task))
			return false;
	}
	pid = task->thread_pid;
	if (!pid || pid->level < shared.level)
		return false;
	first = __builtin_preserve_access_index(&pid->numbers);
	return (__u64)LOAD(first + shared.level * bpf_core_type_size(struct upid) +
			   bpf_core_field_offset(struct upid, ns)) ==
	       shared.namespace_address;
}

static __always_inline __u32 container_process_id(struct task_struct *task)
{
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);

	return upid_at(BPF_CORE_READ(leader, thread_pid), shared.level).nr;
}

static __always_inline bool is_entering(struct task_struct *task)
{
	__u32 process_id;

	if (!shared.entering)
		return false;
	process_id = task->tgid;
	return bpf_map_lookup_elem(&entering, &process_id);
}

static __always_inline void enter(__u32 process_id)
{
	__u8 one = 1;

	if (bpf_map_update_elem(&entering, &process_id, &one, BPF_NOEXIST) == 0)
		__sync_fetch_and_add(&shared.entering, 1);
	else
		count_gap(GAP_ENTERING_FULL);
}

static __always_inline void leave_entering(__u32 process_id)
{
	if (shared.entering && bpf_map_delete_elem(&entering, &process_id) == 0)
		__sync_fetch_and_sub(&shared.entering, 1);
}

static __always_inline struct kernfs_node *parent_of(struct kernfs_node *node)
{
	struct kernfs_node___renamed *renamed = (void *)node;

	if (bpf_core_field_exists(renamed->__parent))
		return BPF_CORE_READ(renamed, __parent);
	return BPF_CORE_READ(node, parent);
}

static __noinline int name_matches(struct kernfs_node *node)
{
	char name[CGROUP_PREFIX_MAX + CGROUP_NAME_BYTES] = {};
	__u32 wanted = settings.cgroup_name_bytes;

	bpf_probe_read_kernel_str(name, sizeof(name), BPF_CORE_READ(node, name));
	for (__u32 start = 0; start < CGROUP_PREFIX_MAX; start++) {
		__u32 same = 0;

		for (; same < CGROUP_NAME_BYTES; same++)
			if (same >= wanted ||
			    name[start + same] != settings.cgroup_name[same])
				break;
		if (same >= wanted)
			return 1;
	}
	return 0;
}

static __always_inline bool cgroup_matches(struct cgroup *cgroup)
{
	struct kernfs_node *node = BPF_CORE_READ(cgroup, kn);

	for (int depth = 0; depth < CGROUP_DEPTH; depth++) {
		if (!node)
			return false;
		if (name_matches(node))
			return true;
		node = parent_of(node);
	}
	return false;
}

/* Where the engine starts the image as it creates it, the container is known by its
 * control group's name only; its first exec tells the pid namespace. */
static __always_inline void learn_by_cgroup(struct task_struct *task)
{
	struct css_set *set = task->cgroups;
	__u32 pids = bpf_core_enum_value(enum cgroup_subsys_id, pids_cgrp_id);
	struct cgroup_subsys_state *state = NULL;
	struct pid *pid = task->thread_pid;
	struct upid upid;

	if (shared.namespace_address || !settings.cgroup_name_bytes || !pid->level)
		return;
	bpf_probe_read_kernel(&state, sizeof(state),
			      __builtin_preserve_access_index(&set->subsys[0]) + pids);
	if (!cgroup_matches(set->dfl_cgrp) &&
	    !cgroup_matches(BPF_CORE_READ(state, cgroup)))
		return;
	upid = upid_at(pid, pid->level);
	shared.level = pid->level;
	shared.namespace_inode = BPF_CORE_READ(upid.ns, ns.inum);
	shared.namespace_address = (__u64)upid.ns;
}

#endif
