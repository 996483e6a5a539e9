// SPDX-License-Identifier: GPL-2.0

//! Makes the directory of a report up: `made-report DIR ENTRIES VIOLATIONS SORTS`.

#[path = "../tests/large/made.rs"]
mod made;

use anyhow::{bail, Context, Result};
use made::Size;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [dir, entries, violations, sorts] = &args[..] else {
        bail!("give DIR ENTRIES VIOLATIONS SORTS");
    };
    let size = Size {
        entries: entries.parse().context("ENTRIES")?,
        violations: violations.parse().context("VIOLATIONS")?,
        sorts: sorts.parse().context("SORTS")?,
    };
    made::report(dir.as_ref(), size)
}
