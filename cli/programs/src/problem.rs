// SPDX-License-Identifier: GPL-2.0

//! What is wrong with what a power cut left.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Which rule of docs/oracles.md is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// Something can't be read.
    Readable,
    /// A name that was made durable is gone, or one is there that was not, or was durably removed.
    Names,
    /// A rename shows in part: no name is left, or both are there.
    AtomicRename,
    /// The names are those of no moment.
    Order,
    /// A file has another size than it may have.
    Size,
    /// A file has less space than was made durable.
    Space,
    /// A file holds other bytes than it may hold.
    Data,
    /// A symbolic link points elsewhere.
    Target,
    /// Permissions, extended attributes or times are not those that were made durable.
    Attributes,
    /// The link count is not the number of names.
    Links,
    /// Files can't be made, or all of it can't be removed.
    Usable,
    /// Another mount shows something else.
    Remount,
}

impl Rule {
    pub fn name(self) -> &'static str {
        match self {
            Self::Readable => "readable",
            Self::Names => "names",
            Self::AtomicRename => "atomic-rename",
            Self::Order => "order",
            Self::Size => "size",
            Self::Space => "space",
            Self::Data => "data",
            Self::Target => "target",
            Self::Attributes => "attributes",
            Self::Links => "links",
            Self::Usable => "usable",
            Self::Remount => "remount",
        }
    }
}

/// A broken rule, and how it shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    pub rule: Rule,
    pub text: String,
}

impl Problem {
    pub fn new(rule: Rule, text: impl Into<String>) -> Self {
        Self {
            rule,
            text: text.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule.name(), self.text)
    }
}
