// SPDX-License-Identifier: GPL-2.0

//! What a workload promises, and the words in which a check says what is wrong: those of `../../lib/verdict.py`.

use std::env;
use std::fmt::Display;
use std::fs;
use std::io::Write;
use std::panic;
use std::path::PathBuf;
use std::process::exit;

use crate::Result;

pub const LOST: &str = "loses what was acknowledged";
pub const BACK: &str = "goes back to an older version";
pub const PARTIAL: &str = "holds a part of a transaction";
pub const CORRUPT: &str = "is corrupt";
pub const CLOSED: &str = "does not open";
pub const STUCK: &str = "opens, and can't be written to";
pub const CRASHES: &str = "crashes";

/// The directory or file of the store.
pub fn store() -> Result<PathBuf> {
    Ok(PathBuf::from(env::var("POWERCUT_MNT")?).join("store"))
}

/// Tells powercut that transaction `number` has to survive from here on.
pub fn promise(number: usize) -> Result<()> {
    fs::write(env::var("POWERCUT_MARK")?, format!("{number}\n"))?;
    Ok(())
}

/// The newest transaction that was promised before the power failed, 0 if none was.
pub fn promised() -> Result<usize> {
    let marks = fs::read_to_string(env::var("POWERCUT_MARKS")?)?;
    Ok(marks
        .lines()
        .filter_map(|line| line.parse().ok())
        .max()
        .unwrap_or(0))
}

/// Ends the check.
pub fn violation(what: &str, detail: impl Display) -> ! {
    let detail = detail.to_string();
    println!(
        "{what}: {}",
        detail.split_whitespace().collect::<Vec<_>>().join(" ")
    );
    exit(1)
}

/// Makes a panic, in whichever thread, an end of the check.
pub fn watch_for_panics() {
    panic::set_hook(Box::new(|panic| {
        let payload = panic.payload();
        let text = payload.downcast_ref::<&str>().copied();
        let text = text
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("a panic");
        let place = panic
            .location()
            .map(|place| format!(" at {place}"))
            .unwrap_or_default();
        let line = format!("{CRASHES}: {text}{place}")
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        // What is printed here may be all that is left to do.
        let _ = writeln!(std::io::stdout(), "{line}");
        exit(1)
    }));
}
