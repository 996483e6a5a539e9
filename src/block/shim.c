// SPDX-License-Identifier: GPL-2.0
#include <linux/sched.h>
#include <linux/sched/mm.h>

#include "shim.h"

void powercut_bio_iter_iovec(const struct bio *bio,
			     const struct bvec_iter *iter, struct bio_vec *bv)
{
	*bv = bio_iter_iovec(bio, *iter);
}

void powercut_bio_advance_iter_single(const struct bio *bio,
				      struct bvec_iter *iter,
				      unsigned int len_bytes)
{
	bio_advance_iter_single(bio, iter, len_bytes);
}

void powercut_memcpy_from_bvec(char *to, struct bio_vec *bv)
{
	memcpy_from_bvec(to, bv);
}

void powercut_memcpy_to_bvec(struct bio_vec *bv, const char *from)
{
	memcpy_to_bvec(bv, from);
}

void powercut_memzero_bvec(struct bio_vec *bv)
{
	memzero_bvec(bv);
}

void powercut_bio_end_io_acct(struct bio *bio, unsigned long start_jiffies)
{
	bio_end_io_acct(bio, start_jiffies);
}

unsigned int powercut_disk_openers(struct gendisk *disk)
{
	return disk_openers(disk);
}

void powercut_disk_need_part_scan(struct gendisk *disk)
{
	set_bit(GD_NEED_PART_SCAN, &disk->state);
}

unsigned int powercut_memalloc_noio_save(void)
{
	return memalloc_noio_save();
}

void powercut_memalloc_noio_restore(unsigned int flags)
{
	memalloc_noio_restore(flags);
}

struct workqueue_struct *powercut_alloc_workqueue(void)
{
	return alloc_workqueue("powercut", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
}

void powercut_get_current_comm(char *comm)
{
	get_task_comm(*(char (*)[TASK_COMM_LEN])comm, current);
}
