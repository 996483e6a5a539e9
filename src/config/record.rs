// SPDX-License-Identifier: GPL-2.0

//! The attributes `record` and `mark`, of disks and of views.

use super::{
    attribute::Attribute,
    show::put, //
};
use crate::{
    record::is_mark_text,
    text::fields, //
};
use kernel::prelude::*;

/// Begins and ends records; reads as what there is of one.
pub(super) const RECORD: Attribute = Attribute::Device {
    show: |power, to| {
        let status = power.map(|power| power.disk().record_status());
        put(to, fmt!("{}\n", status.unwrap_or_default()))
    },
    store: |power, word| {
        let power = power.ok_or(ENODEV)?;
        let disk = power.disk();
        match word {
            b"start" => disk.start_record(),
            b"stop" => disk.stop_record(),
            b"reset" => power.while_closed(|| disk.reset_record()),
            b"drop" => disk.drop_record(),
            _ => Err(EINVAL),
        }
    },
};

/// Each line is a mark; reads as their number.
pub(super) const MARK: Attribute = Attribute::Device {
    show: |power, to| {
        let nr_marks = power.map_or(0, |power| power.disk().record_status().nr_marks);
        put(to, fmt!("{}\n", nr_marks))
    },
    store: |power, text| {
        let disk = power.ok_or(ENODEV)?.disk();
        // Before the first of them is a mark.
        if !fields(text, b'\n').all(is_mark_text) {
            return Err(EINVAL);
        }
        fields(text, b'\n').try_for_each(|mark| disk.mark(mark))
    },
};
