// SPDX-License-Identifier: GPL-2.0

//! The pure half of `powercut`: what a recorded disk may hold after a power
//! failure, which of these states to examine, and what their verdicts say.
//! It knows no device, no process and no command line.
//!
//! From the bottom up: [`abi`] is the format of a record, [`recording`] holds
//! one, [`choices`] what a cut leaves open, [`strategy`] what to look at;
//! [`explore`] has states examined and keeps account; [`minimize`] looks for
//! the culprit of one that failed; [`lint`] looks at the log alone.

pub mod abi;
pub mod acknowledged;
pub mod budget;
pub mod choices;
pub mod count;
pub mod explore;
pub mod failure;
pub mod faults;
pub mod garbage;
pub mod id;
pub mod keep;
pub mod lint;
pub mod marks;
pub mod members;
pub mod minimize;
pub mod oracle;
pub mod reads;
pub mod recording;
mod shape;
pub mod stop;
pub mod strategy;
pub mod tear;
