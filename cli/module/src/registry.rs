// SPDX-License-Identifier: GPL-2.0

//! The disk that is live: of each thread, the one that it made known.

use std::cell::RefCell;

use crate::disk::RecordedDisk;
use crate::prelude::*;
use crate::sync::Arc;

thread_local! {
    static LIVE: RefCell<Option<Arc<Device>>> = const { RefCell::new(None) };
}

pub(crate) struct Device(Arc<RecordedDisk>);

impl Device {
    pub(crate) fn disk(&self) -> &Arc<RecordedDisk> {
        &self.0
    }

    pub(crate) fn while_closed<R>(&self, f: impl FnOnce() -> Result<R>) -> Result<R> {
        f()
    }
}

/// Makes a disk the one that is live.
pub(crate) fn publish(disk: &Arc<RecordedDisk>) {
    LIVE.set(Some(Arc::new(Device(disk.clone()))));
}

pub(crate) fn find(name: &[u8]) -> Result<Arc<Device>> {
    let live = LIVE.with_borrow(Clone::clone);
    live.filter(|device| device.0.name().to_bytes() == name)
        .ok_or(ENOENT)
}
