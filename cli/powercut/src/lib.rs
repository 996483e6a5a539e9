// SPDX-License-Identifier: GPL-2.0

//! The `powercut` command: drives powercut block devices, and explores what a
//! power failure may leave on them.
//!
//! From the bottom up: [`abi`] and [`device`] speak to the driver,
//! [`recording`] holds what it recorded, [`choices`] what a cut leaves open
//! and [`strategy`] what to look at; [`explore`] has an [`oracle`] look, which
//! in real life is [`examine`]. [`args`] become [`options`] become
//! [`commands`], which end in a [`report`].

pub mod abi;
pub mod args;
pub mod child;
pub mod choices;
pub mod commands;
pub mod count;
pub mod device;
pub mod examine;
pub mod exit;
pub mod explore;
pub mod faults;
pub mod fs;
pub mod garbage;
pub mod id;
pub mod keep;
pub mod kmsg;
pub mod lint;
pub mod members;
pub mod minimize;
pub mod mountpoint;
pub mod options;
pub mod oracle;
pub mod owner;
pub mod pool;
pub mod progress;
pub mod reads;
pub mod recording;
pub mod recovery;
pub mod report;
pub mod signals;
pub mod size;
pub mod strategy;
pub mod table;
pub mod tear;
pub mod writeback;
