// SPDX-License-Identifier: GPL-2.0

//! What says whether a crash state is consistent.

use std::sync::Arc;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::reads::Reads;
use crate::recoveries::Recoveries;
use crate::strategy::State;

/// What became of a state under examination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    Consistent,
    /// The check could not tell.
    Skipped,
    Violation(Finding),
}

impl Verdict {
    /// Whether it says something else than another, whatever its words.
    pub fn is_other(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Violation(a), Self::Violation(b)) => (a.kind, &a.how) != (b.kind, &b.how),
            (a, b) => a != b,
        }
    }

    /// What had to be done once there was this verdict. A violation is one even if that failed: then
    /// there is none.
    pub fn outlives<T, E>(&self, then: Result<T, E>) -> Result<Option<T>, E> {
        match (then, self) {
            (Err(_), Self::Violation(_)) => Ok(None),
            (then, _) => then.map(Some),
        }
    }

    /// This one, or another of the same state if that is worse: a violation before what could not
    /// be told, and this before consistent.
    #[must_use]
    pub fn or_worse(self, other: &Self) -> Self {
        let badness = |verdict: &Self| match verdict {
            Self::Consistent => 0,
            Self::Skipped => 1,
            Self::Violation(_) => 2,
        };
        if badness(other) > badness(&self) {
            other.clone()
        } else {
            self
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub kind: Kind,
    /// How it failed: an exit status, an error of mount.
    pub how: String,
    /// What the command printed, or the kernel had to say.
    pub output: Arc<str>,
    /// The state within the recovery, if it was a cut of that which it did not
    /// survive.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub within: Option<String>,
}

impl Finding {
    pub fn new(kind: Kind, how: impl Into<String>, output: impl Into<Arc<str>>) -> Self {
        Self {
            kind,
            how: how.into(),
            output: output.into(),
            within: None,
        }
    }
}

/// Which step found a state inconsistent.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The check said so.
    Check,
    /// The check did not end in time.
    Timeout,
    /// The filesystem could not be mounted.
    Mount,
    /// The filesystem checker said so, before the mount.
    Fsck,
    /// What was observed is what was held before the newest acknowledgement.
    Loss,
    /// The same, and what was removed since then is back.
    Resurrection,
    /// What was observed is what was held later than the power was cut.
    Newer,
    /// What was observed was held at no moment.
    Mixture,
    /// The software could not be observed: it does not open what is there.
    Refusal,
}

impl Kind {
    /// Whether the check said so, or what takes its place.
    pub fn is_of_check(self) -> bool {
        !matches!(self, Self::Mount | Self::Fsck)
    }

    /// Whether what was observed differs from what may have been held. What differs is another thing at
    /// each moment, the bug is the same.
    pub fn is_difference(self) -> bool {
        matches!(
            self,
            Self::Loss | Self::Resurrection | Self::Newer | Self::Mixture
        )
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Check => "check failed",
            Self::Timeout => "check did not end",
            Self::Mount => "mount failed",
            Self::Fsck => "fsck failed",
            Self::Loss => "loss",
            Self::Resurrection => "resurrection",
            Self::Newer => "newer than can be",
            Self::Mixture => "mixture",
            Self::Refusal => "refusal",
        })
    }
}

/// Brings a state about and examines it.
pub trait Oracle {
    fn examine(&mut self, state: &State<'_>) -> Result<Verdict>;

    /// What became of the recovery of the newest state, if that was cut.
    fn recoveries(&mut self) -> Option<Recoveries> {
        None
    }

    /// What the newest examination read of the state; none if that is not known.
    fn reads(&mut self) -> Result<Option<Reads>> {
        Ok(None)
    }
}
