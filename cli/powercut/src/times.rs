// SPDX-License-Identifier: GPL-2.0

//! What the examinations at each cut take, those side by side included.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use powercut_model::Event;

#[derive(Debug, Default)]
pub struct Times(Mutex<BTreeMap<Event, Duration>>);

impl Times {
    /// Does something for a cut.
    pub fn measure<T>(&self, cut: Event, work: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let done = work();
        let mut times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *times.entry(cut).or_default() += began.elapsed();
        done
    }

    /// In seconds, to the millisecond.
    pub fn seconds(&self) -> BTreeMap<Event, f64> {
        let times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let seconds = |time: &Duration| time.as_millis() as f64 / 1000.0;
        times
            .iter()
            .map(|(cut, time)| (*cut, seconds(time)))
            .collect()
    }
}
