/* SPDX-License-Identifier: Apache-2.0 */
/* Probes on the image's functions: what the parts that set and tell them share. */
#ifndef VEXXY_UPROBES_H
#define VEXXY_UPROBES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "record.h"

#define EXPECTED_BYTES 16
#define PROBED_FILES_MAX 4096

struct bpf_link;
struct bpf_object;
struct bpf_program;
struct target;

struct probe {
	uint32_t number;
	uint64_t offset;
	bool entry;
	bool told;
	uint8_t expected[EXPECTED_BYTES];
	uint8_t expected_bytes;
	struct bpf_link *link; /* of its own where the kernel has none for many */
	const char *refused; /* why it could not be set, NULL where it was */
	struct probed_file *file;
};

/* Probes that were wanted together for one file. */
struct probed_file {
	char *path;
	bool on_host;
	int descriptor;
	struct stat as_set;
	struct probe *probes;
	size_t count;
	int link; /* of all that were not hit when it was made */
	bool outdated; /* some of the link's probes were hit */
	bool is_set;
};

/* uprobe_lines.c: the list of probes, from a file or standard input. */
bool uprobe_lines_open(const char *path);
bool uprobe_lines_read(bool wait); /* true: a set of probes is complete */
int uprobe_lines_descriptor(void); /* -1: no more will come */

/* uprobe_files.c: what the lines wanted. */
struct probed_file *uprobe_file_add(const char *path, bool on_host);
void uprobe_add(struct probed_file *file, const struct probe *probe);
struct probe *uprobe_numbered(uint32_t number);
size_t uprobe_files(struct probed_file *const **files);
void uprobe_file_open(struct probed_file *file, const struct target *target);
bool uprobe_file_changed(const struct probed_file *file, const struct target *target);

/* uprobe_links.c: the kernel's side of a probe. */
bool uprobe_links_begin(struct bpf_object *object);
void uprobe_links_set(struct probed_file *file);
void uprobe_links_release(struct probed_file *file);
const char *uprobe_links_obstacle(void); /* NULL: none known */
bool uprobe_was_hit(uint32_t number);

/* uprobes.c */
void uprobes_complain(const char *detail); /* told as a gap, once ready */
bool uprobes_wanted(const char *path); /* false: the list cannot be read */
bool uprobes_are_wanted(void);
bool uprobes_give_up(const char *reason); /* false: nothing more to give up */
void uprobes_choose(struct bpf_object *object);
bool uprobes_own(const struct bpf_program *program);
void uprobes_begin(struct bpf_object *object);
void uprobes_set_first(const struct target *target);
void uprobes_tell(void);
int uprobes_descriptor(void);
void uprobes_more(void);
void uprobes_hit(const struct hit_record *record);
void uprobes_finish(void);

#endif
