// SPDX-License-Identifier: GPL-2.0

use crate::block::DataPage;
use kernel::prelude::*;

/// Writes to a page and reads what is in it.
pub(super) fn greeting() -> Result<[u8; 5]> {
    let page = DataPage::new()?;
    page.write(100, b"hello");

    let mut greeting = [0; 5];
    page.read(100, &mut greeting);
    Ok(greeting)
}
