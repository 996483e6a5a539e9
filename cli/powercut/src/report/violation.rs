// SPDX-License-Identifier: GPL-2.0

//! A violation in a report.

use std::sync::Arc;

use powercut_engine::choices::Choices;
use powercut_engine::explore::{self, Again, Rank};
use powercut_engine::oracle::Kind;
use powercut_model::Event;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::culprit::Culprit;
use super::fate::{fates, Write};
use crate::words::floor_char_boundary;

/// Bytes kept of each end of what was printed, of all but the first of a sort.
const END: usize = 1024;

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Violation {
    /// Its number in the report, from 1: `replay` and `minimize` take it.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub number: u64,
    /// The number of its sort, from 1: those of one sort fail in the same way.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub sort: u64,
    /// If recovery was cut, that of the state before it, `/`, that within it.
    pub id: String,
    pub cut: Event,
    pub kind: Kind,
    /// How it failed: `exit 1`, or mount's error.
    pub how: String,
    /// What was printed; of all but the first of each sort, no more than its ends.
    #[schemars(with = "String")]
    #[serde(with = "shared")]
    pub output: Arc<str>,
    /// Bytes of it that are left out.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub output_left_out: u64,
    /// Marks at or before the cut.
    pub marks: u64,
    /// The newest of them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_mark: Option<String>,
    /// Pending writes that survived, in part or as a whole; and that did not, or cost their
    /// neighbours (rule R7, tear=rmw).
    #[serde(default)]
    pub kept_writes: u64,
    #[serde(default)]
    pub lost_writes: u64,
    /// These writes: of the first violation of each sort. `replay` lists those of the others.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub kept: Option<Vec<Write>>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lost: Option<Vec<Write>>,
    /// Of the first violation of each sort, what a second examination showed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub again: Option<Again>,
    /// What `minimize` found.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub culprit: Option<Culprit>,
    /// The hash of the image, in hexadecimal: equal for equal images.
    #[serde(default)]
    pub image: String,
    /// Its place in the order of the whole exploration, over all shards.
    #[serde(default)]
    #[schemars(with = "[u64; 3]")]
    pub rank: Rank,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// Text that several violations may share.
mod shared {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(text: &Arc<str>, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(text)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Arc<str>, D::Error> {
        String::deserialize(from).map(Arc::from)
    }
}

impl Violation {
    /// With all that is known; a [`super::Register`] gives it its number and its sort.
    pub fn of(choices: &Choices<'_>, found: &explore::Violation) -> Self {
        let (kept, lost) = fates(choices, &found.keep);
        let marks = choices.recording().marks_by(choices.event());
        Self {
            number: 0,
            sort: 0,
            id: match &found.finding.within {
                Some(within) => format!("{}/{within}", found.id),
                None => found.id.to_string(),
            },
            cut: choices.event(),
            kind: found.finding.kind,
            how: found.finding.how.clone(),
            output: Arc::clone(&found.finding.output),
            output_left_out: 0,
            marks: marks.len() as u64,
            last_mark: marks.last().map(|m| m.text.to_string()),
            kept_writes: kept.len() as u64,
            lost_writes: lost.len() as u64,
            kept: Some(kept),
            lost: Some(lost),
            again: found.again,
            culprit: None,
            image: format!("{:032x}", found.image),
            rank: found.rank,
        }
    }

    /// Leaves out what can be had from the recording, and what is long.
    pub fn shorten(&mut self) {
        self.kept = None;
        self.lost = None;
        let length = self.output.len();
        // What takes its place has a length, too.
        if length > 3 * END {
            let head = floor_char_boundary(&self.output, END);
            let tail = floor_char_boundary(&self.output, length - END);
            let left_out = tail - head;
            let (head, tail) = (&self.output[..head], &self.output[tail..]);
            self.output_left_out = left_out as u64;
            self.output = format!("{head}\n[{left_out} bytes left out]\n{tail}").into();
        }
    }

    /// The line of what was printed that tells most: the last.
    pub fn says(&self) -> Option<&str> {
        let line = self.output.trim().lines().last().map(str::trim);
        line.filter(|line| !line.is_empty())
    }
}
