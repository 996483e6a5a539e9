// SPDX-License-Identifier: GPL-2.0

use crate::block::{
    noio,
    DataPage, //
};
use kernel::prelude::*;

/// Allocates on the way of a bio, which nothing that is freed for it may wait for.
pub(super) fn page_for_a_bio() -> Result<DataPage> {
    noio(DataPage::new)
}
