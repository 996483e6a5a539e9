// SPDX-License-Identifier: GPL-2.0

//! A disk that has its power on: reachable under `/dev/powercut` and by name.
//!
//! Lock order: a device's `gendisk`, its `open_mutex`, then all of the disk.

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
    new_mutex,
    prelude::*,
    str::CString,
    sync::{
        Arc,
        Mutex, //
    }, //
};

/// A disk and its block device.
#[pin_data]
pub(crate) struct Device {
    disk: Arc<RecordedDisk>,
    /// [`None`] once the power is going off.
    #[pin]
    gendisk: Mutex<Option<Disk<RecordedDisk>>>,
}

impl Device {
    /// The disk.
    pub(crate) fn disk(&self) -> &Arc<RecordedDisk> {
        &self.disk
    }

    /// Makes sure that nobody has it open, nor ever will, and that nobody views its
    /// record. [`EBUSY`] if somebody has or does.
    pub(crate) fn claim(&self) -> Result {
        self.disk.retire()?;
        let gendisk = self.gendisk.lock();
        let result = gendisk.as_ref().ok_or(ENODEV).and_then(Disk::claim);
        if result.is_err() {
            self.disk.unretire();
        }
        result
    }

    /// Runs `f` while nobody has it open. [`EBUSY`] if somebody has, [`ENODEV`] if its
    /// power is going off.
    pub(crate) fn while_closed<R>(&self, f: impl FnOnce() -> Result<R>) -> Result<R> {
        let gendisk = self.gendisk.lock();
        let gendisk = gendisk.as_ref().ok_or(ENODEV)?;
        gendisk.while_closed(|| {
            let result = f()?;
            gendisk.need_part_scan();
            Ok(result)
        })
    }

    /// Brings the power of a disk back that was cut, in a state at that cut: see
    /// [`RecordedDisk::restore`]. [`EBUSY`] if somebody has it open; then bios that
    /// waited for the power have failed, so that it can be closed.
    pub(crate) fn restore(&self, state: &[u8]) -> Result {
        self.disk.stop_hanging();
        self.while_closed(|| self.disk.restore(state))
    }

    /// Points a crash-state disk at another state, with nothing written to it.
    /// [`EINVAL`] if it is not one.
    pub(crate) fn select(&self, state: &[u8]) -> Result {
        let below = self.disk.below().ok_or(EINVAL)?;
        self.while_closed(|| self.disk.clear(|| below.select(state)))
    }
}

/// A disk's power, switched on. Dropping it takes the block device away; if that is
/// open then, it goes as a pulled cable does.
pub(crate) struct Power(Arc<Device>);

impl Power {
    /// Switches the power of a disk on. [`EEXIST`] if its name is taken.
    pub(crate) fn on(disk: Arc<RecordedDisk>) -> Result<Self> {
        let geometry = disk.geometry();
        let limits = Limits {
            block_size: geometry.block_size,
            physical_block_size: geometry.physical_block_size,
            atomic_unit: geometry.atomic_unit,
            write_cache: geometry.write_cache,
            fua: geometry.fua,
            discard: geometry.discard,
            synchronous: disk.is_inline(),
        };
        let ours = disk.clone();
        let device = Arc::pin_init(
            try_pin_init!(Device {
                disk: ours,
                gendisk <- new_mutex!(None),
            }),
            GFP_KERNEL,
        )?;

        // The block layer splats on a name that is taken, so that is seen to before.
        registry::reserve(&disk)?;
        // From here on, dropping `this` gives the name back.
        let this = Self(device);

        // A `!` becomes the `/` of the path under /dev.
        let name = CString::try_from_fmt(fmt!("powercut!{}", disk.name()))?;
        let gendisk = Disk::new(&name, geometry.nr_sectors, limits, disk)?;
        *this.gendisk.lock() = Some(gendisk);
        registry::publish(&this.0)?;
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
        // Whoever waits for bios of a disk whose power was cut need wait no more.
        self.disk.stop_hanging();
        // Whoever found it in the registry finds it gone. It goes after unlocking.
        let gendisk = self.gendisk.lock().take();
        drop(gendisk);
        self.disk.drain();
        // Only now may the name be used again.
        registry::release(&self.disk);
    }
}
