// SPDX-License-Identifier: GPL-2.0

//! How writes that did not become stable tear.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Tear {
    /// Any of their units survive
    #[default]
    Any,
    /// Their first units survive: none, some or all
    Prefix,
    /// Any survive, and writes smaller than the physical block may cost their neighbours
    Rmw,
}

impl Tear {
    pub fn is_any(&self) -> bool {
        *self == Self::Any
    }

    pub(crate) fn to_model(self) -> powercut_model::Tear {
        match self {
            Self::Any => powercut_model::Tear::Any,
            Self::Prefix => powercut_model::Tear::Prefix,
            Self::Rmw => powercut_model::Tear::Rmw,
        }
    }
}

impl fmt::Display for Tear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Any => "any",
            Self::Prefix => "prefix",
            Self::Rmw => "rmw",
        })
    }
}
