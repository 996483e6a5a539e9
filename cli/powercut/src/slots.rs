// SPDX-License-Identifier: GPL-2.0

//! Slots: how many checks may run at the same time. A check has the number of its slot in
//! POWERCUT_SLOT, and no other check has it meanwhile.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// The slots of an exploration.
#[derive(Debug)]
pub struct Slots {
    count: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    /// The numbers of free slots, the lowest last.
    free: Vec<usize>,
    /// Somebody waits for all of them, or has them.
    is_reserved: bool,
}

/// A slot, or all of them, until it is dropped.
#[derive(Debug)]
pub struct Slot<'s> {
    numbers: Vec<usize>,
    is_alone: bool,
    slots: &'s Slots,
}

impl Slots {
    pub fn new(count: usize) -> Self {
        Self {
            count,
            state: Mutex::new(State {
                free: (0..count).rev().collect(),
                is_reserved: false,
            }),
            changed: Condvar::new(),
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Waits for a slot.
    pub fn take(&self) -> Slot<'_> {
        let waits = |state: &mut State| state.is_reserved || state.free.is_empty();
        let mut state = self.wait_while(self.lock(), waits);
        let numbers = state.free.pop().into_iter().collect();
        Slot {
            numbers,
            is_alone: false,
            slots: self,
        }
    }

    /// Waits until no check runs; none begins before this is dropped.
    pub fn take_all(&self) -> Slot<'_> {
        let mut state = self.wait_while(self.lock(), |state| state.is_reserved);
        state.is_reserved = true;
        let mut state = self.wait_while(state, |state| state.free.len() < self.count);
        let numbers = std::mem::take(&mut state.free);
        Slot {
            numbers,
            is_alone: true,
            slots: self,
        }
    }

    fn wait_while<'s>(
        &'s self,
        state: MutexGuard<'s, State>,
        condition: impl FnMut(&mut State) -> bool,
    ) -> MutexGuard<'s, State> {
        let waited = self.changed.wait_while(state, condition);
        waited.unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot<'_> {
    pub fn number(&self) -> usize {
        self.numbers.iter().copied().min().unwrap_or(0)
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let mut state = self.slots.lock();
        state.free.append(&mut self.numbers);
        state.free.sort_unstable_by(|a, b| b.cmp(a));
        if self.is_alone {
            state.is_reserved = false;
        }
        drop(state);
        self.slots.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn the_lowest_free_number_is_taken() {
        let slots = Slots::new(3);
        let first = slots.take();
        let second = slots.take();
        assert_eq!((first.number(), second.number()), (0, 1));
        drop(first);
        assert_eq!(slots.take().number(), 0);
        drop(second);
        assert_eq!(slots.take_all().number(), 0);
    }

    #[test]
    fn no_two_have_a_number_and_who_is_alone_is_alone() {
        let slots = Slots::new(2);
        let at_work: [AtomicUsize; 2] = Default::default();
        let sum = || {
            at_work
                .iter()
                .map(|n| n.load(Ordering::SeqCst))
                .sum::<usize>()
        };
        thread::scope(|scope| {
            for who in 0..5 {
                let (slots, at_work, sum) = (&slots, &at_work, &sum);
                scope.spawn(move || {
                    for round in 0..300 {
                        let is_alone = who == 0 && round % 3 == 0;
                        let slot = if is_alone {
                            slots.take_all()
                        } else {
                            slots.take()
                        };
                        let before = at_work[slot.number()].fetch_add(1, Ordering::SeqCst);
                        assert_eq!(before, 0, "two have slot {}", slot.number());
                        thread::yield_now();
                        assert!(!is_alone || sum() == 1, "not alone");
                        at_work[slot.number()].fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(slots.lock().free, [1, 0]);
    }
}
