// SPDX-License-Identifier: GPL-2.0
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/wait_bit.h>
#include <linux/powercut.h>

#include "shim.h"

/* The layout that user space relies on. */
static_assert(sizeof(struct powercut_log_header) == 64);
static_assert(sizeof(struct powercut_log_member) == 32);
static_assert(sizeof(struct powercut_log_entry) == 96);
static_assert(sizeof(struct powercut_read_run) == 16);

struct bio_vec powercut_bio_iter_iovec(const struct bio *bio,
				       const struct bvec_iter *iter)
{
	return bio_iter_iovec(bio, *iter);
}

void powercut_bio_advance_iter_single(const struct bio *bio,
				      struct bvec_iter *iter,
				      unsigned int len_bytes)
{
	bio_advance_iter_single(bio, iter, len_bytes);
}

void powercut_memcpy_from_bvec(char *to, struct bio_vec bv)
{
	memcpy_from_bvec(to, &bv);
}

void powercut_memcpy_to_bvec(struct bio_vec bv, const char *from)
{
	memcpy_to_bvec(&bv, from);
}

void powercut_memzero_bvec(struct bio_vec bv)
{
	memzero_bvec(&bv);
}

void powercut_bio_end_io_acct(struct bio *bio, unsigned long start_jiffies)
{
	bio_end_io_acct(bio, start_jiffies);
}

void *powercut_pages_alloc(gfp_t gfp, unsigned int order)
{
	return (void *)__get_free_pages(gfp, order);
}

void powercut_page_split(void *address, unsigned int order)
{
	split_page(virt_to_page(address), order);
}

void powercut_page_get(void *address)
{
	get_page(virt_to_page(address));
}

void powercut_page_put(void *address)
{
	put_page(virt_to_page(address));
}

void powercut_memcpy(void *to, const void *from, size_t len_bytes)
{
	memcpy(to, from, len_bytes);
}

void powercut_memmove(void *to, const void *from, size_t len_bytes)
{
	memmove(to, from, len_bytes);
}

void powercut_memzero(void *to, size_t len_bytes)
{
	memset(to, 0, len_bytes);
}

unsigned int powercut_disk_openers(struct gendisk *disk)
{
	return disk_openers(disk);
}

void powercut_disk_need_part_scan(struct gendisk *disk)
{
	set_bit(GD_NEED_PART_SCAN, &disk->state);
}

void powercut_wait_var_event(int *var, int value)
{
	/* Pairs with the release that changes *var, before wake_up_var(). */
	wait_var_event(var, smp_load_acquire(var) == value);
}

void powercut_synchronize_rcu_tasks(void)
{
	synchronize_rcu_tasks();
}

unsigned int powercut_memalloc_noio_save(void)
{
	return memalloc_noio_save();
}

void powercut_memalloc_noio_restore(unsigned int flags)
{
	memalloc_noio_restore(flags);
}

struct workqueue_struct *powercut_alloc_workqueue(const char *name)
{
	return alloc_workqueue("%s", WQ_UNBOUND | WQ_MEM_RECLAIM, 0, name);
}

void powercut_get_current_comm(char *comm)
{
	/* Padded with NULs by who sets it: get_task_comm() would look for the end. */
	memcpy(comm, current->comm, TASK_COMM_LEN);
}
