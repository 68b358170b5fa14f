/* SPDX-License-Identifier: Apache-2.0 OR BSD-2-Clause */
/* Files opened and files mapped executable. */
#ifndef VEXXY_FILES_H
#define VEXXY_FILES_H

#include "path.h"

#define ACCESS_MODE 3
#define WRITE_ONLY 1
#define READ_WRITE 2
#define OPENED_AS_PATH 010000000
#define PROC_MAGIC 0x9fa0
#define SYSFS_MAGIC 0x62656572
#define CGROUP_MAGIC 0x27e0eb
#define CGROUP2_MAGIC 0x63677270
#define PROT_EXECUTE 4
#define MAP_ANONYMOUS_BIT 0x20
#define EBUSY_ERROR 16
/* How often a lock is tried before the agent, which can wait for it, is asked. */
#define LOOK_UPS 512
#define FIND_VMA_EXISTS bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_find_vma)

static __always_inline struct file *file_of(struct task_struct *task, long number)
{
	struct fdtable *table = task->files->fdt;

	if (number < 0 || number >= table->max_fds)
		return NULL;
	return LOAD((void *)table->fd + number * sizeof(struct file *));
}

/* The kernel's own views hold no file of an image. */
static __always_inline bool is_kernels_own(struct inode *inode)
{
	unsigned long magic = BPF_CORE_READ(inode, i_sb, s_magic);

	return magic == PROC_MAGIC || magic == SYSFS_MAGIC || magic == CGROUP_MAGIC ||
	       magic == CGROUP2_MAGIC;
}

static __always_inline __u16 use_of_open(__u32 flags, __u16 mode)
{
	if ((mode & S_IFMT) == S_IFDIR)
		return USE_DIRECTORY;
	if (flags & OPENED_AS_PATH)
		return USE_REFERRED;
	if ((flags & ACCESS_MODE) == WRITE_ONLY)
		return USE_WRITTEN;
	if ((flags & ACCESS_MODE) == READ_WRITE)
		return USE_READ | USE_WRITTEN;
	return USE_READ;
}

/* A global function, and the file a number, so that the verifier checks it once. */
__noinline int send_file(__u64 address, __u32 use, __u64 mark, __u32 slot)
{
	struct file *file = (void *)address;
	struct inode *inode = BPF_CORE_READ(file, f_inode);
	struct scratch *scratch = scratch_of(slot);

	if (!scratch)
		return 0;
	if (is_kernels_own(inode)) {
		remember(mark);
		return 0;
	}
	start_record(&scratch->file.head, RECORD_FILE);
	scratch->file.head.kind = use;
	describe(&scratch->file, file);
	if (send(&scratch->file.head, file_record_bytes(&scratch->file)))
		remember(mark);
	return 0;
}

/* The name's hash is salted with the address of its directory, so the mark stands for
 * one name in one directory seen through one mount; device and inode tell apart what
 * replaced it. The difference, because the verifier lets no pointer be mixed. */
static __always_inline __u64 mark_of(struct file *file, __u16 use)
{
	struct dentry *dentry = READ(file, f_path.dentry);
	struct vfsmount *mount = READ(file, f_path.mnt);
	struct inode *inode = READ(file, f_inode);
	struct super_block *super = READ(inode, i_sb);
	__u64 mark = mix(use, READ(dentry, d_name.hash_len));

	mark = mix(mark, (char *)mount - (char *)dentry);
	mark = mix(mark, READ(inode, i_ino));
	mark = mix(mark, READ(super, s_dev));
	return mark ? mark : 1;
}

/* The verifier keeps pointers and numbers apart; through memory one becomes the other. */
static __always_inline __u64 address_of(struct file *file)
{
	struct file *volatile kept = file;
	__u64 address = 0;

	bpf_probe_read_kernel(&address, sizeof(address), (const void *)&kept);
	return address;
}

static __always_inline void report_file(struct file *raw, __u16 use, __u32 slot)
{
	struct file *file = AS(struct file, raw);
	struct inode *inode = READ(file, f_inode);
	__u16 mode = READ(inode, i_mode);
	__u64 mark;

	if ((mode & S_IFMT) != S_IFREG && (mode & S_IFMT) != S_IFDIR)
		return;
	if (!use)
		use = use_of_open(READ(file, f_flags), mode);
	mark = mark_of(file, use);
	if (!was_seen(mark))
		send_file(address_of(raw), use, mark, slot);
}

static __always_inline void opened(struct task_struct *task, long number)
{
	struct file *file = file_of(task, number);

	if (file)
		report_file(file, 0, SCRATCH_SYSCALL);
	else
		count_gap(GAP_UNKNOWN_FILE);
}

static long report_vma(struct task_struct *task, struct vm_area_struct *vma, void *slot)
{
	struct file *file = BPF_CORE_READ(vma, vm_file);

	if (file)
		report_file(file, USE_MAPPED, *(__u32 *)slot & 1);
	return 0;
}

struct look_up {
	__u64 address;
	__u32 slot;
	int failed;
};

static long look_up_mapping(__u32 attempt, void *context)
{
	struct look_up *wanted = context;
	struct task_struct *task = bpf_get_current_task_btf();

	if (settings.never_look_up)
		return 1;
	wanted->failed = bpf_find_vma(task, wanted->address, report_vma, &wanted->slot, 0);
	return wanted->failed != -EBUSY_ERROR;
}

/* The agent may wait for the lock, and reads what is mapped there from /proc. */
static __always_inline void ask_agent(__u64 address)
{
	struct mapping_record record = {};

	start_record(&record.head, RECORD_MAPPING);
	record.thread_id = (__u32)bpf_get_current_pid_tgid();
	record.address = address;
	send_at_once(&record.head, sizeof(record));
}

/* Report the file mapped at an address of the current process.
 *
 * The kernel only tries the lock of the mappings, and threads of one process that map
 * and unmap at once (a just-in-time compiler's) hold it for some microseconds, or for
 * much longer where the holder was put aside for another task. */
static __always_inline void report_mapping(__u64 address, __u32 slot)
{
	struct look_up wanted = {
		.address = address, .slot = slot, .failed = -EBUSY_ERROR
	};

	if (FIND_VMA_EXISTS)
		bpf_loop(LOOK_UPS, look_up_mapping, &wanted, 0);
	if (wanted.failed == -EBUSY_ERROR)
		ask_agent(address);
	else if (wanted.failed)
		count_gap(GAP_UNKNOWN_MAPPING);
}

static __always_inline void mapped(struct task_struct *task, struct pt_regs *regs,
				   __u64 address)
{
	struct file *file;

	if (!(REGS_ARG2(regs) & PROT_EXECUTE) || REGS_ARG3(regs) & MAP_ANONYMOUS_BIT)
		return;
	file = file_of(task, (int)REGS_ARG4(regs));
	if (file)
		report_file(file, USE_MAPPED, SCRATCH_SYSCALL);
	else
		report_mapping(address, SCRATCH_SYSCALL);
}

static __always_inline void protected_again(struct pt_regs *regs)
{
	if (REGS_ARG2(regs) & PROT_EXECUTE && REGS_ARG1(regs))
		report_mapping(REGS_ARG0(regs), SCRATCH_SYSCALL);
}

#endif
