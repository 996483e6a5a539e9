// SPDX-License-Identifier: GPL-2.0

//! The text of a mark.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The longest mark in bytes.
const MAX: usize = 1024;

/// One line that the driver takes as a mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkText(String);

#[derive(Debug, Error, PartialEq, Eq)]
pub enum MarkError {
    #[error("a mark can't be empty")]
    Empty,
    #[error("a mark is one line of text: {0:?} is not")]
    Lines(String),
    #[error("a mark has {MAX} bytes at most, this one {0}")]
    Long(usize),
}

impl FromStr for MarkText {
    type Err = MarkError;

    fn from_str(text: &str) -> Result<Self, MarkError> {
        if text.is_empty() {
            Err(MarkError::Empty)
        } else if text.contains(['\n', '\0']) {
            Err(MarkError::Lines(text.into()))
        } else if text.len() > MAX {
            Err(MarkError::Long(text.len()))
        } else {
            Ok(Self(text.into()))
        }
    }
}

impl fmt::Display for MarkText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_a_line_of_1024_bytes_at_most() {
        for text in ["a", " ", "commit 7: \u{e9}", &"x".repeat(MAX)] {
            assert_eq!(text.parse::<MarkText>().unwrap().to_string(), text);
        }
        assert_eq!("".parse::<MarkText>(), Err(MarkError::Empty));
        for text in ["two\nlines", "one\n", "a\0b"] {
            assert!(matches!(text.parse::<MarkText>(), Err(MarkError::Lines(_))));
        }
        let long = "\u{e9}".repeat(MAX / 2 + 1);
        assert_eq!(long.parse::<MarkText>(), Err(MarkError::Long(MAX + 2)));
    }
}
