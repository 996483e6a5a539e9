// SPDX-License-Identifier: GPL-2.0

//! An acknowledgement, as reports name it.

use powercut_model::Event;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::recording::Mark;

/// A mark.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Acknowledged {
    pub event: Event,
    pub text: String,
}

impl From<&Mark> for Acknowledged {
    fn from(mark: &Mark) -> Self {
        Self {
            event: mark.event,
            text: mark.text.to_string(),
        }
    }
}
