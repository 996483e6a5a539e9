// SPDX-License-Identifier: GPL-2.0

use crate::block::StaticMutex;
use kernel::prelude::*;

static NEXT: StaticMutex<u32> = StaticMutex::new();

/// A number that nobody else gets.
pub(super) fn next() -> Result<u32> {
    // Done once; a driver does it when it is loaded.
    NEXT.init(0);
    let mut next = NEXT.lock()?;
    *next += 1;
    Ok(*next)
}
