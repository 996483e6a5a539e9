// SPDX-License-Identifier: GPL-2.0

//! A reason to stop exploring that comes from outside.

use thiserror::Error;

/// Why to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Interrupted {
    /// A signal asked to end, by its number.
    #[error("stopped by {}", name(*.0))]
    Signal(i32),
    /// The time for all of it is over.
    #[error("the deadline (--deadline) passed")]
    Deadline,
}

fn name(signal: i32) -> &'static str {
    match signal {
        1 => "SIGHUP",
        2 => "Ctrl-C (SIGINT)",
        15 => "SIGTERM",
        _ => "a signal",
    }
}

/// Tells whether to stop.
pub trait Stop {
    /// An error once somebody asked to stop.
    fn check(&self) -> Result<(), Interrupted>;
}

/// Nobody asks to stop.
#[derive(Debug, Clone, Copy)]
pub struct Never;

impl Stop for Never {
    fn check(&self) -> Result<(), Interrupted> {
        Ok(())
    }
}
