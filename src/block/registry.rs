// SPDX-License-Identifier: GPL-2.0

//! The live devices of this driver, by name.
//!
//! The control device is given names, and its file operations get no pointer to
//! the module's data; so the table is a static, behind a lock.

use crate::device::Device;
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Full,
            Release, //
        },
        global_lock,
        Arc,
        GlobalGuard, //
    },
};

global_lock! {
    // SAFETY: `lock` alone uses it, and only after `init` has set `READY`.
    unsafe(uninit) static DEVICES: Mutex<KVec<Arc<Device>>> = KVec::new();
}

/// Whether [`init`] was here before: 0 no, 1 it is at work, 2 the table is ready.
static STATE: Atomic<i32> = Atomic::new(0);

/// Makes the table ready. To be called when the module is loaded; later calls do
/// nothing.
pub(crate) fn init() {
    if STATE.cmpxchg(0, 1, Full).is_ok() {
        // SAFETY: Only one caller ever sees 0, so this happens once; nobody uses the
        // lock before `STATE` is 2.
        unsafe { DEVICES.init() };
        STATE.store(2, Release);
    }
}

/// Locks the table. [`ENODEV`] before [`init`].
fn lock() -> Result<GlobalGuard<DEVICES>> {
    if STATE.load(Acquire) == 2 {
        Ok(DEVICES.lock())
    } else {
        Err(ENODEV)
    }
}

/// Adds a device. [`EEXIST`] if one of its name is there.
pub(crate) fn add(device: Arc<Device>) -> Result {
    let mut devices = lock()?;
    if devices
        .iter()
        .any(|other| other.disk().name() == device.disk().name())
    {
        return Err(EEXIST);
    }
    devices.push(device, GFP_KERNEL)?;
    Ok(())
}

/// Takes a device out, if it is there.
pub(crate) fn remove(device: &Arc<Device>) {
    if let Ok(mut devices) = lock() {
        devices.retain(|other| !core::ptr::eq(&**other, &**device));
        if devices.is_empty() {
            // A static is never dropped: leave it without an allocation.
            *devices = KVec::new();
        }
    }
}

/// Runs `f` on the live device of that name (`NAME` or `NAME.VIEW`), which stays live
/// meanwhile. [`ENOENT`] if there is none.
pub(crate) fn with<R>(name: &[u8], f: impl FnOnce(&Device) -> Result<R>) -> Result<R> {
    let devices = lock()?;
    let device = devices
        .iter()
        .find(|device| device.disk().name().to_bytes() == name)
        .ok_or(ENOENT)?;
    f(device)
}
