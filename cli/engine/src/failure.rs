// SPDX-License-Identifier: GPL-2.0

//! Sorts of violations: which of them fail in one way, and are shown as one.

use crate::oracle::{Finding, Kind};
use crate::shape::shape;

/// The way a state fails. Two that are equal are taken for the same bug: a report shows one of
/// them, and the search for a culprit goes from one to the other.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Failure {
    kind: Kind,
    how: String,
    output: String,
}

impl Failure {
    /// Of a violation: how it failed, and what was printed, unless that is a difference to what was
    /// held, which is another one at each moment.
    pub fn new(kind: Kind, how: &str, output: &str) -> Self {
        Self {
            kind,
            how: match status(how) {
                Some((status, rest)) => format!("{status}{}", shape(rest)),
                None => shape(how),
            },
            output: if kind.is_difference() {
                String::new()
            } else {
                shape(output)
            },
        }
    }
}

impl From<&Finding> for Failure {
    fn from(finding: &Finding) -> Self {
        Self::new(finding.kind, &finding.how, &finding.output)
    }
}

/// The status that a command ended with, and what follows it. Its number was chosen by whoever
/// wrote the check: it is not one of those that differ from run to run.
fn status(how: &str) -> Option<(&str, &str)> {
    let number = ["exit ", "killed by signal "]
        .iter()
        .find_map(|words| how.strip_prefix(words))?;
    let rest = number.trim_start_matches(|c: char| c.is_ascii_digit());
    Some(how.split_at(how.len() - rest.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(how: &str, output: &str) -> Failure {
        Failure::new(Kind::Check, how, output)
    }

    #[test]
    fn numbers_and_paths_make_no_new_sort() {
        let one = failure("no end within 60 s", "key 5 of /tmp/a is lost");
        assert_eq!(
            one,
            failure("no end within 0.5 s", "key 6 of /tmp/b is lost")
        );
    }

    #[test]
    fn the_kind_the_status_and_the_words_do() {
        let one = failure("exit 1", "lost");
        let others = [
            failure("exit 2", "lost"),
            failure("killed by signal 1", "lost"),
            failure("killed by signal 11", "lost"),
            failure("exit 1, once its recovery was cut", "lost"),
            failure("exit 1", "torn"),
            Failure::new(Kind::Fsck, "exit 1", "lost"),
        ];
        for (nr, other) in others.iter().enumerate() {
            assert_ne!(one, *other, "{other:?}");
            assert!(!others[..nr].contains(other), "{other:?}");
        }
    }

    #[test]
    fn a_difference_to_what_was_held_is_of_one_sort_at_each_moment() {
        let of = |kind, output| Failure::new(kind, "equal to no moment", output);
        assert_eq!(of(Kind::Mixture, "-a"), of(Kind::Mixture, "-b\n+c"));
        assert_ne!(of(Kind::Mixture, "-a"), of(Kind::Loss, "-a"));
        assert_ne!(of(Kind::Refusal, "bad header"), of(Kind::Refusal, "torn"));
    }
}
