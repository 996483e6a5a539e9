// SPDX-License-Identifier: GPL-2.0

//! The report as data: what report.json holds and `--json` prints.
//!
//! docs/report.md describes it for those who read it with a program: keep the
//! two together. Fields are only added within a schema number.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use num_bigint::BigUint;
use powercut_engine::abi::{EntryOp, Flags};
use powercut_engine::explore::{self, End, Outcome, Plan};
use powercut_engine::marks::Marks;
use powercut_engine::members::Members;
use powercut_engine::oracle::Kind;
use powercut_engine::recording::Recording;
use powercut_engine::strategy::Space;
use powercut_engine::tear::Tear;
use powercut_model::Event;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::baseline::Baseline;
use super::faults::FaultFacts;
use super::imported::Imported;
use super::kinds::Kinds;
use super::violation::Violation;
use crate::examination::Examination;
use crate::signals::Interrupted;

/// The number of the schema.
pub const SCHEMA: u32 = 3;
/// That of a report with faults: what it counts as `legal_states` are not all legal.
pub const SCHEMA_FAULTS: u32 = 4;
/// Those of older commands, in which every violation has all facts and none has a number.
pub const OLD_SCHEMAS: [u32; 2] = [1, 2];

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// 3, or 4 with `faults`
    pub schema: u32,
    /// The command's version.
    pub powercut: String,
    /// What the user calls this run.
    pub case: String,
    /// When it began, as in RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub began: Option<String>,
    pub disk: DiskFacts,
    pub source: Source,
    pub examination: Examination,
    pub plan: PlanFacts,
    pub record: Record,
    /// The faults that were injected. Then `coverage` counts states as legal that are outside of
    /// the contract, `outside_states` of them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub faults: Option<FaultFacts>,
    /// Of the check, before any state was explored; absent with --no-baseline.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub baseline: Option<Baseline>,
    pub coverage: Coverage,
    pub violations: Vec<Violation>,
    /// What went wrong beside, in the order it came.
    #[serde(default)]
    pub errors: Vec<String>,
    pub seconds: Seconds,
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct DiskFacts {
    pub bytes: u64,
    /// Those of a group, whose sectors follow each other.
    #[serde(skip_serializing_if = "Members::is_empty", default)]
    pub disks: Members,
    pub block_size: u32,
    pub atomic_unit: u32,
    /// What survives of writes of several units, if not any of these
    #[serde(skip_serializing_if = "Tear::is_any", default)]
    pub tear: Tear,
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
    pub mkfs: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub mount_opts: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub setup: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub workload: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub writeback: Option<String>,
    /// The log of another tool, if it was made of one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub imported: Option<Imported>,
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct PlanFacts {
    pub strategy: String,
    /// As typed: a number of states, or a time.
    pub budget: String,
    pub seed: u64,
    pub stop_on_first: bool,
    /// After so many violations it ends.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub max_violations: Option<u64>,
    /// I/N, if this is a part of it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub shard: Option<String>,
    /// How many power cuts follow on each other.
    #[serde(default = "one")]
    pub depth: u32,
    /// As the budget, for each recovery, if they are cut.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub recovery_budget: Option<String>,
    /// What more marks may do to a verdict; absent: monotone.
    #[serde(default = "Marks::of_old_reports")]
    pub marks: Marks,
}

fn one() -> u32 {
    1
}

/// The record in figures.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct Record {
    /// Names the log: as in a state's id, at its last event.
    #[serde(default)]
    pub hash: String,
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
    /// There may be fewer: they could not be counted exactly.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub legal_at_most: bool,
    pub cuts: u64,
    /// Distinct images examined.
    pub checked: u64,
    /// States left out because their image, with the same marks, was examined.
    pub same_image: u64,
    /// Images examined of which the check could not tell.
    pub skipped: u64,
    /// Legal states of which the check could not tell, in decimal.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub skipped_states: Option<String>,
    /// States of a strategy left out because they agree in all that was read,
    /// and in the marks, with one that was examined.
    #[serde(default)]
    pub same_reads: u64,
    /// Legal states whose verdict is known, in decimal; absent if there are too
    /// many parts to count.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub covered_states: Option<String>,
    /// Those that were not looked at: with `covered_states` and `skipped_states`, all that are
    /// legal.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub remaining_states: Option<String>,
    /// Of a shard: those of `remaining_states` at cuts that other shards look at.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub of_other_shards: Option<String>,
    /// Distinct images among the legal states, told apart by their marks.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub images: Option<String>,
    /// States that needed no run of their own, by the reason.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pruned: Option<Pruned>,
    /// What was looked at, by kinds of cuts.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub kinds: Option<Kinds>,
    #[serde(default)]
    pub repeats: Repeats,
    /// With --depth.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub recoveries: Option<Recoveries>,
    /// The driver told what the check read.
    #[serde(default)]
    pub reads_known: bool,
    /// States examined at each cut, by its event.
    #[serde(default)]
    pub runs: BTreeMap<Event, u64>,
    /// Those of them of which the check could not tell.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub skipped_runs: BTreeMap<Event, u64>,
    /// What the examinations at each cut took together, in seconds; of one that was resumed, since
    /// then.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub run_seconds: BTreeMap<Event, f64>,
    /// The verdict of every legal state is known.
    pub all: bool,
    pub ended: Ended,
}

/// Numbers of states, in decimal.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct Pruned {
    /// Legal states at cuts that another dominates.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub dominated: Option<String>,
    /// With the same image as another at their cut.
    pub same_content: String,
    /// Images that differ from one that was examined only where it was not read.
    pub unread: String,
    /// Images that one examined at another cut, or earlier, speaks for.
    pub shared: String,
}

/// Recoveries that were cut in their turn.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct Recoveries {
    /// Those that wrote anything.
    pub recorded: u64,
    /// Legal states that cutting them may leave, in decimal.
    pub legal_states: String,
    /// Those examined.
    pub checked: u64,
    /// Recoveries all of whose legal states have a known verdict.
    pub complete: u64,
}

impl Recoveries {
    fn of(recoveries: &explore::Recoveries) -> Option<Self> {
        (recoveries.recorded > 0).then(|| Self {
            recorded: recoveries.recorded,
            legal_states: recoveries.legal.to_string(),
            checked: recoveries.checked,
            complete: recoveries.complete,
        })
    }
}

/// What was examined twice, to see that the check is deterministic.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct Repeats {
    pub repeated: u64,
    pub other_verdict: u64,
    pub other_reads: u64,
    /// The id of one that differed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub example: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    #[default]
    Exhausted,
    Budget,
    /// The time for all of the command was over.
    Deadline,
    FirstViolation,
    /// There were as many as --max-violations says.
    MaxViolations,
    Interrupted,
    /// With an error.
    Failed,
    /// It goes on, or the command was killed.
    Unfinished,
}

impl Ended {
    /// Whether there may be more to find, and `--resume` goes on.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Interrupted | Self::Failed | Self::Unfinished)
    }
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, JsonSchema)]
pub struct Seconds {
    /// From making the disk to the end of the workload.
    pub record: f64,
    pub explore: f64,
}

impl Report {
    /// What to call the states that it counts.
    pub fn what_states(&self) -> &'static str {
        match &self.faults {
            Some(faults) if faults.is_outside() => "states, legal and not,",
            _ => "legal states",
        }
    }

    /// The violation of that number.
    pub fn violation(&self, number: u64) -> Result<&Violation> {
        let found = self.violations.iter().find(|v| v.number == number);
        found.with_context(|| match self.violations.len() {
            0 => format!("there is no violation {number} in the report: it has none"),
            1 => format!("there is no violation {number} in the report: it has one, number 1"),
            n => format!("there is no violation {number} in the report: it has {n}, from 1 on"),
        })
    }

    /// The number of violations that the check found, or what takes its place.
    pub fn of_check(&self) -> usize {
        let found = self.violations.iter();
        found.filter(|v| v.kind.is_of_check()).count()
    }

    /// The number of violations of a kind.
    pub fn of(&self, kind: Kind) -> usize {
        self.violations.iter().filter(|v| v.kind == kind).count()
    }
}

impl DiskFacts {
    pub fn of(recording: &Recording) -> Self {
        let header = recording.header();
        Self {
            bytes: header.capacity_sectors * powercut_engine::abi::SECTOR,
            disks: header.members.clone(),
            block_size: header.block_size,
            atomic_unit: header.atomic_unit,
            tear: header.tear,
            write_cache: header.write_cache,
            fua: header.fua,
        }
    }
}

impl Record {
    pub fn of(recording: &Recording) -> Self {
        let mut record = Self {
            hash: format!("{:08x}", recording.hash_at(recording.header().newest_event)),
            events: recording.header().newest_event,
            marks: recording.marks().len() as u64,
            ..Self::default()
        };
        for recorded in recording.entries() {
            if recorded.is_write() {
                record.writes += 1;
                record.fua += u64::from(recorded.flags().contains(Flags::FUA));
            }
            if recorded.op() == EntryOp::Write {
                record.bytes += recorded.bytes();
            }
            record.flushes += u64::from(recorded.flush_complete().is_some());
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
            stop_on_first: plan.max_violations == Some(1),
            max_violations: plan.max_violations.filter(|max| *max > 1),
            shard: plan.shard.map(|shard| shard.to_string()),
            depth: plan.depth,
            recovery_budget: (plan.depth > 1).then(|| plan.recovery_budget.to_string()),
            marks: plan.marks,
        }
    }
}

impl Coverage {
    /// Of an outcome, and what the space has to say.
    pub fn new(outcome: &Outcome, space: &Space<'_>) -> Self {
        let mut coverage = Self::of(outcome);
        coverage.legal_at_most = !space.is_counted();
        coverage.kinds = Some(Kinds::of(outcome, space));
        coverage.images = explore::images(space).map(|n| n.to_string());
        if let Some(pruned) = &mut coverage.pruned {
            pruned.dominated = explore::dominated(space).map(|n| n.to_string());
        }
        coverage
    }

    fn of(outcome: &Outcome) -> Self {
        Self {
            legal_states: outcome.legal.to_string(),
            legal_at_most: false,
            cuts: outcome.cuts as u64,
            checked: outcome.checked,
            same_image: outcome.same_image,
            skipped: outcome.skipped,
            skipped_states: Some(outcome.skipped_states.to_string()),
            same_reads: outcome.same_reads,
            covered_states: Some(outcome.covered.states.to_string()),
            remaining_states: Some(outcome.remaining.to_string()),
            // Only a shard leaves any to others.
            of_other_shards: (outcome.of_other_shards != BigUint::ZERO)
                .then(|| outcome.of_other_shards.to_string()),
            images: None,
            kinds: None,
            pruned: Some(Pruned {
                dominated: None,
                same_content: outcome.covered.same_content.to_string(),
                unread: outcome.covered.unread.to_string(),
                shared: outcome.covered.shared.to_string(),
            }),
            repeats: Repeats {
                repeated: outcome.repeats.repeated,
                other_verdict: outcome.repeats.verdicts,
                other_reads: outcome.repeats.reads,
                example: outcome.repeats.example.as_ref().map(|id| id.to_string()),
            },
            recoveries: Recoveries::of(&outcome.recoveries),
            reads_known: outcome.reads_known,
            // The watch counts them.
            runs: BTreeMap::new(),
            skipped_runs: BTreeMap::new(),
            run_seconds: BTreeMap::new(),
            all: outcome.all,
            ended: match outcome.end {
                End::Exhausted => Ended::Exhausted,
                End::Budget => Ended::Budget,
                End::EnoughFound if outcome.violations.len() > 1 => Ended::MaxViolations,
                End::EnoughFound => Ended::FirstViolation,
                End::Interrupted(Interrupted::Deadline) => Ended::Deadline,
                End::Interrupted(Interrupted::Signal(_)) => Ended::Interrupted,
                End::Failed => Ended::Failed,
            },
        }
    }
}
