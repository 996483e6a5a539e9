// SPDX-License-Identifier: GPL-2.0

//! The live devices of this driver, by name.
//!
//! The control device is given names, and its file operations get no pointer to
//! the module's data; so the table is a static, behind a lock.

use crate::{
    block::StaticMutex,
    device::Device,
    disk::RecordedDisk, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// Left without an allocation when there is no device.
static DEVICES: StaticMutex<KVec<Entry>> = StaticMutex::new();

/// A name that is taken, by a disk that is about to go live, or is.
struct Entry {
    disk: Arc<RecordedDisk>,
    device: Option<Arc<Device>>,
}

impl Entry {
    fn name(&self) -> &[u8] {
        self.disk.name().to_bytes()
    }
}

/// Makes the table ready. To be called when the module is loaded; later calls do
/// nothing.
pub(crate) fn init() {
    DEVICES.init(KVec::new());
}

/// Reserves the name of a disk, which has no block device yet. [`EEXIST`] if a live
/// disk has it, or if one of the two could have a partition of the other's name.
pub(crate) fn reserve(disk: &Arc<RecordedDisk>) -> Result {
    let mut entries = DEVICES.lock()?;
    if entries.iter().any(|entry| clash(&entry.disk, disk)) {
        return Err(EEXIST);
    }
    let entry = Entry {
        disk: disk.clone(),
        device: None,
    };
    entries.push(entry, GFP_KERNEL)?;
    Ok(())
}

/// Makes a device, whose name was reserved, known.
pub(crate) fn publish(device: &Arc<Device>) -> Result {
    let mut entries = DEVICES.lock()?;
    let entry = entries
        .iter_mut()
        .find(|entry| Arc::ptr_eq(&entry.disk, device.disk()))
        .ok_or(ENOENT)?;
    entry.device = Some(device.clone());
    Ok(())
}

/// Gives a disk's name back, if it has one.
pub(crate) fn release(disk: &Arc<RecordedDisk>) {
    if let Ok(mut entries) = DEVICES.lock() {
        entries.retain(|entry| !Arc::ptr_eq(&entry.disk, disk));
        if entries.is_empty() {
            *entries = KVec::new();
        }
    }
}

/// The live device of that name (`NAME` or `NAME.VIEW`). [`ENOENT`] if there is none.
pub(crate) fn find(name: &[u8]) -> Result<Arc<Device>> {
    let entries = DEVICES.lock()?;
    let entry = entries.iter().find(|entry| entry.name() == name);
    entry.and_then(|entry| entry.device.clone()).ok_or(ENOENT)
}

/// Whether two disks can't be live at the same time: by one name, or because the
/// block layer would call a partition of one as the other is called. (Those of a group's
/// members are called as nothing outside of it is.)
fn clash(one: &RecordedDisk, other: &RecordedDisk) -> bool {
    let (name, other_name) = (one.name().to_bytes(), other.name().to_bytes());
    name == other_name
        || other.members().is_empty() && is_partition(name, other_name)
        || one.members().is_empty() && is_partition(other_name, name)
}

/// Whether `name` is what a partition of `disk` is called: its number comes behind
/// the name, with a `p` between if that ends in a digit.
pub(crate) fn is_partition(name: &[u8], disk: &[u8]) -> bool {
    let number = name.strip_prefix(disk).and_then(|rest| {
        if disk.last().is_some_and(u8::is_ascii_digit) {
            rest.strip_prefix(b"p")
        } else {
            Some(rest)
        }
    });
    number.is_some_and(|number| !number.is_empty() && number.iter().all(u8::is_ascii_digit))
}
