// SPDX-License-Identifier: GPL-2.0

//! A disk that has its power on: reachable under `/dev/powercut` and by name.

use crate::{
    block::{
        registry,
        Disk,
        Limits, //
    },
    disk::RecordedDisk, //
};
use core::ops::Deref;
use kernel::{
    prelude::*,
    str::CString,
    sync::Arc, //
};

/// A disk and its block device.
pub(crate) struct Device {
    disk: Arc<RecordedDisk>,
    gendisk: Disk<RecordedDisk>,
}

impl Device {
    /// The disk.
    pub(crate) fn disk(&self) -> &Arc<RecordedDisk> {
        &self.disk
    }

    /// Makes sure that nobody has it open, nor ever will. [`EBUSY`] if somebody has.
    pub(crate) fn claim(&self) -> Result {
        self.gendisk.claim()
    }

    /// Runs `f` while nobody has it open. [`EBUSY`] if somebody has.
    pub(crate) fn while_closed<R>(&self, f: impl FnOnce() -> Result<R>) -> Result<R> {
        self.gendisk.while_closed(|| {
            let result = f()?;
            self.gendisk.need_part_scan();
            Ok(result)
        })
    }

    /// Points a crash-state disk at another state, with nothing written to it.
    /// [`EINVAL`] if it is not one.
    pub(crate) fn select(&self, state: &[u8]) -> Result {
        let below = self.disk.below().ok_or(EINVAL)?;
        self.while_closed(|| {
            below.select(state)?;
            self.disk.clear();
            Ok(())
        })
    }
}

/// A disk's power, switched on. Dropping it takes the block device away; if that is
/// open then, it goes as a pulled cable does.
pub(crate) struct Power(Arc<Device>);

impl Power {
    /// Switches the power of a disk on.
    pub(crate) fn on(disk: Arc<RecordedDisk>) -> Result<Self> {
        let geometry = disk.geometry();
        let limits = Limits {
            block_size: geometry.block_size,
            write_cache: geometry.write_cache,
            fua: geometry.fua,
            discard: geometry.discard,
        };
        // A `!` becomes the `/` of the path under /dev.
        let name = CString::try_from_fmt(fmt!("powercut!{}", disk.name()))?;
        let gendisk = Disk::new(&name, geometry.nr_sectors, limits, disk.clone())?;
        let device = Arc::new(Device { disk, gendisk }, GFP_KERNEL)?;

        // From here on, dropping `this` takes the device out of the registry.
        let this = Self(device.clone());
        registry::add(device)?;
        Ok(this)
    }
}

impl Deref for Power {
    type Target = Device;

    fn deref(&self) -> &Device {
        &self.0
    }
}

impl Drop for Power {
    fn drop(&mut self) {
        // The registry lets go of it first, so that the block device goes with `self`.
        registry::remove(&self.0);
    }
}
