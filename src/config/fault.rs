// SPDX-License-Identifier: GPL-2.0

//! The attributes about faults, of disks and of views.

use super::{
    attribute::Attribute,
    show::put, //
};
use crate::{
    device::Power,
    fault::Faults, //
};
use kernel::prelude::*;

/// The rules.
pub(super) const FAULTS: Attribute = Attribute::Device {
    show: |power, to| with(power, |faults| put(to, fmt!("{}", faults.rules()))),
    store: |power, text| change(power, |faults| faults.set_rules(text)),
};

/// The bad sectors.
pub(super) const BADBLOCKS: Attribute = Attribute::Device {
    show: |power, to| with(power, |faults| put(to, fmt!("{}", faults.bad()))),
    store: |power, text| change(power, |faults| faults.set_bad(text)),
};

/// Whether a failure makes them good.
pub(super) const BADBLOCKS_ONCE: Attribute = Attribute::Device {
    show: |power, to| {
        with(power, |faults| {
            put(to, fmt!("{}\n", u8::from(faults.once())))
        })
    },
    store: |power, text| change(power, |faults| faults.set_once(text)),
};

/// What fails there.
pub(super) const BADBLOCKS_MODE: Attribute = Attribute::Device {
    show: |power, to| with(power, |faults| put(to, fmt!("{}\n", faults.mode()))),
    store: |power, text| change(power, |faults| faults.set_mode(text)),
};

/// How much failed there.
pub(super) const BADBLOCKS_HITS: Attribute = Attribute::Device {
    show: |power, to| with(power, |faults| put(to, fmt!("{}\n", faults.bad_hits()))),
    store: |power, _| power.ok_or(ENODEV).and(Err(EPERM)),
};

fn with(power: Option<&Power>, show: impl FnOnce(&Faults) -> Result) -> Result {
    power.ok_or(ENODEV)?.disk().with_faults(show)
}

fn change(power: Option<&Power>, set: impl FnOnce(&mut Faults) -> Result) -> Result {
    power.ok_or(ENODEV)?.disk().change_faults(set)
}
