// SPDX-License-Identifier: GPL-2.0

//! Entries by the events at which something happens to them, to be gone through from cut to cut.

use powercut_model::Event;

use crate::abi::IN_FLIGHT;
use crate::recording::MAX_EVENTS;

const INDEX_BITS: u32 = 32;
// An event and an index are one number.
const _: () = assert!(MAX_EVENTS <= 1 << (u64::BITS - INDEX_BITS));

/// Pairs of an event and the index of an entry, ascending.
#[derive(Debug, Default)]
pub struct EventQueue {
    /// The event is in the high bits.
    pairs: Vec<u64>,
    /// How many were taken.
    taken: usize,
}

impl EventQueue {
    /// Adds a pair, in any order, unless it never happens; [`Self::sort`] comes before the first is taken.
    pub fn add(&mut self, event: Event, index: u32) {
        if event != IN_FLIGHT {
            self.pairs.push((event << INDEX_BITS) | u64::from(index));
        }
    }

    pub fn sort(&mut self) {
        self.pairs.sort_unstable();
    }

    /// The next pair.
    pub fn peek(&self) -> Option<(Event, u32)> {
        let pair = self.pairs.get(self.taken)?;
        Some((pair >> INDEX_BITS, *pair as u32))
    }

    /// Takes the next pair, if its event is at or before a cut.
    pub fn take_by(&mut self, cut: Event) -> Option<(Event, u32)> {
        let next = self.peek().filter(|(event, _)| *event <= cut);
        self.taken += usize::from(next.is_some());
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_come_by_event_then_by_index() {
        let mut queue = EventQueue::default();
        for (event, index) in [(7, 1), (3, 9), (IN_FLIGHT, 2), (3, 4)] {
            queue.add(event, index);
        }
        queue.sort();
        assert_eq!(queue.peek(), Some((3, 4)));
        assert_eq!(queue.take_by(2), None);
        let taken: Vec<_> = std::iter::from_fn(|| queue.take_by(6)).collect();
        assert_eq!(taken, [(3, 4), (3, 9)]);
        assert_eq!(queue.take_by(7), Some((7, 1)));
        assert_eq!(queue.peek(), None);
    }
}
