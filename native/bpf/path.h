/* SPDX-License-Identifier: Apache-2.0 OR BSD-2-Clause */
/* The path of a file: its names up through directories and mounts. */
#ifndef VEXXY_PATH_H
#define VEXXY_PATH_H

#include "output.h"

#define PATH_DEPTH 128

static __always_inline struct mount *mount_of(struct vfsmount *mount)
{
	return (struct mount *)((char *)mount - bpf_core_field_offset(struct mount, mnt));
}

/* Adds to out->path and sets its length and flags. Bind mounts are followed to where
 * they are mounted, so the path is the one that the process would call canonical. */
static __always_inline void write_path(struct file_record *out, struct path *path)
{
	struct dentry *dentry = path->dentry;
	struct mount *mount = mount_of(path->mnt);

	/* Position and flags are kept in the map: the verifier then takes every round
	 * of the loop for the same one. */
	out->path_bytes = 0;
	out->head.flags |= FLAG_TRUNCATED;
	for (int depth = 0; depth < PATH_DEPTH; depth++) {
		__u32 at = out->path_bytes;
		struct dentry *parent;
		long length;

		if (dentry == BPF_CORE_READ(mount, mnt.mnt_root)) {
			struct mount *outer = BPF_CORE_READ(mount, mnt_parent);

			if (outer == mount) {
				out->head.flags &= ~FLAG_TRUNCATED;
				return;
			}
			dentry = BPF_CORE_READ(mount, mnt_mountpoint);
			mount = outer;
			continue;
		}
		if (at > PATH_BYTES - NAME_BYTES)
			return;
		length = bpf_probe_read_kernel_str(out->path + at, NAME_BYTES,
						   BPF_CORE_READ(dentry, d_name.name));
		if (length > 0 && length <= NAME_BYTES)
			out->path_bytes = at + length;
		parent = BPF_CORE_READ(dentry, d_parent);
		if (parent == dentry) {
			out->head.flags &= ~FLAG_TRUNCATED;
			out->head.flags |= FLAG_UNNAMED;
			return;
		}
		dentry = parent;
	}
}

/* A mapping of an overlay file may hold the layer's file instead, on a mount that only
 * the overlay knows and whose root is the layer's: its path there is the overlay's. */
static __always_inline void describe(struct file_record *out, struct file *file)
{
	struct inode *inode = BPF_CORE_READ(file, f_inode);
	struct path path;

	BPF_CORE_READ_INTO(&path, file, f_path);
	out->inode = BPF_CORE_READ(inode, i_ino);
	out->device = BPF_CORE_READ(inode, i_sb, s_dev);
	if (!BPF_CORE_READ(path.dentry, d_hash.pprev) &&
	    path.dentry != BPF_CORE_READ(path.mnt, mnt_root))
		out->head.flags |= FLAG_DELETED;
	write_path(out, &path);
}

static __always_inline __u64 file_record_bytes(const struct file_record *record)
{
	__u64 bytes = record->path_bytes;

	if (bytes > PATH_BYTES)
		bytes = PATH_BYTES;
	return offsetof(struct file_record, path) + bytes;
}

#endif
