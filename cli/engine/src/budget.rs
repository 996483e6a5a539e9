// SPDX-License-Identifier: GPL-2.0

//! How much may be explored.

use std::time::Duration;

/// How much to explore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Budget {
    States(u64),
    Time(Duration),
    Unlimited,
}

impl std::fmt::Display for Budget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::States(n) => write!(f, "{n} states"),
            Self::Time(t) => write!(f, "{} s", t.as_secs_f64()),
            Self::Unlimited => f.write_str("none"),
        }
    }
}
