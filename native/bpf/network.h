/* SPDX-License-Identifier: Apache-2.0 OR BSD-2-Clause */
/* Sockets listened on, accepted from and connected. */
#ifndef VEXXY_NETWORK_H
#define VEXXY_NETWORK_H

#include "files.h"

#define FAMILY_INET 2
#define FAMILY_INET6 10
#define TYPE_STREAM 1

struct socket_address {
	__u16 family;
	__u16 port;
	__u32 address; /* IPv6: the flow label; the address follows */
};

struct message_header {
	__u64 name;
	__u32 name_bytes;
};

static __always_inline struct socket *socket_of(struct task_struct *task, long number)
{
	struct file *file = file_of(task, number);
	struct inode *inode = BPF_CORE_READ(file, f_inode);

	if (!file || (BPF_CORE_READ(inode, i_mode) & S_IFMT) != S_IFSOCK)
		return NULL;
	return BPF_CORE_READ(file, private_data);
}

static __always_inline void send_connection(struct network_record *record)
{
	__u64 mark = mix(record->head.kind, ((__u64)record->family << 32) | record->port);

	mark = mix(mix(mark, record->address[0]), record->address[1]);
	mark = mix(mark, ((__u64)record->socket_type << 32) | record->head.process_id) | 1;
	if (!was_seen(mark) && send(&record->head, sizeof(*record)))
		remember(mark);
}

/* The local end of a socket: where it listens, or the port that a peer came in by. */
static __always_inline void local_end(struct socket *socket, __u16 direction)
{
	struct sock *sock = BPF_CORE_READ(socket, sk);
	struct network_record record = {};

	start_record(&record.head, RECORD_NETWORK);
	record.head.kind = direction;
	record.socket_type = BPF_CORE_READ(socket, type);
	record.family = BPF_CORE_READ(sock, __sk_common.skc_family);
	record.port = BPF_CORE_READ(sock, __sk_common.skc_num);
	if (record.family == FAMILY_INET) {
		__u32 address = direction == DIRECTION_LISTEN ?
					BPF_CORE_READ(sock, __sk_common.skc_rcv_saddr) :
					BPF_CORE_READ(sock, __sk_common.skc_daddr);
		record.address[0] = address;
	} else if (record.family == FAMILY_INET6) {
		struct in6_addr address = direction == DIRECTION_LISTEN ?
			BPF_CORE_READ(sock, __sk_common.skc_v6_rcv_saddr) :
			BPF_CORE_READ(sock, __sk_common.skc_v6_daddr);
		__builtin_memcpy(record.address, &address, sizeof(address));
	} else {
		return;
	}
	send_connection(&record);
}

/* The remote end as the process named it, so that a refused connect is told too. */
static __always_inline void remote_end(struct socket *socket, __u64 user_address)
{
	struct socket_address start = {};
	struct network_record record = {};

	start_record(&record.head, RECORD_NETWORK);
	record.head.kind = DIRECTION_OUTBOUND;
	record.socket_type = BPF_CORE_READ(socket, type);
	if (bpf_probe_read_user(&start, sizeof(start), (void *)user_address))
		return;
	record.family = start.family;
	record.port = __builtin_bswap16(start.port);
	if (record.family == FAMILY_INET)
		record.address[0] = start.address;
	else if (record.family != FAMILY_INET6 ||
		 bpf_probe_read_user(record.address, 16, (void *)user_address + 8))
		return;
	send_connection(&record);
}

static __always_inline void sent_to(struct task_struct *task, long number, __u64 address)
{
	struct socket *socket = address ? socket_of(task, number) : NULL;

	if (socket)
		remote_end(socket, address);
}

static __always_inline void message_sent(struct task_struct *task, struct pt_regs *regs)
{
	struct message_header message = {};

	if (bpf_probe_read_user(&message, sizeof(message), (void *)REGS_ARG1(regs)) == 0)
		sent_to(task, (int)REGS_ARG0(regs), message.name);
}

static __always_inline void network(struct task_struct *task, struct pt_regs *regs,
				    __u8 operation, long result)
{
	struct socket *socket;

	if (operation == OPERATION_CONNECT) {
		sent_to(task, (int)REGS_ARG0(regs), REGS_ARG1(regs));
		return;
	}
	if (result < 0)
		return;
	if (operation == OPERATION_SENDTO) {
		sent_to(task, (int)REGS_ARG0(regs), REGS_ARG4(regs));
		return;
	}
	if (operation == OPERATION_SENDMSG) {
		message_sent(task, regs);
		return;
	}
	socket = socket_of(task, operation == OPERATION_ACCEPT ? result : (int)REGS_ARG0(regs));
	if (!socket)
		return;
	if (operation == OPERATION_ACCEPT)
		local_end(socket, DIRECTION_INBOUND);
	/* A stream socket that is only bound may be about to connect. */
	else if (operation == OPERATION_LISTEN || BPF_CORE_READ(socket, type) != TYPE_STREAM)
		local_end(socket, DIRECTION_LISTEN);
}

#endif
