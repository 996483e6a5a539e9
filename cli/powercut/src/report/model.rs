// SPDX-License-Identifier: GPL-2.0

//! The report as data: what report.json holds and `--json` prints.
//!
//! docs/report.md describes it for those who read it with a program: keep the
//! two together. Fields are only added within a schema number.

use powercut_model::Event;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::abi::Flags;
use crate::choices::Choices;
use crate::examine::Examination;
use crate::explore::{self, End, Outcome, Plan};
use crate::oracle::Kind;
use crate::recording::{Content, Recording};

use super::culprit::Culprit;
use super::fate::{fates, Write};

/// The number of the schema.
pub const SCHEMA: u32 = 1;

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// 1
    pub schema: u32,
    /// The command's version.
    pub powercut: String,
    /// What the user calls this run.
    pub case: String,
    pub disk: DiskFacts,
    pub source: Source,
    pub examination: Examination,
    pub plan: PlanFacts,
    pub record: Record,
    pub coverage: Coverage,
    pub violations: Vec<Violation>,
    pub seconds: Seconds,
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct DiskFacts {
    pub bytes: u64,
    pub block_size: u32,
    pub atomic_unit: u32,
    pub write_cache: bool,
    pub fua: bool,
}

/// Where the record came from.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct Source {
    /// The disk, if it was the user's own.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub disk: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fs: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub mkfs_opts: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub mount_opts: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub setup: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub workload: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub writeback: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct PlanFacts {
    pub strategy: String,
    /// As typed: a number of states, or a time.
    pub budget: String,
    pub seed: u64,
    pub stop_on_first: bool,
}

/// The record in figures.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct Record {
    pub events: Event,
    pub writes: u64,
    pub bytes: u64,
    /// Flushes, those with data included.
    pub flushes: u64,
    pub fua: u64,
    pub marks: u64,
}

/// What was covered.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct Coverage {
    /// Legal states over all cuts that dominate, in decimal: it may be huge.
    pub legal_states: String,
    pub cuts: u64,
    /// Distinct images examined.
    pub checked: u64,
    /// States left out because their image, with the same marks, was examined.
    pub same_image: u64,
    /// Images of which the check could not tell.
    pub skipped: u64,
    /// Every legal state's image was examined.
    pub all: bool,
    pub ended: Ended,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    #[default]
    Exhausted,
    Budget,
    FirstViolation,
    Interrupted,
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Violation {
    pub id: String,
    pub cut: Event,
    pub kind: Kind,
    /// How it failed: `exit 1`, or mount's error.
    pub how: String,
    pub output: String,
    /// Marks at or before the cut.
    pub marks: u64,
    /// The newest of them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_mark: Option<String>,
    pub kept: Vec<Write>,
    pub lost: Vec<Write>,
    /// What `minimize` found.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub culprit: Option<Culprit>,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, JsonSchema)]
pub struct Seconds {
    /// From making the disk to the end of the workload.
    pub record: f64,
    pub explore: f64,
}

impl Report {
    /// The number of violations of a kind.
    pub fn of(&self, kind: Kind) -> usize {
        self.violations.iter().filter(|v| v.kind == kind).count()
    }
}

impl DiskFacts {
    pub fn of(recording: &Recording) -> Self {
        let header = recording.header();
        Self {
            bytes: header.capacity_sectors * crate::abi::SECTOR,
            block_size: header.block_size,
            atomic_unit: header.atomic_unit,
            write_cache: header.write_cache,
            fua: header.fua,
        }
    }
}

impl Record {
    pub fn of(recording: &Recording) -> Self {
        let mut record = Self {
            events: recording.header().newest_event,
            marks: recording.marks().len() as u64,
            ..Self::default()
        };
        for recorded in recording.entries() {
            let (raw, entry) = (&recorded.raw, &recorded.entry);
            if entry.is_write() {
                record.writes += 1;
                record.fua += u64::from(raw.flags.has(Flags::FUA));
            }
            if matches!(recorded.content, Content::Blocks(_)) {
                record.bytes += u64::from(raw.nr_sectors) * crate::abi::SECTOR;
            }
            record.flushes += u64::from(entry.flush_complete().is_some());
        }
        record
    }
}

impl PlanFacts {
    pub fn of(plan: &Plan) -> Self {
        Self {
            strategy: plan.strategy.to_string(),
            budget: plan.budget.to_string(),
            seed: plan.seed,
            stop_on_first: plan.stop_on_first,
        }
    }
}

impl Coverage {
    pub fn of(outcome: &Outcome) -> Self {
        Self {
            legal_states: outcome.legal.to_string(),
            cuts: outcome.cuts as u64,
            checked: outcome.checked,
            same_image: outcome.same_image,
            skipped: outcome.skipped,
            all: outcome.all,
            ended: match outcome.end {
                End::Exhausted => Ended::Exhausted,
                End::Budget => Ended::Budget,
                End::FirstFound => Ended::FirstViolation,
                End::Interrupted(_) => Ended::Interrupted,
            },
        }
    }
}

impl Violation {
    pub fn of(choices: &Choices<'_>, found: &explore::Violation) -> Self {
        let (kept, lost) = fates(choices, &found.keep);
        let marks = choices.recording().marks_by(choices.event());
        Self {
            id: found.id.to_string(),
            cut: choices.event(),
            kind: found.finding.kind,
            how: found.finding.how.clone(),
            output: found.finding.output.clone(),
            marks: marks.len() as u64,
            last_mark: marks.last().map(|m| m.text.clone()),
            kept,
            lost,
            culprit: None,
        }
    }
}
