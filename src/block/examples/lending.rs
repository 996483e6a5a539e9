// SPDX-License-Identifier: GPL-2.0

use crate::block::Lending;
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// Reads a part of what a lock guards after the lock was let go.
pub(super) fn sum_of_the_first() -> Result<u32> {
    let pairs = Arc::pin_init(Lending::new([[0, 0], [3, 4]]), GFP_KERNEL)?;
    pairs.lock_mut()[0] = [1, 2];

    let first = pairs.lock().lend(|pairs| pairs.first()).ok_or(EINVAL)?;
    // The lock is free, but `lock_mut` would wait until `first` is dropped.
    Ok(first.iter().sum())
}
