// SPDX-License-Identifier: GPL-2.0

//! The pure half of `powercut`: what a recorded disk may hold after a power
//! failure, which of these states to examine, and what their verdicts say.
//! It knows no device, no process and no command line.
//!
//! From the bottom up: [`abi`] is the format of a record, [`recording`] holds
//! one, [`choices`] what a cut leaves open, [`strategy`] what to look at;
//! [`explore`] has states examined and keeps account; [`minimize`] looks for
//! the culprit of one that failed; [`lint`] looks at the log alone; [`log_writes`]
//! makes records of other tools' logs, and such logs of records.
//!
//! # Words
//!
//! - A *cut* is a power failure after an event; a *span*, the cuts of which the last stands for all.
//! - A *piece* is the part of a pending write that lies in one unit; *choices* are what a cut leaves open.
//! - A *state* is a cut and the pieces kept; an *image*, the content that this leaves, by its hash.
//! - A *space* is a recording and the cuts worth a look; a *strategy*, an order of states to look at.
//! - A *check* is what says whether a state is consistent; an *oracle* has a state examined by it.
//! - A *verdict* is what it says; a *run*, one examination; what it *reads* is what its verdict rests on.
//! - A *partition* takes the states of a cut apart by what is read; a *leaf* is a part that one run speaks for.
//! - A *worklist* holds the parts left; a *candidate* is a state that is up for a verdict.
//! - A *shard* is one of several explorations that share a plan; a *rank*, a state's place in all of them.
//! - A *failure* is a sort of violations; a *culprit*, the smallest difference from a state that passes.
//!
//! # What is assumed of a check
//!
//! 1. It is deterministic: shown the same disk and the same marks, it reads and says the same.
//! 2. It depends on nothing but the disk and the marks.
//!
//! On this rests that a run speaks for every state with the same marks that agrees with its own in
//! what it read. No more is assumed: above all, a check may pass with more marks where it failed with
//! fewer, unless the plan says [`marks::Marks::Monotone`].
//!
//! A check that breaks these rules is noticed: every so many runs one is repeated, and the first violation of each
//! failure; and a run must read the unit in which alone it differs from an earlier one that read it.
//! Of two verdicts on a state the worse one counts, by all that was read either time, and nothing is
//! claimed of all states any more ([`explore::Outcome::all`]).

pub mod abi;
pub mod acknowledged;
pub mod budget;
pub mod choices;
pub mod count;
mod event_queue;
pub mod explore;
pub mod failure;
pub mod faults;
pub mod garbage;
pub mod id;
pub mod keep;
pub mod lint;
pub mod log_writes;
#[cfg(any(test, feature = "testing"))]
pub mod made_up;
pub mod marks;
pub mod members;
pub mod minimize;
pub mod oracle;
pub mod rate;
pub mod reads;
pub mod recording;
pub mod recoveries;
mod shape;
pub mod stop;
pub mod strategy;
mod sweep;
pub mod tear;
pub mod truths;
