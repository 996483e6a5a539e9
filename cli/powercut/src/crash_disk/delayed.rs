// SPDX-License-Identifier: GPL-2.0

//! What is to be done later, in the order in which its time comes.

use std::collections::BTreeMap;
use std::time::Instant;

/// Things, each with its time.
#[derive(Debug)]
pub struct Delayed<T> {
    /// Those of the same time in the order in which they were put in.
    things: BTreeMap<(Instant, u64), T>,
    count: u64,
}

impl<T> Default for Delayed<T> {
    fn default() -> Self {
        Self {
            things: BTreeMap::new(),
            count: 0,
        }
    }
}

impl<T> Delayed<T> {
    pub fn put(&mut self, when: Instant, thing: T) {
        self.count += 1;
        self.things.insert((when, self.count), thing);
    }

    /// When the next one is due.
    pub fn first(&self) -> Option<Instant> {
        self.things.keys().next().map(|(when, _)| *when)
    }

    /// Takes those whose time has come.
    pub fn due(&mut self, now: Instant) -> Vec<T> {
        let later = self.things.split_off(&(now, u64::MAX));
        std::mem::replace(&mut self.things, later)
            .into_values()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_due_comes_in_order_and_what_is_not_stays() {
        let begin = Instant::now();
        let at = |ms| begin + Duration::from_millis(ms);
        let mut delayed = Delayed::default();
        assert_eq!(delayed.first(), None);
        for (ms, name) in [(20, "c"), (10, "a"), (30, "d"), (10, "b")] {
            delayed.put(at(ms), name);
        }
        assert_eq!(delayed.first(), Some(at(10)));
        assert_eq!(delayed.due(at(9)), [""; 0]);
        assert_eq!(delayed.due(at(20)), ["a", "b", "c"]);
        assert_eq!(delayed.first(), Some(at(30)));
        assert_eq!(delayed.due(at(99)), ["d"]);
        assert_eq!(delayed.first(), None);
    }
}
