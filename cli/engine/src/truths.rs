// SPDX-License-Identifier: GPL-2.0

//! What software held at the moments of a workload, and what it may hold after a power cut.
//!
//! A moment is a line that the workload wrote to its mark file, and the two ends of the workload. One
//! operation lies between a moment and the next. So after a cut with `n` marks the software holds what
//! it held at mark `n`, or what it held at mark `n + 1`, if the operation in flight was as good as done:
//! one of them as a whole.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::oracle::Kind;

/// One moment of a workload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Moment {
    /// Marks in the record from then on.
    pub marks: u64,
    /// The text of the newest of them; empty at the two ends of the workload.
    pub mark: String,
    /// Which of the texts was observed.
    pub text: usize,
}

/// What was observed, moment by moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Read")]
#[schemars(!try_from)]
pub struct Truths {
    /// The different ones.
    texts: Vec<String>,
    /// Before the workload, at each of its marks, and at its end.
    moments: Vec<Moment>,
}

/// As it was read, from a report that may hold anything.
#[derive(Deserialize)]
struct Read {
    texts: Vec<String>,
    moments: Vec<Moment>,
}

#[derive(Debug, Error, PartialEq, Eq)]
#[error("what was observed at the moments of the workload is not in their order, or not complete")]
pub struct Disorder;

/// What an observation is, if it may not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Loss, resurrection, newer or mixture.
    pub kind: Kind,
    /// The moment that it equals, if it does.
    pub equals: Option<usize>,
    /// The moment of the newest acknowledgement.
    pub acknowledged: usize,
}

impl TryFrom<Read> for Truths {
    type Error = Disorder;

    fn try_from(read: Read) -> Result<Self, Disorder> {
        let Read { texts, moments } = read;
        let (Some(first), Some(last)) = (moments.first(), moments.last()) else {
            return Err(Disorder);
        };
        let at_marks = moments.get(..moments.len() - 1).unwrap_or_default();
        let grows = at_marks.windows(2).all(|two| two[0].marks < two[1].marks);
        let ends = first.marks == 0 && at_marks.last().is_some_and(|m| m.marks == last.marks);
        let has_texts = moments.iter().all(|m| m.text < texts.len());
        if moments.len() >= 2 && grows && ends && has_texts {
            Ok(Self { texts, moments })
        } else {
            Err(Disorder)
        }
    }
}

impl Truths {
    /// Of moments in their order, each with its marks, the text of the newest, and what was observed.
    pub fn new(
        observed: impl IntoIterator<Item = (u64, String, String)>,
    ) -> Result<Self, Disorder> {
        let mut texts: Vec<String> = Vec::new();
        let mut known: HashMap<String, usize> = HashMap::new();
        let mut moments = Vec::new();
        for (marks, mark, text) in observed {
            let text = *known.entry(text).or_insert_with_key(|text| {
                texts.push(text.clone());
                texts.len() - 1
            });
            moments.push(Moment { marks, mark, text });
        }
        Read { texts, moments }.try_into()
    }

    /// How many moments there are.
    pub fn moments(&self) -> usize {
        self.moments.len()
    }

    /// How many different texts were observed.
    pub fn different(&self) -> usize {
        self.texts.len()
    }

    /// What was observed at a moment.
    pub fn text(&self, moment: usize) -> &str {
        let text = self
            .moments
            .get(moment)
            .and_then(|m| self.texts.get(m.text));
        text.map_or("", String::as_str)
    }

    /// What to call a moment.
    pub fn name(&self, moment: usize) -> String {
        match self.moments.get(moment) {
            Some(m) if moment > 0 && moment + 1 < self.moments.len() => {
                format!("mark {} {:?}", m.marks, m.mark)
            }
            _ if moment == 0 => "the start of the workload".into(),
            _ => "the end of the workload".into(),
        }
    }

    /// The moments after whose mark the same was observed as at the one before.
    pub fn unchanged(&self) -> Vec<usize> {
        let marks = 1..self.moments.len().saturating_sub(1);
        let same = |at: &usize| self.text(*at) == self.text(at - 1);
        marks.filter(same).collect()
    }

    /// The moment from which on there are so many marks.
    fn of_mark(&self, marks: u64) -> usize {
        let last = self.moments.len() - 1;
        // Marks that were written at once are of one moment.
        let before = self.moments[..last].partition_point(|m| m.marks < marks);
        before.min(last)
    }

    /// The moments that may be found when the power is cut with so many marks in the record.
    pub fn allowed(&self, marks: u64) -> RangeInclusive<usize> {
        self.of_mark(marks)..=self.of_mark(marks.saturating_add(1))
    }

    /// What an observation is, of a disk whose power was cut with so many marks in the record. None if
    /// it may be.
    pub fn difference(&self, marks: u64, observed: &str) -> Option<Difference> {
        let allowed = self.allowed(marks);
        let (first, last) = (*allowed.start(), *allowed.end());
        let is = |at: &usize| self.text(*at) == observed;
        if allowed.clone().any(|at| is(&at)) {
            return None;
        }
        let older = (0..first).rev().find(is);
        let newer = (last + 1..self.moments.len()).find(is);
        let kind = match (older, newer) {
            (Some(_), _) if lacks_nothing(observed, self.text(first)) => Kind::Resurrection,
            (Some(_), _) => Kind::Loss,
            (None, Some(_)) => Kind::Newer,
            (None, None) => Kind::Mixture,
        };
        Some(Difference {
            kind,
            equals: older.or(newer),
            acknowledged: first,
        })
    }
}

/// Whether each line is in a text as often as in another.
fn lacks_nothing(text: &str, of: &str) -> bool {
    let mut lines: HashMap<&str, usize> = HashMap::new();
    for line in text.lines() {
        *lines.entry(line).or_default() += 1;
    }
    of.lines().all(|line| match lines.get_mut(line) {
        Some(left @ 1..) => {
            *left -= 1;
            true
        }
        _ => false,
    })
}

#[cfg(test)]
mod tests;
