// SPDX-License-Identifier: GPL-2.0

//! What all attributes have in common.

use kernel::{
    fmt::{
        self,
        Write as _, //
    },
    page::PAGE_SIZE,
    prelude::*,
    str::Formatter, //
};

/// Writes an attribute's text. [`EOVERFLOW`] if it is longer than a page: whoever
/// needs it whole reads it from the control device.
pub(super) fn show(page: &mut [u8; PAGE_SIZE], text: fmt::Arguments<'_>) -> Result<usize> {
    let mut writer = Formatter::new(page);
    writer.write_fmt(text).map_err(|_| EOVERFLOW)?;
    Ok(writer.bytes_written())
}
