/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * What /dev/powercut-control gives and takes: see
 * Documentation/admin-guide/blockdev/powercut.rst.
 *
 * A log is a header, the members of a group if it has any, base entries if it
 * carries data, and entries, each followed by its payload. All numbers are
 * little-endian, sectors are 512 bytes, events are numbered from 1.
 */
#ifndef _UAPI_LINUX_POWERCUT_H
#define _UAPI_LINUX_POWERCUT_H

#include <linux/types.h>

#define POWERCUT_LOG_MAGIC		"powercut"	/* without its NUL */

/* Versions of a log. */
#define POWERCUT_LOG_DISK		1	/* of one disk */
#define POWERCUT_LOG_GROUP		2	/* of several: members follow */
#define POWERCUT_LOG_PREFIX		3	/* writes survive as prefixes */
#define POWERCUT_LOG_RMW		4	/* writes may cost their neighbours */

/* Flags of a header. */
#define POWERCUT_LOG_WRITE_CACHE	0x00000001
#define POWERCUT_LOG_FUA		0x00000002
#define POWERCUT_LOG_DATA		0x00000004	/* base and data */
#define POWERCUT_LOG_TEAR_PREFIX	0x00000008
#define POWERCUT_LOG_TEAR_RMW		0x00000010
#define POWERCUT_LOG_MEMBERS_SHIFT	8
#define POWERCUT_LOG_MEMBERS_MASK	0x0000ff00
#define POWERCUT_LOG_LIED		0x00010000
#define POWERCUT_LOG_FUA_IGNORED	0x00020000
#define POWERCUT_LOG_LOST		0x00040000
#define POWERCUT_LOG_MISDIRECTED	0x00080000
#define POWERCUT_LOG_CORRUPTED		0x00100000
#define POWERCUT_LOG_STALE		0x00200000
#define POWERCUT_LOG_EIO		0x00400000
#define POWERCUT_LOG_BADBLOCKS		0x00800000

struct powercut_log_header {
	__u8	magic[8];
	__le32	version;
	__le32	flags;
	__le64	nr_sectors;
	__le32	block_size;		/* bytes */
	__le32	atomic_unit;		/* bytes */
	__le64	nr_entries;		/* base entries not counted */
	__le64	last_event;
	__le64	truncated;		/* at this event; 0: complete */
	__le64	nr_base_entries;
};

struct powercut_log_member {
	__le64	nr_sectors;
	__u8	name[24];		/* padded with NULs */
};

/* Operations of an entry. */
#define POWERCUT_OP_WRITE		1
#define POWERCUT_OP_WRITE_ZEROES	2
#define POWERCUT_OP_DISCARD		3
#define POWERCUT_OP_FLUSH		4	/* an empty PREFLUSH */
#define POWERCUT_OP_MARK		5
#define POWERCUT_OP_BASE		6

/* Flags of an entry. */
#define POWERCUT_ENTRY_PREFLUSH		0x00000001
#define POWERCUT_ENTRY_FUA		0x00000002
#define POWERCUT_ENTRY_META		0x00000004
#define POWERCUT_ENTRY_SYNC		0x00000008
#define POWERCUT_ENTRY_ATOMIC		0x00000010
#define POWERCUT_ENTRY_NOUNMAP		0x00000020
#define POWERCUT_ENTRY_PRIO		0x00000040
#define POWERCUT_ENTRY_LIED		0x00000100
#define POWERCUT_ENTRY_FUA_IGNORED	0x00000200
#define POWERCUT_ENTRY_LOST		0x00000400
#define POWERCUT_ENTRY_MISDIRECTED	0x00000800
#define POWERCUT_ENTRY_CORRUPTED	0x00001000
#define POWERCUT_ENTRY_GARBAGE		0x00010000	/* of a discard */

/* The complete event of what is still in flight. */
#define POWERCUT_IN_FLIGHT		0xffffffffffffffffULL

struct powercut_log_entry {
	__u8	op;
	__u8	reserved[3];		/* 0 */
	__le32	flags;
	__le64	submit;			/* event */
	__le64	start;			/* event at which its data started */
	__le64	complete;		/* event */
	__le64	sector;
	__le32	nr_sectors;
	__le32	payload_len;		/* bytes */
	__le64	submitted_ns;		/* since the record began */
	__le64	completed_ns;
	__le32	tid;
	__le32	stack;			/* hash of the submitter's; 0: unknown */
	__u8	comm[16];		/* padded with NULs */
	/* MISDIRECTED: the sector asked for; GARBAGE: the seed; else 0 */
	__le64	asked;
};

/* What "reads" gives, in ascending order. */
struct powercut_read_run {
	__le64	sector;
	__le64	nr_sectors;
};

#endif /* _UAPI_LINUX_POWERCUT_H */
