// SPDX-License-Identifier: GPL-2.0

//! How many entries were submitted by an event, without a search.

use powercut_model::Event;

use super::entry::{Recorded, MAX_EVENTS};

/// Events between two that the number is kept of.
const APART: Event = 16;

#[derive(Debug, Default)]
pub struct Submits {
    /// Of each event that is a multiple of [`APART`], the number of entries submitted by it.
    by: Vec<u32>,
}

impl Submits {
    pub fn new(entries: &[Recorded]) -> Self {
        let last = entries.last().map_or(0, Recorded::submit).min(MAX_EVENTS);
        let mut by = Vec::with_capacity((last / APART) as usize + 1);
        let mut at = 0;
        for event in (0..=last).step_by(APART as usize) {
            at += count(&entries[at..], event);
            by.push(at as u32);
        }
        Self { by }
    }

    /// How many of the entries were submitted by an event.
    pub fn by(&self, entries: &[Recorded], event: Event) -> usize {
        let last = self.by.len().saturating_sub(1);
        let nearest = usize::try_from(event / APART).unwrap_or(last).min(last);
        let start = self.by.get(nearest).map_or(0, |start| *start as usize);
        start + count(&entries[start..], event)
    }
}

/// How many of the first entries were submitted by an event.
fn count(entries: &[Recorded], event: Event) -> usize {
    let later = entries.iter().position(|r| r.submit() > event);
    later.unwrap_or(entries.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::testing::History;

    #[test]
    fn the_number_is_that_of_a_search() {
        for seed in 0..40 {
            let log = History::long(seed).done();
            let entries = log.entries();
            for event in (0..log.header().newest_event + 40).chain([Event::MAX]) {
                let searched = entries.partition_point(|r| r.submit() <= event);
                let submits = Submits::new(entries);
                assert_eq!(submits.by(entries, event), searched, "{seed} at {event}");
            }
        }
        assert_eq!(Submits::default().by(&[], 7), 0);
    }
}
