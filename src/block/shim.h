/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inline functions and macros of the block layer and its neighbours, made
 * callable from Rust: one function each, no logic. Where the kernel crate gains
 * one of them, it goes from here.
 */
#ifndef POWERCUT_BLOCK_SHIM_H
#define POWERCUT_BLOCK_SHIM_H

#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/workqueue.h>

/* Casts hide these from bindgen: constants of their own carry their values. */
static const unsigned int POWERCUT_BLK_FEAT_WRITE_CACHE =
	(__force unsigned int)BLK_FEAT_WRITE_CACHE;
static const unsigned int POWERCUT_BLK_FEAT_FUA =
	(__force unsigned int)BLK_FEAT_FUA;
static const unsigned int POWERCUT_BLK_FEAT_ATOMIC_WRITES =
	(__force unsigned int)BLK_FEAT_ATOMIC_WRITES;
static const gfp_t POWERCUT_GFP_NORETRY = __GFP_NORETRY;
static const unsigned int POWERCUT_BLK_FEAT_IO_STAT =
	(__force unsigned int)BLK_FEAT_IO_STAT;
static const unsigned int POWERCUT_BLK_FEAT_NOWAIT =
	(__force unsigned int)BLK_FEAT_NOWAIT;
static const unsigned int POWERCUT_BLK_FEAT_SYNCHRONOUS =
	(__force unsigned int)BLK_FEAT_SYNCHRONOUS;

struct bio_vec powercut_bio_iter_iovec(const struct bio *bio,
				       const struct bvec_iter *iter);
void powercut_bio_advance_iter_single(const struct bio *bio,
				      struct bvec_iter *iter,
				      unsigned int len_bytes);
void powercut_memcpy_from_bvec(char *to, struct bio_vec bv);
void powercut_memcpy_to_bvec(struct bio_vec bv, const char *from);
void powercut_memzero_bvec(struct bio_vec bv);
void powercut_bio_end_io_acct(struct bio *bio, unsigned long start_jiffies);

void *powercut_pages_alloc(gfp_t gfp, unsigned int order);
void powercut_page_split(void *address, unsigned int order);
void powercut_page_get(void *address);
void powercut_page_put(void *address);
void powercut_memcpy(void *to, const void *from, size_t len_bytes);
void powercut_memmove(void *to, const void *from, size_t len_bytes);
void powercut_memzero(void *to, size_t len_bytes);

unsigned int powercut_disk_openers(struct gendisk *disk);
void powercut_disk_need_part_scan(struct gendisk *disk);

void powercut_wait_var_event(int *var, int value);
void powercut_synchronize_rcu_tasks(void);

unsigned int powercut_memalloc_noio_save(void);
void powercut_memalloc_noio_restore(unsigned int flags);

struct workqueue_struct *powercut_alloc_workqueue(const char *name);

void powercut_get_current_comm(char *comm);

#endif /* POWERCUT_BLOCK_SHIM_H */
