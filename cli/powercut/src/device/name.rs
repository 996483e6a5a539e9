// SPDX-License-Identifier: GPL-2.0

//! Names of disks and views.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The longest name, and the longest NAME.VIEW: the kernel's limit.
pub const MAX: usize = 22;

/// Why a name of a group is refused.
pub const TOO_LONG: &str = "NAME/DISK and NAME.VIEW/DISK have 22 bytes at most: use shorter names";

/// A name that the driver takes: letters, digits, `_` and `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

#[derive(Debug, Error, PartialEq, Eq)]
pub enum NameError {
    #[error("a name can't be empty")]
    Empty,
    #[error("{0:?} is too long for a name: it has {1} bytes, {MAX} at most are allowed")]
    Long(String, usize),
    #[error("{0:?} is not a name: {1:?} is in it; letters, digits, '_' and '-' are allowed")]
    Letter(String, char),
}

impl Name {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if let Some(c) = text.chars().find(|c| !allowed(*c)) {
            return Err(NameError::Letter(text.into(), c));
        }
        match text.len() {
            0 => Err(NameError::Empty),
            1..=MAX => Ok(Self(text.into())),
            len => Err(NameError::Long(text.into(), len)),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["a", "A-1_b", "run-1234", &"x".repeat(MAX)] {
            assert_eq!(good.parse::<Name>().unwrap().as_str(), good);
        }
        assert_eq!("".parse::<Name>(), Err(NameError::Empty));
        for bad in ["a/b", "a!b", ".", "..", "a b", "a.b", "\u{e9}", "a\n"] {
            assert!(matches!(bad.parse::<Name>(), Err(NameError::Letter(..))));
        }
        let long = "x".repeat(MAX + 1);
        assert!(matches!(long.parse::<Name>(), Err(NameError::Long(..))));
    }
}
