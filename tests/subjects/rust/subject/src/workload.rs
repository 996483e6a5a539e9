// SPDX-License-Identifier: GPL-2.0

//! Puts transaction 1, 2, .., and promises each when `put` has returned.

use crate::transaction::{COUNT, pairs};
use crate::{Result, Store, verdict};

pub fn run<S: Store>(config: &str) -> Result<()> {
    let mut store = S::open(&verdict::store()?, config)?;
    for number in 1..=COUNT {
        store.put(&pairs(number))?;
        store.after(number)?;
        verdict::promise(number)?;
    }
    store.close()
}
