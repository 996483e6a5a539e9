// SPDX-License-Identifier: GPL-2.0

//! The text that an attribute is shown as.

use kernel::{
    fmt::{
        self,
        Write, //
    },
    prelude::*, //
};

/// Where it goes.
pub(super) type Text<'a> = dyn Write + 'a;

/// Appends to it. [`EOVERFLOW`] if there is no room.
pub(super) fn put(to: &mut Text<'_>, text: fmt::Arguments<'_>) -> Result {
    to.write_fmt(text).map_err(|_| EOVERFLOW)
}
