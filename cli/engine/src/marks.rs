// SPDX-License-Identifier: GPL-2.0

//! Whether marks may make up for each other: see [`powercut_model::Marks`].

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What one more acknowledgement may do to the verdict on a disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Marks {
    /// Anything
    #[default]
    Any,
    /// What fails with some marks fails with more, too
    Monotone,
}

impl Marks {
    pub fn name(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Monotone => "monotone",
        }
    }

    pub fn to_model(self) -> powercut_model::Marks {
        match self {
            Self::Any => powercut_model::Marks::Any,
            Self::Monotone => powercut_model::Marks::Monotone,
        }
    }

    /// What reports that don't name it were made with.
    pub fn of_old_reports() -> Self {
        Self::Monotone
    }
}

impl std::fmt::Display for Marks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}
