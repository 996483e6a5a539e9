// SPDX-License-Identifier: GPL-2.0

//! Short programs of file operations, and what a power cut may leave of their files.
//!
//! A [`program::Program`] is made by number ([`bounded`]) or at random ([`random`]). [`execute`]
//! runs one and takes down what the filesystem holds after each operation: a [`trace::Trace`].
//! [`judge`] compares what is there after a crash with the trace, by the promises of a
//! [`level::Level`]. The rules are those of docs/oracles.md.

pub mod alike;
pub mod bounded;
pub mod data;
pub mod events;
pub mod execute;
pub mod history;
pub mod instances;
pub mod judge;
pub mod level;
pub mod mutate;
pub mod namespace;
pub mod op;
pub mod problem;
pub mod program;
pub mod random;
pub mod reduce;
pub mod render;
pub mod seeds;
pub mod trace;
pub mod tree;
mod uring;
pub mod usable;
pub mod walk;
