// SPDX-License-Identifier: GPL-2.0

//! The culprit of a violation, in data and in a sentence.

use powercut_engine::abi::EntryOp;
use powercut_engine::acknowledged::Acknowledged;
use powercut_model::Event;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fate::place;

/// Which write had to be stable before which.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Culprit {
    pub sort: Sort,
    /// All of it in a sentence or two.
    pub verdict: String,
    /// These writes had to be stable ...
    pub must_be_stable: Vec<Suspect>,
    /// ... before these, which are on the disk without them.
    pub before: Vec<Suspect>,
    /// The acknowledgement that is broken: held to those before it, the state
    /// passes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub broken: Option<Acknowledged>,
    /// Nothing can be left out of either list: each was tried.
    pub minimal: bool,
    /// The smallest state that fails in the same way.
    pub fails: String,
    /// Its nearest neighbour that passes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub passes: Option<String>,
    /// States examined to find this.
    pub runs: u64,
}

/// What kind of order was missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Sort {
    /// A write had to be stable before another one.
    Order,
    /// A write had to be stable before an acknowledgement.
    Promise,
    /// A write had to be stable before what is stable already.
    Stable,
    /// A write cost units beside it, of its physical block (tear=rmw).
    Neighbours,
    /// What is missing was written only after the cut.
    TooLate,
    /// No state tried passes, nor any later one.
    Unexplained,
}

/// A write, or some of its units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Suspect {
    /// The event of its submit.
    pub write: Event,
    pub op: String,
    /// In units of 512 bytes.
    pub sector: u64,
    /// Of a group, the disk and the sector on it: `log+2048`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub place: Option<String>,
    pub sectors: u32,
    pub flags: Vec<String>,
    pub task: String,
    /// The units concerned, both ends in, if not all of the write's.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub units: Option<Vec<(u64, u64)>>,
    /// The units are not its own: it cost them, and nothing of itself is meant.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub costs: bool,
    /// The newest acknowledgement before it, and the next one after it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub after_mark: Option<Acknowledged>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub before_mark: Option<Acknowledged>,
    /// The file or metadata it belongs to, where that can be told.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub belongs: Option<Belongs>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Belongs {
    pub what: String,
    /// How it was told.
    pub how: String,
}

impl Suspect {
    /// Where it begins, for people.
    pub fn at(&self) -> String {
        place(&self.place, self.sector)
    }

    /// W812 (lba 2064 +8, META, by jbd2/x-8)
    pub fn name(&self) -> String {
        let mut name = format!("W{} (lba {} +{}", self.write, self.at(), self.sectors);
        if let Some(units) = &self.units {
            let which = if self.costs { "costs" } else { "only" };
            name.push_str(&format!(", {which} units {}", list(units)));
        }
        if self.op != EntryOp::Write.name() {
            name.push_str(&format!(", {}", self.op));
        }
        if !self.flags.is_empty() {
            name.push_str(&format!(", {}", self.flags.join(" ")));
        }
        name.push_str(&format!(", by {}", self.task));
        if let Some(belongs) = &self.belongs {
            name.push_str(&format!(", {}", belongs.what));
        }
        name.push(')');
        name
    }
}

/// Ranges, both ends in: 4,6-9.
pub fn list(units: &[(u64, u64)]) -> String {
    let one = |(first, last): &(u64, u64)| {
        if first == last {
            first.to_string()
        } else {
            format!("{first}-{last}")
        }
    };
    units.iter().map(one).collect::<Vec<_>>().join(",")
}

/// For people: the verdict, how the owners were told, and the two states.
pub fn culprit_lines(culprit: &Culprit) -> String {
    let mut out = format!("  culprit {}\n", culprit.verdict);
    let suspects = culprit.must_be_stable.iter().chain(&culprit.before);
    let mut hows: Vec<&str> = suspects
        .filter_map(|s| s.belongs.as_ref())
        .map(|b| b.how.as_str())
        .collect();
    hows.sort_unstable();
    hows.dedup();
    for how in hows {
        out.push_str(&format!("  told by {how}\n"));
    }
    out.push_str(&format!("  fails   {}\n", culprit.fails));
    if let Some(passes) = &culprit.passes {
        out.push_str(&format!("  passes  {passes}\n"));
    }
    let minimal = if culprit.minimal {
        ", and nothing can be left out"
    } else {
        ""
    };
    out.push_str(&format!("  tried   {} states{minimal}\n", culprit.runs));
    out
}
