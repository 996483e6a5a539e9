// SPDX-License-Identifier: GPL-2.0

//! A RAM disk whose power can be cut.
//!
//! It models a volatile write cache, records every write, flush and FUA, and serves
//! any state that the disk could legally be in after a power failure as a block
//! device of its own.
//!
//! Data flows one way: [`block`] (bios, the only room with `unsafe`) -> [`disk`]
//! (what a bio does) -> [`record`] (the log) and [`store`] (the data). [`model`]
//! says which states are legal; [`crash`] shows one. [`fault`] says what a disk does that no
//! disk may, if it is asked to. [`config`] and [`control`] are
//! how user space gets in: docs/abi.md. docs/unsafe.md lists all that is unsafe.
//!
//! # Locks
//!
//! In the order in which they are taken:
//!
//! | lock | of | what it guards |
//! |---|---|---|
//! | `phase` | an open control device | what its session has come to |
//! | `device`, `settings` | a directory in configfs | whether the power is on, and for what |
//! | `gendisks` | a [`device::Device`] | its block devices |
//! | `open_mutex` | a block device | the block layer's: open and close ([`block::Disk::close`]) |
//! | `DEVICES` | the module ([`registry`]) | the names that are taken |
//! | `state` | a [`disk::RecordedDisk`] | its life, record and faults, and what its bios do |
//! | `in_flight` | the same | bios that wait |
//! | the lock of a leaf | a [`store::Tree`] | neighbouring pages ([`block::Lending`]) |
//! | `selection`, `reads`, `spare` | a crash state, a disk | a field each; nothing under them |
//!
//! `open_mutex` may be held as long as I/O takes, so it is only ever tried.
//! No two locks of one kind are held at a time: a disk that lies below another is looked at after
//! unlocking that. None is held while I/O is waited for, and what is allocated under one
//! starts none ([`block::noio`]): so nobody waits for a disk that hangs but who uses it.

#![crate_name = "powercut"]
#![deny(unsafe_code)]

#[allow(unsafe_code)]
mod block;
mod config;
mod control;
mod crash;
mod device;
mod disk;
mod fault;
mod model;
#[cfg(CONFIG_BLK_DEV_POWERCUT_KUNIT_TEST)]
mod model_kunit;
mod nowait;
mod random;
mod record;
mod registry;
mod store;
mod text;

use kernel::{
    configfs,
    miscdevice::MiscDeviceRegistration,
    prelude::*, //
};

module! {
    type: Powercut,
    name: "powercut",
    authors: ["powercut developers"],
    description: "RAM disk whose power can be cut",
    license: "GPL",
}

/// The module. Fields are dropped in order: first the ways in, then the wait for
/// disks whose last user is just leaving, at last for bios that complete later.
#[pin_data]
struct Powercut {
    #[pin]
    config: configfs::Subsystem<config::Top>,
    #[pin]
    control: MiscDeviceRegistration<control::Session>,
    released: WaitForDisks,
    queue: block::workqueue::OwnedQueue,
}

struct WaitForDisks;

impl Drop for WaitForDisks {
    fn drop(&mut self) {
        block::wait_for_released_disks();
    }
}

impl kernel::InPlaceModule for Powercut {
    fn init(_module: &'static ThisModule) -> impl PinInit<Self, Error> {
        registry::init();

        // configfs comes last: as soon as it is there, so may users be.
        try_pin_init!(Self {
            queue: block::workqueue::OwnedQueue::new(c"powercut")?,
            released: WaitForDisks,
            control <- control::device(),
            config <- config::subsystem(),
        })
    }
}
