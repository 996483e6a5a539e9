// SPDX-License-Identifier: GPL-2.0

//! What is printed, and what is said beside it. Neither stream need be there
//! any more: that somebody has read enough is no error, and changes nothing.

use std::fmt::Arguments;
use std::io::{ErrorKind, Write};

use anyhow::{Context, Result};

/// To standard error, with the command's name before it.
pub fn say(text: Arguments<'_>) {
    let _ = writeln!(std::io::stderr().lock(), "powercut: {text}");
}

/// To standard output. An error is one to tell: the disk is full, not the reader gone.
pub fn print(text: Arguments<'_>) -> Result<()> {
    let mut out = std::io::stdout().lock();
    unless_closed(
        out.write_fmt(text)
            .and_then(|()| out.flush())
            .map_err(Into::into),
    )
}

pub fn print_json(value: &impl serde::Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value)?;
    print(format_args!("{text}\n"))
}

/// What came of writing to standard output, which may have been closed.
pub fn unless_closed(written: Result<()>) -> Result<()> {
    let is_closed = |cause: &(dyn std::error::Error + 'static)| {
        let io = cause.downcast_ref::<std::io::Error>();
        io.is_some_and(|e| e.kind() == ErrorKind::BrokenPipe)
    };
    match written {
        Err(e) if e.chain().any(is_closed) => Ok(()),
        other => other.context("cannot write to standard output"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_standard_output_is_no_error_and_a_full_one_is() {
        for (kind, is_error) in [
            (ErrorKind::BrokenPipe, false),
            (ErrorKind::StorageFull, true),
        ] {
            assert_eq!(
                unless_closed(Err(std::io::Error::from(kind).into())).is_err(),
                is_error,
                "{kind}"
            );
        }
        assert!(unless_closed(Ok(())).is_ok());
    }
}
