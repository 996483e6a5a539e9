// SPDX-License-Identifier: GPL-2.0

//! What came out of an examination, and how it is named.

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::oracle::{Oracle, Verdict};
use crate::reads::Reads;
use crate::recoveries::Recoveries;
use crate::strategy::State;

/// What came out of an examination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    pub verdict: Verdict,
    /// What it read; none if that is not known.
    pub reads: Option<Reads>,
    /// What became of its recovery, if that was cut.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub recoveries: Option<Recoveries>,
}

impl Seen {
    pub fn new(verdict: Verdict, reads: Option<Reads>) -> Self {
        Self {
            verdict,
            reads,
            recoveries: None,
        }
    }

    /// By an oracle.
    pub fn by(oracle: &mut dyn Oracle, state: &State<'_>) -> Result<Self> {
        let verdict = oracle.examine(state)?;
        let reads = verdict.outlives(oracle.reads())?.flatten();
        Ok(Self {
            verdict,
            reads,
            recoveries: oracle.recoveries(),
        })
    }
}

/// Names an examination: a state, and how many of it came before.
pub type Key = (u128, u32);
