// SPDX-License-Identifier: GPL-2.0

//! How the command ends: the one table of exit statuses.

use std::process::ExitCode;

use crate::output::say;
use crate::signals::Interrupted;

/// Each status, and what it says: for `--help`, the man page and docs/exit-status.md.
pub const STATUSES: [(&str, &str); 4] = [
    (
        "0",
        "something was judged and all of it is consistent; of a command that judges nothing, it is \
         done",
    ),
    (
        "1",
        "a violation was found, whatever else went wrong",
    ),
    (
        "2",
        "nothing could be found out, or not as asked: the check could not judge any state, the \
         exploration did not end, a report could not be written, an error of usage or set-up",
    ),
    ("128+N", "ended by signal N, with no violation found"),
];

/// The table for `--help`.
pub fn help() -> String {
    let row = |(status, what): &(&str, &str)| format!("\n  {status:<6} {what}");
    format!(
        "Exit status:{}",
        STATUSES.iter().map(row).collect::<String>()
    )
}

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    NoViolation,
    Violation,
    /// It could not be found out, or not as asked; why has been said.
    Undecided,
    Interrupted(Interrupted),
}

impl Exit {
    pub(crate) fn status(self) -> u8 {
        match self {
            Self::NoViolation => 0,
            Self::Violation => 1,
            Self::Undecided => 2,
            Self::Interrupted(Interrupted::Signal(signal)) => {
                u8::try_from(128 + signal).unwrap_or(2)
            }
            Self::Interrupted(Interrupted::Deadline) => 2,
        }
    }

    /// For an error; says which.
    pub fn of_error(error: &anyhow::Error) -> Self {
        say(format_args!("{error:#}"));
        let signal = error.chain().find_map(|c| c.downcast_ref::<Interrupted>());
        signal.map_or(Self::Undecided, |signal| Self::Interrupted(*signal))
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.status())
    }
}

/// The status for a result; says the error if it is one.
pub fn status(result: anyhow::Result<Exit>) -> ExitCode {
    result.unwrap_or_else(|error| Exit::of_error(&error)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_end_has_its_status() {
        let interrupted = || anyhow::Error::from(Interrupted::Signal(15)).context("while it ran");
        for (exit, status) in [
            (Exit::NoViolation, 0),
            (Exit::Violation, 1),
            (Exit::Undecided, 2),
            (Exit::Interrupted(Interrupted::Signal(2)), 130),
            (Exit::Interrupted(Interrupted::Deadline), 2),
            (Exit::of_error(&interrupted()), 143),
            (Exit::of_error(&anyhow::anyhow!("no disk")), 2),
        ] {
            assert_eq!(exit.status(), status, "{exit:?}");
        }
    }

    #[test]
    fn the_table_is_the_documented_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/exit-status.md");
        let text = std::fs::read_to_string(path).unwrap();
        for (status, what) in STATUSES {
            let row = format!("| {status} | {what} |");
            assert!(text.contains(&row), "{path} lacks {row:?}");
        }
    }
}
