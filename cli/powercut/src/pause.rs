// SPDX-License-Identifier: GPL-2.0

//! Waiting for what can only be tried again: often over at once, and sometimes not for seconds.

use std::time::Duration;

const FIRST: Duration = Duration::from_micros(200);
const LONGEST: Duration = Duration::from_millis(5);

/// The time between two tries; each is twice as long as the one before.
#[derive(Debug)]
pub struct Pause(Duration);

impl Default for Pause {
    fn default() -> Self {
        Self(FIRST)
    }
}

impl Pause {
    pub fn sleep(&mut self) {
        std::thread::sleep(self.next());
    }

    fn next(&mut self) -> Duration {
        let longer = (2 * self.0).min(LONGEST);
        std::mem::replace(&mut self.0, longer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_get_longer_up_to_a_limit() {
        let mut pause = Pause::default();
        let micros: Vec<u128> = (0..8).map(|_| pause.next().as_micros()).collect();
        assert_eq!(micros, [200, 400, 800, 1600, 3200, 5000, 5000, 5000]);
    }
}
