// SPDX-License-Identifier: GPL-2.0

//! The model on trial: against a device that was written without it, against itself, and against
//! the behaviours that people know by name.

mod behaviours;
mod contents;
mod device;
mod drive;
mod faults;
mod groups;
mod histories;
mod log;
mod ordered;
mod prefixes;
mod random;
mod reference;
mod rmw;
mod rules;
mod selections;
mod span;
mod walk;
