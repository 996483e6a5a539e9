// SPDX-License-Identifier: GPL-2.0

//! What is counted of entries.

use std::collections::BTreeMap;

use crate::abi::SECTOR;
use crate::recording::Recorded;

/// Examples listed, of what is listed in full elsewhere.
pub const EXAMPLES: usize = 8;

pub fn bytes(recorded: &Recorded) -> u64 {
    u64::from(recorded.raw.nr_sectors) * SECTOR
}

/// One more of a task.
pub fn count(tasks: &mut BTreeMap<String, u64>, task: &str) {
    match tasks.get_mut(task) {
        Some(n) => *n += 1,
        None => {
            tasks.insert(task.into(), 1);
        }
    }
}
