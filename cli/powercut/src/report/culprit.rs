// SPDX-License-Identifier: GPL-2.0

//! The culprit of a violation, in data and in a sentence.

use powercut_model::{Cut, Event};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use powercut_engine::acknowledged::Acknowledged;

use super::fate::{place, ranges};
use crate::abi::EntryOp;
use crate::choices::Choices;
use crate::id::StateId;
use crate::keep::Keep;
use crate::minimize::{Found, Later};
use crate::recording::Recording;

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

impl Culprit {
    /// The result of a search, and how many runs it took. `belongs` tells of a
    /// write, by its index, and its sectors.
    pub fn of(
        choices: &Choices<'_>,
        found: &Found,
        runs: u64,
        mut belongs: impl FnMut(&Suspect) -> Option<Belongs>,
    ) -> Self {
        let recording = choices.recording();
        let mut name = |keep: &Keep| {
            let mut suspects = suspects(choices, keep);
            for suspect in &mut suspects {
                suspect.belongs = belongs(suspect);
            }
            suspects
        };
        let mut culprit = Self {
            sort: Sort::Unexplained,
            verdict: String::new(),
            must_be_stable: name(&found.lost),
            before: name(&found.kept),
            broken: found.broken.map(|nr| (&recording.marks()[nr]).into()),
            minimal: found.minimal,
            fails: StateId::of(choices, &found.fails).to_string(),
            passes: found
                .passes
                .as_ref()
                .map(|keep| StateId::of(choices, keep).to_string()),
            runs,
        };
        if let Later::MendedBy(event) = found.later {
            culprit.mended(recording, event, &mut belongs);
        }
        culprit.sort = culprit.sort_of(found.later);
        culprit.verdict = super::verdict::sentence(&culprit, choices, found);
        culprit
    }

    /// The write whose event makes a later state pass.
    fn mended(
        &mut self,
        recording: &Recording,
        event: Event,
        belongs: &mut impl FnMut(&Suspect) -> Option<Belongs>,
    ) {
        let entry = recording
            .entries()
            .iter()
            .rposition(|r| r.entry.is_write() && r.entry.start <= event);
        if let Some(index) = entry {
            let mut suspect = suspect(recording, index, None);
            suspect.belongs = belongs(&suspect);
            self.must_be_stable.push(suspect);
        }
        if let Ok(cut) = Cut::new(recording, event) {
            let later = Choices::new(recording, cut);
            self.passes = Some(StateId::of(&later, &later.all()).to_string());
        }
    }

    fn sort_of(&self, later: Later) -> Sort {
        match (self.must_be_stable.is_empty(), later) {
            (true, _) => Sort::Unexplained,
            (false, Later::MendedBy(_)) => Sort::TooLate,
            _ if !self.before.is_empty() => Sort::Order,
            _ if self.broken.is_some() => Sort::Promise,
            _ => Sort::Stable,
        }
    }
}

/// The writes of some pieces, oldest first.
fn suspects(choices: &Choices<'_>, keep: &Keep) -> Vec<Suspect> {
    let mut suspects = Vec::new();
    for (entry, pieces) in choices.writes() {
        let units: Vec<u64> = pieces
            .clone()
            .filter(|p| keep.contains(*p))
            .map(|p| choices.pieces()[p].unit)
            .collect();
        if !units.is_empty() {
            let whole = units.len() == pieces.len();
            let units = (!whole).then(|| ranges(units));
            suspects.push(suspect(choices.recording(), *entry, units));
        }
    }
    suspects
}

fn suspect(recording: &Recording, index: usize, units: Option<Vec<(u64, u64)>>) -> Suspect {
    let raw = &recording.entries()[index].raw;
    let marks = recording.marks();
    let next = marks.partition_point(|m| m.event < raw.submit);
    Suspect {
        write: raw.submit,
        op: raw.op.name().into(),
        sector: raw.sector,
        place: recording.members().place_in_group(raw.sector),
        sectors: raw.nr_sectors,
        flags: raw.flags.names().map(str::to_string).collect(),
        task: raw.task.clone(),
        units,
        after_mark: next.checked_sub(1).map(|at| (&marks[at]).into()),
        before_mark: marks.get(next).map(Acknowledged::from),
        belongs: None,
    }
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
            name.push_str(&format!(", only units {}", list(units)));
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
    let one = |(first, last): &(u64, u64)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
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
    let minimal = match culprit.minimal {
        true => ", and nothing can be left out",
        false => "",
    };
    out.push_str(&format!("  tried   {} states{minimal}\n", culprit.runs));
    out
}
