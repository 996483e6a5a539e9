// SPDX-License-Identifier: GPL-2.0

//! When each write became stable: what [`powercut_model::Cut::is_stable`] says,
//! for all cuts at once.

use powercut_model::{Event, History};

use crate::abi::IN_FLIGHT;
use crate::recording::Recording;

/// Flushes by their submit, and what they made stable.
#[derive(Debug)]
pub struct Stability {
    /// Of each write the event at which it is stable and its time.
    stable: Vec<Option<(Event, u64)>>,
    /// Whether an entry is a flush that something owes its stability to.
    covers: Vec<bool>,
}

/// A flush that is complete, of one member.
#[derive(Debug, Clone, Copy)]
struct Flush {
    index: usize,
    submit: Event,
    /// Its completion, which is where data that comes with it starts.
    done: Event,
    ns: u64,
}

impl Stability {
    pub fn of(recording: &Recording) -> Self {
        let entries = recording.entries();
        let members = recording.geometry().members;
        // By member.
        let mut flushes: Vec<Vec<Flush>> = vec![Vec::new(); members.count()];
        for (index, recorded) in entries.iter().enumerate() {
            let done = recorded.flush_complete();
            if let Some(done) = done.filter(|done| *done != IN_FLIGHT) {
                flushes[members.of(recorded.sector())].push(Flush {
                    index,
                    submit: recorded.submit(),
                    done,
                    ns: recorded.completed_ns().max(recorded.submitted_ns()),
                });
            }
        }
        // Of the flushes from each on, the one that completes first.
        let mut first = flushes.clone();
        for first in &mut first {
            for at in (1..first.len()).rev() {
                if first[at].done < first[at - 1].done {
                    first[at - 1] = first[at];
                }
            }
        }
        let cached = recording.geometry().write_cache;
        let mut covers = vec![false; entries.len()];
        let stable = entries.iter().map(|recorded| {
            let entry = recorded.entry();
            if !entry.is_write() || entry.complete == IN_FLIGHT {
                return None;
            }
            let own = (entry.fua || !cached).then_some((entry.complete, recorded.completed_ns()));
            let member = members.of(entry.sector);
            let from = flushes[member].partition_point(|f| f.submit < entry.complete);
            let flush = first[member].get(from);
            let by_flush = flush.map(|f| (f.done, f.ns));
            let (Some(flush), None) = (flush, own) else {
                return own.into_iter().chain(by_flush).min();
            };
            covers[flush.index] = true;
            by_flush
        });
        Self {
            stable: stable.collect(),
            covers,
        }
    }

    /// When a write was stable; none: never.
    pub fn stable(&self, index: usize) -> Option<(Event, u64)> {
        self.stable[index]
    }

    pub fn is_stable(&self, index: usize, cut: Event) -> bool {
        self.stable[index].is_some_and(|(event, _)| event <= cut)
    }

    /// Whether a flush was what made some write stable.
    pub fn covers(&self, index: usize) -> bool {
        self.covers[index]
    }
}
