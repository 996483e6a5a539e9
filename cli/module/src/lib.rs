// SPDX-License-Identifier: GPL-2.0

//! What the kernel module reads of user space: the format of a log, import, rules of faults. It is the
//! module's own source, compiled for the host: to be tested, and for the command, which injects faults into the
//! disks that it serves itself by the same rules ([`Injector`]). What that source uses of the kernel and of the rest of
//! the module is stood in for here: as little as it takes, and with the same answers.

#![forbid(unsafe_code)]
#![warn(rust_2018_idioms)]
// The module has uses for all of it.
#![allow(dead_code)]
// As the kernel's clippy sees it.
#![allow(clippy::mem_replace_with_default, clippy::precedence)]

// To the module's source, this crate is the kernel's, too.
extern crate self as kernel;

mod block;
mod control;
mod disk;
mod injector;
mod kernel_crate;
mod nowait;
mod record;
mod registry;
mod store;

#[path = "../../../src/fault/mod.rs"]
mod fault;
#[path = "../../../src/random.rs"]
mod random;
// rustfmt looks for its KUnit tests in the wrong place.
#[rustfmt::skip]
#[path = "../../../src/text.rs"]
mod text;

use powercut_model as model;

pub use control::{entry, take_in, Taken};
pub use injector::{Injector, Io, IoOp, Met};
pub use kernel_crate::{bindings, fmt, prelude, sync};

/// Rules of faults, as their attribute shows them once they were set; none if they are refused.
pub fn rules(text: &[u8], nr_sectors: u64, block_sectors: u64) -> Option<String> {
    let mut faults = faults(nr_sectors, block_sectors);
    faults.set_rules(text).ok()?;
    Some(faults.rules().to_string())
}

/// Bad sectors likewise, after changes one by one.
pub fn bad_sectors<'t>(
    changes: impl IntoIterator<Item = &'t [u8]>,
    nr_sectors: u64,
) -> Option<String> {
    let mut faults = faults(nr_sectors, 1);
    for change in changes {
        faults.set_bad(change).ok()?;
    }
    Some(faults.bad().to_string())
}

fn faults(nr_sectors: u64, block_sectors: u64) -> fault::Faults {
    fault::Faults::new(fault::Extent {
        nr_sectors,
        block_sectors,
    })
}
