// SPDX-License-Identifier: GPL-2.0

//! The attributes `record` and `mark`, of disks and of views.

use super::attribute::show;
use crate::{
    device::Power,
    disk::RecordedDisk,
    record::is_mark_text,
    text::fields, //
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*, //
};

/// What `record` reads as.
pub(super) fn show_status(device: Option<&Power>, page: &mut [u8; PAGE_SIZE]) -> Result<usize> {
    let status = device.map(|device| device.disk().record_status());
    show(page, fmt!("{}\n", status.unwrap_or_default()))
}

/// Does what was written to `record`.
pub(super) fn store(device: Option<&Power>, word: &[u8]) -> Result {
    let device = device.ok_or(ENODEV)?;
    let disk = device.disk();
    match word {
        b"start" => disk.start_record(),
        b"stop" => disk.stop_record(),
        b"reset" => device.while_closed(|| disk.reset_record()),
        b"drop" => disk.drop_record(),
        _ => Err(EINVAL),
    }
}

/// What `mark` reads as.
pub(super) fn show_marks(device: Option<&Power>, page: &mut [u8; PAGE_SIZE]) -> Result<usize> {
    let nr_marks = device.map_or(0, |device| device.disk().record_status().nr_marks);
    show(page, fmt!("{}\n", nr_marks))
}

/// Puts each line of `text` into the record, as a mark; all of them or none.
pub(super) fn store_marks(disk: &RecordedDisk, text: &[u8]) -> Result {
    if !fields(text, b'\n').all(is_mark_text) {
        return Err(EINVAL);
    }
    fields(text, b'\n').try_for_each(|mark| disk.mark(mark))
}
