// SPDX-License-Identifier: GPL-2.0

//! What a case comes to, held against what was expected of it.

use serde::Serialize;

use super::Expect;
use crate::exit::Exit;
use crate::signals::Interrupted;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    AsExpected,
    /// Violations where none were expected, or none where they were.
    Failed,
    /// It could not be found out, or not as asked.
    Undecided,
}

impl Outcome {
    /// Of the exit status that the case alone would have.
    pub fn of(expect: Expect, exit: Exit) -> Self {
        match (exit, expect) {
            (Exit::NoViolation, Expect::Clean) | (Exit::Violation, Expect::Violations) => {
                Self::AsExpected
            }
            (Exit::NoViolation, Expect::Violations) | (Exit::Violation, Expect::Clean) => {
                Self::Failed
            }
            (Exit::Undecided | Exit::Interrupted(_), _) => Self::Undecided,
        }
    }

    /// For the table.
    pub fn told(self, expect: Expect) -> &'static str {
        match (self, expect) {
            (Self::AsExpected, Expect::Clean) => "clean",
            (Self::AsExpected, Expect::Violations) => "violations, as expected",
            (Self::Failed, Expect::Clean) => "FAILED: violations",
            (Self::Failed, Expect::Violations) => {
                "FAILED: violations were expected, none was found"
            }
            (Self::Undecided, _) => "COULD NOT BE FOUND OUT",
        }
    }
}

/// The exit status of all cases, and of the signal that ended them, if one did.
pub fn exit(outcomes: impl IntoIterator<Item = Outcome>, signal: Option<Interrupted>) -> Exit {
    let outcomes: Vec<Outcome> = outcomes.into_iter().collect();
    match (outcomes.contains(&Outcome::Failed), signal) {
        (true, _) => Exit::Violation,
        (false, Some(signal)) => Exit::Interrupted(signal),
        (false, None) if outcomes.contains(&Outcome::Undecided) => Exit::Undecided,
        (false, None) => Exit::NoViolation,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNAL: Interrupted = Interrupted::Signal(2);

    #[test]
    fn a_control_has_to_be_found() {
        for (exit, clean, control) in [
            (Exit::NoViolation, Outcome::AsExpected, Outcome::Failed),
            (Exit::Violation, Outcome::Failed, Outcome::AsExpected),
            (Exit::Undecided, Outcome::Undecided, Outcome::Undecided),
            (
                Exit::Interrupted(SIGNAL),
                Outcome::Undecided,
                Outcome::Undecided,
            ),
        ] {
            assert_eq!(Outcome::of(Expect::Clean, exit), clean, "{exit:?}");
            assert_eq!(Outcome::of(Expect::Violations, exit), control, "{exit:?}");
        }
    }

    #[test]
    fn what_failed_goes_before_what_could_not_be_found_out() {
        use Outcome::{AsExpected, Failed, Undecided};
        for (outcomes, signal, status) in [
            (vec![AsExpected, AsExpected], None, Exit::NoViolation),
            (vec![AsExpected, Undecided], None, Exit::Undecided),
            (vec![Undecided, Failed], None, Exit::Violation),
            (vec![Failed], Some(SIGNAL), Exit::Violation),
            (vec![AsExpected], Some(SIGNAL), Exit::Interrupted(SIGNAL)),
        ] {
            assert_eq!(exit(outcomes.clone(), signal), status, "{outcomes:?}");
        }
    }
}
