// SPDX-License-Identifier: GPL-2.0

//! The guarantees of a record, and the writes that each protects.

use powercut_model::{Event, History};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::abi::{EntryOp, IN_FLIGHT};
use crate::recording::Recording;

/// What a guarantee is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "UPPERCASE")]
pub enum Promise {
    /// A flush.
    Flush,
    /// The flush before the data of a write.
    Preflush,
    /// The write itself is stable once it is complete.
    Fua,
}

impl Promise {
    pub fn name(self) -> &'static str {
        match self {
            Self::Flush => "FLUSH",
            Self::Preflush => "PREFLUSH",
            Self::Fua => "FUA",
        }
    }
}

/// A write that would not have been stable yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Protected {
    /// Its entry.
    pub index: usize,
    /// The event at which something else makes it stable; [`IN_FLIGHT`] if nothing does.
    pub until: Event,
}

/// What made writes stable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guarantee {
    /// The entry that it is, or is a part of.
    pub index: usize,
    pub promise: Promise,
    /// The event from which on it holds.
    pub from: Event,
    /// What nothing else had made stable by then, in the order of the log.
    pub protects: Vec<Protected>,
}

/// A flush that is complete.
#[derive(Debug, Clone, Copy)]
struct Flush {
    submit: Event,
    done: Event,
    guarantee: usize,
}

/// The two of some flushes that complete first.
#[derive(Debug, Clone, Copy, Default)]
struct First {
    flush: Option<Flush>,
    next: Option<Flush>,
}

impl First {
    fn with(self, flush: Flush) -> Self {
        let is_before = |other: Option<Flush>| other.is_none_or(|other| flush.done < other.done);
        if is_before(self.flush) {
            Self {
                flush: Some(flush),
                next: self.flush,
            }
        } else if is_before(self.next) {
            Self {
                next: Some(flush),
                ..self
            }
        } else {
            self
        }
    }
}

/// All guarantees of a record, in the order of its log. A disk without a write cache has none: it needs none.
pub fn guarantees(recording: &Recording) -> Vec<Guarantee> {
    if !recording.geometry().write_cache {
        return Vec::new();
    }
    let members = recording.geometry().members;
    let mut found = Vec::new();
    let mut fuas = vec![None; recording.entries().len()];
    let mut flushes: Vec<Vec<Flush>> = vec![Vec::new(); members.count()];
    for (index, recorded) in recording.entries().iter().enumerate() {
        let mut add = |promise, from| {
            found.push(Guarantee {
                index,
                promise,
                from,
                protects: Vec::new(),
            });
            found.len() - 1
        };
        let done = recorded.flush_complete();
        if let Some(done) = done.filter(|done| *done != IN_FLIGHT) {
            let promise = if recorded.op() == EntryOp::Flush {
                Promise::Flush
            } else {
                Promise::Preflush
            };
            flushes[members.of(recorded.sector())].push(Flush {
                submit: recorded.submit(),
                done,
                guarantee: add(promise, done),
            });
        }
        let entry = recorded.entry();
        if entry.fua && entry.complete != IN_FLIGHT {
            fuas[index] = Some(add(Promise::Fua, entry.complete));
        }
    }
    // Of the flushes from each on.
    let first: Vec<Vec<First>> = flushes.iter().map(|flushes| suffixes(flushes)).collect();
    for (index, recorded) in recording.entries().iter().enumerate() {
        let entry = recorded.entry();
        if !entry.is_write() || entry.complete == IN_FLIGHT {
            continue;
        }
        let member = members.of(entry.sector);
        let from = flushes[member].partition_point(|flush| flush.submit < entry.complete);
        let first = first[member].get(from).copied().unwrap_or_default();
        // A FUA is complete before any flush that covers it was submitted.
        let (guarantee, other) = match (fuas[index], first.flush) {
            (Some(fua), flush) => (fua, flush),
            (None, Some(flush)) => (flush.guarantee, first.next),
            (None, None) => continue,
        };
        found[guarantee].protects.push(Protected {
            index,
            until: other.map_or(IN_FLIGHT, |flush| flush.done),
        });
    }
    found
}

/// Of each position, the first two to complete from there on.
fn suffixes(flushes: &[Flush]) -> Vec<First> {
    let mut first = First::default();
    let mut all: Vec<First> = flushes
        .iter()
        .rev()
        .map(|flush| {
            first = first.with(*flush);
            first
        })
        .collect();
    all.reverse();
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::Flags;
    use crate::recording::testing::History as Log;

    /// What a guarantee is and its writes, by entry, with the event until which they need it.
    type Told = (&'static str, Vec<(usize, Option<Event>)>);

    fn told(log: Log) -> Vec<Told> {
        let told = |guarantee: Guarantee| {
            let writes = guarantee.protects.iter();
            let until = |until| (until != IN_FLIGHT).then_some(until);
            (
                guarantee.promise.name(),
                writes.map(|w| (w.index, until(w.until))).collect(),
            )
        };
        guarantees(&log.done()).into_iter().map(told).collect()
    }

    #[test]
    fn a_flush_protects_what_no_other_covers_until_the_next_one() {
        let log = Log::new().write(0, "a").flush().write(1, "b").flush();
        assert_eq!(
            told(log),
            [("FLUSH", vec![(0, Some(8))]), ("FLUSH", vec![(2, None)])]
        );
        assert_eq!(told(Log::new().flush()), [("FLUSH", vec![])]);
    }

    #[test]
    fn a_fua_protects_its_own_write_and_its_flush_those_before() {
        let flags = Flags::PREFLUSH | Flags::FUA;
        let commit = Log::new()
            .write(0, "a")
            .bio(EntryOp::Write, flags, 1, &["b"]);
        let both = [("PREFLUSH", vec![(0, None)]), ("FUA", vec![(1, None)])];
        assert_eq!(told(commit.clone()), both);
        let both = [
            ("PREFLUSH", vec![(0, Some(7))]),
            ("FUA", vec![(1, Some(7))]),
            ("FLUSH", vec![]),
        ];
        assert_eq!(told(commit.flush()), both);
    }

    #[test]
    fn there_are_none_without_a_cache_and_a_disk_has_its_own() {
        assert!(told(Log::new().no_write_cache().write(0, "a").flush()).is_empty());
        let log = Log::new()
            .group(10)
            .write(0, "a")
            .write(10, "b")
            .flush_of(10);
        assert_eq!(told(log), [("FLUSH", vec![(1, None)])]);
    }

    /// By the definition: what is stable with all guarantees, and not without this one.
    #[test]
    fn they_are_what_would_not_be_stable_without_them() {
        for seed in 0..300 {
            let log = Log::random(seed).done();
            let found = guarantees(&log);
            let stable = |without: Option<usize>, write: usize, at: Event| {
                let entry = log.entries()[write].entry();
                found.iter().enumerate().any(|(nr, guarantee)| {
                    let of = log.entries()[guarantee.index].entry();
                    let members = log.geometry().members;
                    let covers = match guarantee.promise {
                        Promise::Fua => guarantee.index == write,
                        _ => {
                            members.of(of.sector) == members.of(entry.sector)
                                && of.submit >= entry.complete
                        }
                    };
                    Some(nr) != without && covers && guarantee.from <= at
                })
            };
            for (nr, guarantee) in found.iter().enumerate() {
                for write in 0..log.entries().len() {
                    let entry = log.entries()[write].entry();
                    if !entry.is_write() || entry.complete == IN_FLIGHT {
                        continue;
                    }
                    let protected = guarantee.protects.iter().find(|w| w.index == write);
                    for at in 0..=log.last_event() {
                        let is_needed = stable(None, write, at) && !stable(Some(nr), write, at);
                        let is_told =
                            protected.is_some_and(|w| guarantee.from <= at && at < w.until);
                        assert_eq!(is_told, is_needed, "seed {seed}, write {write} at {at}");
                    }
                }
            }
        }
    }
}
