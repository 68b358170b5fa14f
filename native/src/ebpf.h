/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VEXXY_EBPF_H
#define VEXXY_EBPF_H

#include <stddef.h>

/* The programs, built twice and embedded by objects.S. */
extern const char typed_object[], typed_object_end[];
extern const char plain_object[], plain_object_end[];

/* Tells one record; called by libbpf for each one in the ring. */
int ebpf_record(void *context, void *data, size_t size);

/* Loads and attaches everything and takes it away again; 0, or -1 with a reason. */
int ebpf_try(char *reason);

#endif
