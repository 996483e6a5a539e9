// SPDX-License-Identifier: GPL-2.0

//! What a disk tells the block layer of itself.
//!
//! C header: [`include/linux/blkdev.h`](srctree/include/linux/blkdev.h)

use super::shim;
use kernel::bindings;

/// The queue limits of a disk (`struct queue_limits`).
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// Logical block size in bytes.
    pub(crate) block_size: u32,
    /// Physical block size in bytes.
    pub(crate) physical_block_size: u32,
    /// What never tears, in bytes: `REQ_ATOMIC` is advertised for writes that lie within
    /// one such unit (`BLK_FEAT_ATOMIC_WRITES`).
    pub(crate) atomic_unit: u32,
    /// Advertise a volatile write cache (`BLK_FEAT_WRITE_CACHE`): only then do
    /// flushes and FUA arrive.
    pub(crate) write_cache: bool,
    /// Advertise FUA (`BLK_FEAT_FUA`).
    pub(crate) fua: bool,
    /// Advertise DISCARD.
    pub(crate) discard: bool,
    /// Bios complete before `submit_bio` returns (`BLK_FEAT_SYNCHRONOUS`).
    pub(crate) synchronous: bool,
    /// Partitions are looked for, and may be added (without: `GENHD_FL_NO_PART`).
    pub(crate) partscan: bool,
}

impl Limits {
    pub(super) fn to_raw(self) -> bindings::queue_limits {
        let mut features = shim::POWERCUT_BLK_FEAT_ATOMIC_WRITES
            | shim::POWERCUT_BLK_FEAT_IO_STAT
            | shim::POWERCUT_BLK_FEAT_NOWAIT;
        if self.synchronous {
            features |= shim::POWERCUT_BLK_FEAT_SYNCHRONOUS;
        }
        if self.write_cache {
            features |= shim::POWERCUT_BLK_FEAT_WRITE_CACHE;
            if self.fua {
                features |= shim::POWERCUT_BLK_FEAT_FUA;
            }
        }

        let mut raw = bindings::queue_limits {
            features,
            logical_block_size: self.block_size,
            physical_block_size: self.physical_block_size,
            atomic_write_hw_max: self.atomic_unit,
            atomic_write_hw_boundary: self.atomic_unit,
            atomic_write_hw_unit_min: self.block_size,
            atomic_write_hw_unit_max: self.atomic_unit,
            max_hw_sectors: u32::MAX,
            max_write_zeroes_sectors: u32::MAX,
            ..pin_init::zeroed()
        };
        if self.discard {
            raw.max_hw_discard_sectors = u32::MAX;
            raw.max_discard_segments = 1;
            raw.discard_granularity = self.block_size;
        }
        raw
    }
}
