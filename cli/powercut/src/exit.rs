// SPDX-License-Identifier: GPL-2.0

//! How the command ends.

use std::io;
use std::process::ExitCode;

use crate::signals::Interrupted;

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    NoViolation,
    Violation,
    Interrupted(Interrupted),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::NoViolation => Self::SUCCESS,
            Exit::Violation => Self::from(1),
            Exit::Interrupted(signal) => Self::from(signal_status(signal)),
        }
    }
}

fn signal_status(Interrupted(signal): Interrupted) -> u8 {
    u8::try_from(128 + signal).unwrap_or(130)
}

/// The status for a result; prints the error if it is one to print.
pub fn status(result: anyhow::Result<Exit>) -> ExitCode {
    let error = match result {
        Ok(exit) => return exit.into(),
        Err(error) => error,
    };
    // `powercut log NAME | head` has read enough: nothing is wrong.
    let quiet = |cause: &(dyn std::error::Error + 'static)| {
        let io = cause.downcast_ref::<io::Error>();
        io.is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
    };
    if error.chain().any(quiet) {
        return ExitCode::SUCCESS;
    }
    eprintln!("powercut: {error:#}");
    let signal = error.chain().find_map(|c| c.downcast_ref::<Interrupted>());
    match signal {
        Some(signal) => signal_status(*signal).into(),
        None => ExitCode::from(2),
    }
}
