// SPDX-License-Identifier: GPL-2.0

//! The `powercut` command: drives powercut block devices, and explores what a
//! power failure may leave on them.
//!
//! From the bottom up: [`abi`] and [`device`] speak to the driver,
//! [`recording`] holds what it recorded, [`choices`] what a cut leaves open
//! and [`strategy`] what to look at; [`explore`] has an [`oracle`] look, which
//! in real life is [`examine`]. [`args`] become [`options`] become
//! [`commands`], which end in a [`report`].

pub mod args;
pub mod baseline;
pub mod child;
pub mod commands;
pub mod config;
pub mod crash_disk;
pub mod culprit;
pub mod device;
pub mod estimate;
pub mod examination;
pub mod examine;
pub mod executor;
pub mod exit;
pub mod faults;
pub mod fs;
pub mod fsck;
pub mod kmsg;
pub mod mapper;
pub mod memory;
pub mod modprobe;
pub mod mount_failure;
pub mod nbd;
pub mod notes;
pub mod observation;
pub mod options;
pub mod output;
pub mod owner;
pub mod panics;
pub mod pause;
pub mod pool;
pub mod progress;
pub mod read_ahead;
pub mod record_progress;
pub mod recorder;
pub mod recovery;
pub mod report;
pub mod scratch;
pub mod served_disk;
pub mod server;
pub mod signals;
pub mod size;
pub mod slots;
pub mod sparse;
pub mod stale;
pub mod table;
pub mod times;
#[cfg(feature = "ublk")]
pub mod ublk;
pub mod whole_file;
pub mod words;
pub mod writeback;
