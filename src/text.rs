// SPDX-License-Identifier: GPL-2.0

//! Parsing what user space writes: strict, without allocation.

#[cfg(CONFIG_BLK_DEV_POWERCUT_KUNIT_TEST)]
mod tests;

use kernel::prelude::*;

/// The parts of `text` between separators. No part is left out: an empty one is an
/// error of the caller's to find.
pub(crate) fn fields(text: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    text.split(move |byte| *byte == separator)
}

/// A decimal number without sign. [`EINVAL`] if it is none, [`ERANGE`] if it takes
/// more than 64 bits.
pub(crate) fn parse_u64(text: &[u8]) -> Result<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return Err(EINVAL);
    }
    text.iter().try_fold(0u64, |value, digit| {
        value
            .checked_mul(10)
            .and_then(|value| value.checked_add(u64::from(digit - b'0')))
            .ok_or(ERANGE)
    })
}

/// What was written to an attribute, without the newline at its end.
pub(crate) fn line(text: &[u8]) -> &[u8] {
    text.strip_suffix(b"\n").unwrap_or(text)
}

/// `0` or `1`.
pub(crate) fn parse_bool(text: &[u8]) -> Result<bool> {
    match text {
        b"0" => Ok(false),
        b"1" => Ok(true),
        _ => Err(EINVAL),
    }
}
