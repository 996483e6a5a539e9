// SPDX-License-Identifier: GPL-2.0

//! The attributes about faults, of disks and of views.

use super::attribute::show;
use crate::{
    device::Power,
    fault::Faults, //
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*, //
};

/// A write that is as long as configfs makes them may go on in the next.
const TEXT_MAX_BYTES: usize = PAGE_SIZE - 1;

/// One of the attributes.
#[derive(Clone, Copy)]
pub(super) enum About {
    Rules,
    BadBlocks,
    Once,
    Mode,
    Hits,
}

/// What it reads as. [`ENODEV`] if the power is off.
pub(super) fn show_fault(
    device: Option<&Power>,
    about: About,
    page: &mut [u8; PAGE_SIZE],
) -> Result<usize> {
    let disk = device.ok_or(ENODEV)?.disk();
    disk.with_faults(|faults| match about {
        About::Rules => show(page, fmt!("{}", faults.rules())),
        About::BadBlocks => show(page, fmt!("{}", faults.bad())),
        About::Once => show(page, fmt!("{}\n", u8::from(faults.once()))),
        About::Mode => show(page, fmt!("{}\n", faults.mode())),
        About::Hits => show(page, fmt!("{}\n", faults.bad_hits())),
    })
}

/// Takes what was written to it, a newline at the end taken away. [`E2BIG`] if there may be
/// more of it to come.
pub(super) fn store_fault(device: Option<&Power>, about: About, text: &[u8]) -> Result {
    let disk = device.ok_or(ENODEV)?.disk();
    if text.len() + 1 >= TEXT_MAX_BYTES {
        return Err(E2BIG);
    }
    let change: fn(&mut Faults, &[u8]) -> Result = match about {
        About::Rules => Faults::set_rules,
        About::BadBlocks => Faults::set_bad,
        About::Once => Faults::set_once,
        About::Mode => Faults::set_mode,
        About::Hits => return Err(EPERM),
    };
    disk.change_faults(|faults| change(faults, text))
}

/// Implements these attributes, from their ids on, for what has an `inner` with a `device`.
macro_rules! fault_attributes {
    ($group:ident, $($id:literal: $about:ident),+ $(,)?) => {
        $(
            #[vtable]
            impl configfs::AttributeOperations<$id> for $group {
                type Data = $group;

                fn show(this: &$group, page: &mut [u8; PAGE_SIZE]) -> Result<usize> {
                    let inner = this.inner.lock();
                    $crate::config::fault::show_fault(
                        inner.device.as_ref(),
                        $crate::config::fault::About::$about,
                        page,
                    )
                }

                fn store(this: &$group, text: &[u8]) -> Result {
                    let inner = this.inner.lock();
                    $crate::config::fault::store_fault(
                        inner.device.as_ref(),
                        $crate::config::fault::About::$about,
                        line(text),
                    )
                }
            }
        )+
    };
}
pub(super) use fault_attributes;
