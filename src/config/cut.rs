// SPDX-License-Identifier: GPL-2.0

//! The attributes `cut` and `restore` of disks.

use super::{
    attribute::Attribute,
    show::put, //
};
use kernel::prelude::*;

/// Cuts the power, or arms what will.
pub(super) const CUT: Attribute = Attribute::Device {
    show: |power, to| match power {
        Some(power) => power.disk().show_cut(|text| put(to, text)),
        None => put(to, fmt!("off\n")),
    },
    store: |power, text| power.ok_or(ENODEV)?.disk().set_cut(text),
};

/// Brings the power back.
pub(super) const RESTORE: Attribute = Attribute::Device {
    show: |_, _| Err(EPERM),
    store: |power, text| power.ok_or(ENODEV)?.restore(text),
};
