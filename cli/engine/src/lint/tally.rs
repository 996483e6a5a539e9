// SPDX-License-Identifier: GPL-2.0

//! What is counted of entries.

use std::collections::BTreeMap;

/// Examples listed, of what is listed in full elsewhere.
pub const EXAMPLES: usize = 8;

/// One more of a task.
pub fn count(tasks: &mut BTreeMap<String, u64>, task: &str) {
    match tasks.get_mut(task) {
        Some(n) => *n += 1,
        None => {
            tasks.insert(task.into(), 1);
        }
    }
}
