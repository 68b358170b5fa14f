/* SPDX-License-Identifier: Apache-2.0 OR BSD-2-Clause */
/* The few fields of the kernel's structures that are read; CO-RE finds their places. */
#ifndef VEXXY_KERNEL_H
#define VEXXY_KERNEL_H

#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>

#define RELOCATED __attribute__((preserve_access_index))

struct qstr {
	__u64 hash_len;
	const unsigned char *name;
} RELOCATED;

struct super_block {
	__u32 s_dev;
	unsigned long s_magic;
} RELOCATED;

struct inode {
	__u16 i_mode;
	struct super_block *i_sb;
	unsigned long i_ino;
} RELOCATED;

struct list_head {
	struct list_head *next;
} RELOCATED;

struct hlist_bl_node {
	struct hlist_bl_node **pprev;
} RELOCATED;

struct dentry {
	struct hlist_bl_node d_hash;
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
} RELOCATED;

struct vfsmount {
	struct dentry *mnt_root;
} RELOCATED;

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
} RELOCATED;

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
} RELOCATED;

struct file {
	unsigned int f_flags;
	struct inode *f_inode;
	struct path f_path;
	void *private_data;
} RELOCATED;

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
} RELOCATED;

struct files_struct {
	struct fdtable *fdt;
} RELOCATED;

struct vm_area_struct {
	struct file *vm_file;
} RELOCATED;

struct mm_struct {
	unsigned long arg_start;
	unsigned long arg_end;
	unsigned long saved_auxv[40];
} RELOCATED;

struct ns_common {
	unsigned int inum;
} RELOCATED;

struct pid_namespace {
	struct ns_common ns;
} RELOCATED;

struct upid {
	int nr;
	struct pid_namespace *ns;
} RELOCATED;

struct pid {
	unsigned int level;
	struct upid numbers[1];
} RELOCATED;

struct kernfs_node {
	struct kernfs_node *parent;
	const char *name;
} RELOCATED;

struct kernfs_node___renamed {
	struct kernfs_node *__parent;
} RELOCATED;

struct cgroup {
	struct kernfs_node *kn;
} RELOCATED;

struct cgroup_subsys_state {
	struct cgroup *cgroup;
} RELOCATED;

struct css_set {
	struct cgroup_subsys_state *subsys[16];
	struct cgroup *dfl_cgrp;
} RELOCATED;

enum cgroup_subsys_id { pids_cgrp_id = 11 };

struct fs_struct {
	struct path pwd;
} RELOCATED;

struct thread_info {
	__u32 status;
} RELOCATED;

struct task_struct {
	struct thread_info thread_info;
	int pid;
	int tgid;
	int exit_code;
	struct task_struct *group_leader;
	struct pid *thread_pid;
	struct mm_struct *mm;
	struct fs_struct *fs;
	struct files_struct *files;
	struct css_set *cgroups;
} RELOCATED;

struct linux_binprm {
	struct file *file;
	const char *filename;
	const char *interp;
} RELOCATED;

struct in6_addr {
	unsigned char bytes[16];
};

struct sock_common {
	__u32 skc_daddr;
	__u32 skc_rcv_saddr;
	__u16 skc_dport;
	__u16 skc_num;
	__u16 skc_family;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
} RELOCATED;

struct sock {
	struct sock_common __sk_common;
} RELOCATED;

struct socket {
	__s16 type;
	struct sock *sk;
} RELOCATED;

/* Where the system call's number and arguments lie in the saved registers. */
#if defined(__TARGET_ARCH_arm64)
struct user_pt_regs {
	__u64 regs[31];
} RELOCATED;
struct pt_regs {
	__u64 regs[31];
	__u64 orig_x0;
	__s32 syscallno;
} RELOCATED;
#define REGS_NUMBER(r) ((long)(r)->syscallno)
#define REGS_ARG0(r) ((r)->orig_x0)
#define REGS_ARG1(r) ((r)->regs[1])
#define REGS_ARG2(r) ((r)->regs[2])
#define REGS_ARG3(r) ((r)->regs[3])
#define REGS_ARG4(r) ((r)->regs[4])
#define TASK_IS_COMPAT(task) false
#else
struct pt_regs {
	unsigned long r10, r9, r8, ax, dx, si, di, orig_ax;
} RELOCATED;
#define REGS_NUMBER(r) ((long)(r)->orig_ax)
#define REGS_ARG0(r) ((r)->di)
#define REGS_ARG1(r) ((r)->si)
#define REGS_ARG2(r) ((r)->dx)
#define REGS_ARG3(r) ((r)->r10)
#define REGS_ARG4(r) ((r)->r8)
#define TS_COMPAT 2
#define TASK_IS_COMPAT(task) (((task)->thread_info.status & TS_COMPAT) != 0)
#endif


#endif
