// SPDX-License-Identifier: GPL-2.0

//! Acknowledgements that came before the writes that precede them were stable.
//!
//! One sweep over the log: a write enters at its submit and leaves once it is stable, and of those
//! between only sums are kept.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use powercut_model::Event;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::stability::Stability;
use crate::acknowledged::Acknowledged;
use crate::recording::{Mark, Recording};

/// An acknowledgement that came too early.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AtRisk {
    pub mark: Acknowledged,
    #[serde(default)]
    pub risk: Risk,
    /// Writes complete or in flight by then that no flush or FUA covered.
    pub writes: u64,
    pub bytes: u64,
    /// Those since the mark before.
    pub own_writes: u64,
    /// The tasks that wrote them, 16 at most.
    pub tasks: Vec<String>,
    /// The first of them.
    pub first_write: Event,
    /// When the last of them was stable; none: never in this log.
    pub safe_at: Option<Event>,
    /// Milliseconds from the mark to then, or to the end of the log.
    pub ms: f64,
}

/// What kind of risk it is, the worst first.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Risk {
    /// Of what was written since the mark before, something never became stable in this log.
    #[default]
    Never,
    /// What was written since the mark before was stable only later.
    Late,
    /// Only what is older than the mark before was not stable.
    Older,
}

/// Tasks named of each.
const TASKS: usize = 16;

/// The acknowledgements at risk, and those that had no write since the one before.
pub fn promises(recording: &Recording, stability: &Stability) -> (Vec<AtRisk>, Vec<Acknowledged>) {
    let (mut at_risk, mut silent) = (Vec::new(), Vec::new());
    let entries = recording.entries();
    let submitted = entries.iter().map(|r| r.submitted_ns());
    let end = submitted.max().unwrap_or(0);
    let mut open = Open::new(recording, stability);
    let mut at = 0;
    for mark in recording.marks() {
        let mut has_writes = false;
        while at < entries.len() && entries[at].submit() < mark.event {
            if entries[at].is_write() {
                open.enter(at);
                has_writes = true;
            }
            at += 1;
        }
        open.leave_by(mark.event);
        if !has_writes {
            silent.push(mark.into());
        }
        let time = entries.get(at).map_or(end, |r| r.submitted_ns());
        at_risk.extend(open.risk(mark, (time, end)));
        open.begin_next(mark.event);
    }
    (at_risk, silent)
}

/// Sums over some writes.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    writes: u64,
    /// Of the writes, those that are never stable.
    never: u64,
}

impl Sums {
    fn add(&mut self, is_never: bool) {
        self.writes += 1;
        self.never += u64::from(is_never);
    }
}

/// The writes that are not stable yet.
struct Open<'r> {
    recording: &'r Recording,
    stability: &'r Stability,
    all: Sums,
    /// Those since the newest mark.
    own: Sums,
    bytes: u64,
    tasks: BTreeMap<&'r str, u64>,
    /// Those that will be stable, by when.
    leaving: BinaryHeap<Reverse<(Event, usize)>>,
    /// When the last of these is stable, and its time. None leaves later.
    last: Option<(Event, u64)>,
    /// In the order of their submits; those at the front may have left.
    order: VecDeque<usize>,
    newest_mark: Event,
}

impl<'r> Open<'r> {
    fn new(recording: &'r Recording, stability: &'r Stability) -> Self {
        Self {
            recording,
            stability,
            all: Sums::default(),
            own: Sums::default(),
            bytes: 0,
            tasks: BTreeMap::new(),
            leaving: BinaryHeap::new(),
            last: None,
            order: VecDeque::new(),
            newest_mark: 0,
        }
    }

    fn enter(&mut self, index: usize) {
        let recorded = &self.recording.entries()[index];
        let stable = self.stability.stable(index);
        self.all.add(stable.is_none());
        self.own.add(stable.is_none());
        self.bytes += recorded.bytes();
        let task = self.recording.task(recorded);
        *self.tasks.entry(task).or_default() += 1;
        self.order.push_back(index);
        if let Some((event, _)) = stable {
            self.leaving.push(Reverse((event, index)));
            self.last = self.last.max(stable);
        }
    }

    /// Those that are stable by then leave.
    fn leave_by(&mut self, event: Event) {
        while let Some(Reverse((stable, index))) = self.leaving.peek().copied() {
            if stable > event {
                break;
            }
            self.leaving.pop();
            let recorded = &self.recording.entries()[index];
            self.all.writes -= 1;
            if recorded.submit() > self.newest_mark {
                self.own.writes -= 1;
            }
            self.bytes -= recorded.bytes();
            let task = self.recording.task(recorded);
            if let Some(n) = self.tasks.get_mut(task) {
                *n -= 1;
                if *n == 0 {
                    self.tasks.remove(task);
                }
            }
        }
        let gone = |index: &usize| self.stability.is_stable(*index, event);
        while self.order.front().is_some_and(gone) {
            self.order.pop_front();
        }
    }

    /// A mark came: what is written from now on is another's own.
    fn begin_next(&mut self, mark: Event) {
        self.own = Sums::default();
        self.newest_mark = mark;
    }

    /// `times`: of the mark and of the log's end, in nanoseconds.
    fn risk(&self, mark: &Mark, times: (u64, u64)) -> Option<AtRisk> {
        let first = *self.order.front()?;
        let safe = self.last.filter(|_| self.all.never == 0);
        let until = safe.map_or(times.1, |(_, ns)| ns);
        Some(AtRisk {
            mark: mark.into(),
            risk: match self.own {
                Sums { writes: 0, .. } => Risk::Older,
                Sums { never: 0, .. } => Risk::Late,
                _ => Risk::Never,
            },
            writes: self.all.writes,
            bytes: self.bytes,
            own_writes: self.own.writes,
            tasks: self
                .tasks
                .keys()
                .take(TASKS)
                .map(|t| t.to_string())
                .collect(),
            first_write: self.recording.entries()[first].submit(),
            safe_at: safe.map(|(event, _)| event),
            ms: until.saturating_sub(times.0) as f64 / 1e6,
        })
    }
}
