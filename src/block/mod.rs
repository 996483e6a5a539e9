// SPDX-License-Identifier: GPL-2.0

//! Safe wrappers of the block layer: the only room with `unsafe` in it.
//!
//! A bio-based driver needs four things that the `kernel` crate does not have
//! yet: [`Bio`], owned and ended exactly once; its data, [`Segment`] by
//! segment; the queue [`Limits`], with the write cache and FUA among them; and
//! a [`Disk`] whose `fops` name their module as owner. Each is a file here,
//! shaped to move to `rust/kernel/block/`. The smaller neighbours
//! ([`Lending`], [`StaticMutex`], [`noio`], [`stack`], [`task`],
//! [`workqueue`]) wrap one thing each. None of
//! them knows of the driver.
//!
//! docs/unsafe.md lists what is unsafe here, and why each kind of it holds.

#![deny(
    unsafe_op_in_unsafe_fn,
    clippy::missing_safety_doc,
    clippy::multiple_unsafe_ops_per_block,
    clippy::undocumented_unsafe_blocks
)]

mod bio;
mod disk;
#[cfg(CONFIG_BLK_DEV_POWERCUT_KUNIT_TEST)]
mod examples;
mod lending;
mod limits;
mod noio;
mod op;
mod page;
#[cfg(all(CONFIG_KCSAN, CONFIG_BLK_DEV_POWERCUT_KUNIT_TEST))]
mod races;
mod segment;
pub(crate) mod stack;
mod static_mutex;
pub(crate) mod task;
mod wait_var;
pub(crate) mod workqueue;

pub(crate) use bio::Bio;
pub(crate) use disk::{
    wait_for_released_disks,
    Closed,
    Disk,
    Operations, //
};
pub(crate) use lending::{
    Lending,
    Lent, //
};
pub(crate) use limits::Limits;
pub(crate) use noio::noio;
pub(crate) use op::{
    Flags,
    ReqOp, //
};
pub(crate) use page::{
    DataPage,
    SparePages, //
};
pub(crate) use segment::{
    Segment,
    Segments, //
};
pub(crate) use static_mutex::StaticMutex;

/// Size of the field that holds a disk's name, its NUL counted.
pub(crate) const DISK_NAME_LEN: usize = kernel::bindings::DISK_NAME_LEN as usize;

/// Declarations of `shim.h`, made by bindgen when the module is built.
///
/// Config-dependent structures reachable from `bio` and `gendisk` can be
/// zero-sized, which is no matter to C: they are only passed by pointer.
#[allow(improper_ctypes, missing_docs, unreachable_pub, dead_code, clippy::all)]
mod shim {
    include!(env!("POWERCUT_SHIM_BINDINGS"));
}
