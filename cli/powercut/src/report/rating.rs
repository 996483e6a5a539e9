// SPDX-License-Identifier: GPL-2.0

//! What `rate` prints: docs/rate.md describes it for those who read it with a program.

use powercut_engine::oracle::Kind;
use powercut_engine::rate::Promise;
use powercut_model::Event;
use serde::Serialize;

use super::model::Record;
use crate::examination::Examination;

/// The number of the schema.
pub const RATING_SCHEMA: u32 = 1;

#[derive(Debug, Serialize)]
pub struct Rating {
    pub schema: u32,
    /// The command's version.
    pub powercut: String,
    pub record: Record,
    pub examination: Examination,
    pub counts: Counts,
    /// In the order of the record.
    pub guarantees: Vec<Rated>,
    /// What went wrong beside.
    pub errors: Vec<String>,
    pub seconds: f64,
}

/// How many guarantees have each outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub watched: u64,
    pub unwatched: u64,
    pub unread: u64,
    pub idle: u64,
    pub broken: u64,
    pub untold: u64,
    pub not_rated: u64,
}

/// What the check makes of states that a guarantee alone forbids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Watch {
    /// It fails in one.
    Watched,
    /// It passes in those that were looked at.
    Unwatched,
    /// It passes, and read nothing of what was lost in any of them.
    Unread,
    /// There is none: nothing would be lost without the guarantee, or it would not show.
    Idle,
    /// It fails in one, and with what was lost as well: in a legal state.
    Broken,
    /// It could not tell.
    Untold,
    /// It was not looked at.
    NotRated,
}

impl Watch {
    pub const ALL: [Self; 7] = [
        Self::Broken,
        Self::Watched,
        Self::Unwatched,
        Self::Unread,
        Self::Idle,
        Self::Untold,
        Self::NotRated,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Watched => "watched",
            Self::Unwatched => "unwatched",
            Self::Unread => "unread",
            Self::Idle => "idle",
            Self::Broken => "broken",
            Self::Untold => "untold",
            Self::NotRated => "not rated",
        }
    }
}

/// A guarantee, and what became of it.
#[derive(Debug, Clone, Serialize)]
pub struct Rated {
    /// The event at which it, or the write that it comes with, was submitted.
    pub event: Event,
    pub what: Promise,
    /// Who submitted it.
    pub task: String,
    /// The writes that it protects.
    pub writes: u64,
    pub bytes: u64,
    /// Whose these are, as far as that is known.
    pub owners: Vec<String>,
    pub outcome: Watch,
    /// States looked at.
    pub states: u64,
    /// Where the check failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noticed: Option<Noticed>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Noticed {
    /// Of a state of the record without guarantees, which is in the report's directory.
    pub id: String,
    pub kind: Kind,
    pub how: String,
    pub output: String,
}

impl Counts {
    pub fn of(rated: &[Rated]) -> Self {
        let mut counts = Self::default();
        for one in rated {
            *counts.of_outcome(one.outcome) += 1;
        }
        counts
    }

    fn of_outcome(&mut self, outcome: Watch) -> &mut u64 {
        match outcome {
            Watch::Watched => &mut self.watched,
            Watch::Unwatched => &mut self.unwatched,
            Watch::Unread => &mut self.unread,
            Watch::Idle => &mut self.idle,
            Watch::Broken => &mut self.broken,
            Watch::Untold => &mut self.untold,
            Watch::NotRated => &mut self.not_rated,
        }
    }
}
