// SPDX-License-Identifier: GPL-2.0

//! What run and explore have in common: from a recorded disk to a report.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use super::finish;
use super::manage::load;
use crate::baseline::{Extent, Subject};
use crate::device::{DeviceError, Disk, Root, RuleStatus, View};
use crate::examine::Examination;
use crate::exit::Exit;
use crate::explore::{explore, Desk, End, Journal, Outcome, Plan, RUNS};
use crate::options::Reporting;
use crate::output::{print, print_json, say};
use crate::pool::{Pool, Work};
use crate::progress::Reporter;
use crate::recording::Recording;
use crate::recovery::{copy_recoveries, Job};
use crate::report::{
    self, Baseline, Coverage, DiskFacts, Ended, FaultFacts, PlanFacts, Record, Report, Saved,
    Seconds, Source, DEFAULT_DIR, SCHEMA, SCHEMA_FAULTS,
};
use crate::scratch::{scratch_dir, ScratchDir};
use crate::signals::Signals;
use crate::strategy::Space;

/// Explores the record of a disk and reports.
pub struct Session<'a> {
    pub root: &'a Root,
    pub disk: &'a Disk,
    pub signals: &'a Signals,
    pub examination: &'a Examination,
    pub plan: &'a Plan,
    pub reporting: &'a Reporting,
    pub source: Source,
    /// What the disk was told to do wrong while it was recorded.
    pub rules: Vec<RuleStatus>,
    /// What the check is run on before it is believed.
    pub baseline: Extent,
    /// What recording took.
    pub recorded_in: Duration,
    /// The report's directory holds what was found so far.
    pub resume: bool,
}

/// Where the journal of runs is kept.
enum Notes {
    Report(PathBuf),
    /// Nobody asked for a report yet.
    Scratch(ScratchDir),
}

/// What a disk was told to do wrong.
pub fn rules_of(disk: &Disk) -> Result<Vec<RuleStatus>, DeviceError> {
    let status = disk.faults().status()?;
    let bad = status.bad_rule();
    Ok(status.rules.into_iter().chain(bad).collect())
}

impl Session<'_> {
    pub fn explore(self) -> Result<Exit> {
        let recording = load(self.root, self.disk.name().as_str())?;
        let mut report = self.report(&recording);
        report.baseline = self.check_baseline(&recording)?;
        if !self.reporting.json {
            print(format_args!("{}\n", report::commands_line(&report)))?;
        }
        let (notes, mut journal) = self.notes(&report)?;
        let space = Space::new(&recording, self.plan.marks);
        let mut reporter = Reporter::new(self.plan.budget);
        let dir = match &notes {
            Notes::Report(dir) => dir.as_path(),
            Notes::Scratch(scratch) => scratch.path(),
        };
        let deep = (self.plan.depth > 1).then(|| Job {
            root: self.root,
            what: self.examination,
            signals: self.signals,
            plan: self.plan.of_recovery(),
            report: &report,
            dir,
        });
        let outcome = self.go(&space, deep, &mut journal, &mut reporter)?;
        reporter.finish();
        report.coverage = Coverage::new(&outcome, &space);
        report.coverage.runs = reporter.runs;
        report.violations = reporter.violations;
        report.seconds.explore = outcome.elapsed.as_secs_f64();
        if !matches!(outcome.end, End::Interrupted(_)) {
            let wanted = &self.reporting.wanted;
            let (disk, what) = (self.disk, self.examination);
            finish::culprits(&mut report, &recording, disk, what, self.signals, wanted)?;
        }
        let dir = self.save(&report, &notes)?;
        finish::formats(&report, &recording, dir.as_deref(), &self.reporting.wanted)?;
        self.show(&report, dir.as_deref())?;
        Ok(match (outcome.end, report.violations.is_empty()) {
            (End::Interrupted(signal), _) => Exit::Interrupted(signal),
            (_, false) => Exit::Violation,
            (_, true) => Exit::NoViolation,
        })
    }

    /// Writes a report of what was recorded, with nothing explored.
    pub fn record_only(self) -> Result<Exit> {
        let recording = load(self.root, self.disk.name().as_str())?;
        let mut report = self.report(&recording);
        report.baseline = self.check_baseline(&recording)?;
        let dir = match &self.reporting.report {
            Some(dir) => dir.clone(),
            None => PathBuf::from(DEFAULT_DIR),
        };
        self.write(&report, &dir)?;
        if self.reporting.json {
            print_json(&report)?;
        } else {
            let line = report::commands_line(&report);
            print(format_args!("{line}\nrecording: {}\n", dir.display()))?;
        }
        Ok(Exit::NoViolation)
    }

    fn check_baseline(&self, recording: &Recording) -> Result<Option<Baseline>> {
        self.baseline.run(Subject {
            disk: self.disk,
            recording,
            examination: self.examination,
            signals: self.signals,
        })
    }

    /// The report before anything is explored.
    fn report(&self, recording: &Recording) -> Report {
        let view_rules = &self.examination.view_faults;
        let faults = FaultFacts::of(recording, &self.rules, view_rules, self.plan.marks);
        Report {
            schema: match faults {
                None => SCHEMA,
                Some(_) => SCHEMA_FAULTS,
            },
            powercut: env!("CARGO_PKG_VERSION").into(),
            case: self.reporting.case.clone(),
            disk: DiskFacts::of(recording),
            source: self.source.clone(),
            examination: self.examination.clone(),
            plan: PlanFacts::of(self.plan),
            record: Record::of(recording),
            faults,
            baseline: None,
            coverage: Coverage {
                ended: Ended::Interrupted,
                ..Coverage::default()
            },
            violations: Vec::new(),
            seconds: Seconds {
                record: self.recorded_in.as_secs_f64(),
                explore: 0.0,
            },
        }
    }

    /// A report that was asked for is there from the start, so that even what
    /// ends without a word can be gone on with.
    fn notes(&self, report: &Report) -> Result<(Notes, Journal)> {
        match &self.reporting.report {
            Some(dir) if self.resume => Ok((Notes::Report(dir.clone()), Journal::resume(dir)?)),
            Some(dir) => {
                self.write(report, dir)?;
                Ok((Notes::Report(dir.clone()), Journal::begin(dir)?))
            }
            None => {
                let scratch = scratch_dir()?;
                let journal = Journal::begin(scratch.path())?;
                Ok((Notes::Scratch(scratch), journal))
            }
        }
    }

    fn go(
        &self,
        space: &Space<'_>,
        deep: Option<Job<'_>>,
        journal: &mut Journal,
        reporter: &mut Reporter,
    ) -> Result<Outcome> {
        let views: Result<Vec<View>, _> = (0..self.reporting.jobs)
            .map(|_| self.disk.create_some_view())
            .collect();
        let views = views?;
        views.iter().for_each(View::read_no_more);
        let work = Work {
            what: self.examination,
            recording: space.recording(),
            signals: self.signals,
            deep,
        };
        std::thread::scope(|scope| {
            let mut pool = Pool::start(scope, views, work);
            let mut desk = Desk::new(&mut pool, journal);
            match explore(space, self.plan, &mut desk, self.signals, reporter) {
                (outcome, None) => Ok(outcome),
                (_, Some(error)) => Err(error),
            }
        })
    }

    fn write(&self, report: &Report, dir: &Path) -> Result<()> {
        let stream = self.root.control().export(self.disk.name().as_str())?;
        Saved::at(dir).write(report, stream)
    }

    /// Writes the report where it was asked for, or if there is something in it.
    fn save(&self, report: &Report, notes: &Notes) -> Result<Option<PathBuf>> {
        let scratch = match notes {
            Notes::Report(dir) => {
                Saved::at(dir).write_report(report)?;
                return Ok(Some(dir.clone()));
            }
            Notes::Scratch(scratch) => scratch,
        };
        let interrupted = report.coverage.ended == Ended::Interrupted;
        if report.violations.is_empty() && !interrupted {
            return Ok(None);
        }
        let dir = PathBuf::from(DEFAULT_DIR);
        match self.write_all(report, &dir, scratch.path()) {
            Ok(()) => Ok(Some(dir)),
            // Nobody asked for it.
            Err(e) if interrupted => {
                say(format_args!("warning: {e:#}; give --report DIR to be able to go on"));
                Ok(None)
            }
            Err(e) => Err(e),
        }
    }

    /// Writes a report with the journal that is in a directory.
    fn write_all(&self, report: &Report, dir: &Path, notes: &Path) -> Result<()> {
        self.write(report, dir)?;
        let runs = dir.join(RUNS);
        fs::copy(notes.join(RUNS), &runs)
            .with_context(|| format!("cannot write {}", runs.display()))?;
        copy_recoveries(notes, dir)
    }

    fn show(&self, report: &Report, dir: Option<&Path>) -> Result<()> {
        if let (Some(dir), Ended::Interrupted) = (dir, report.coverage.ended) {
            let dir = dir.display();
            say(format_args!("interrupted; to go on: powercut explore --resume {dir}"));
        }
        if self.reporting.json {
            return print_json(report).context("cannot print the report");
        }
        let dir = dir.map(|dir| dir.display().to_string());
        print(format_args!("{}", report::details(report, dir.as_deref())))?;
        if let Some(dir) = dir {
            print(format_args!("report: {dir}\n"))?;
        }
        print(format_args!(
            "\n{}",
            report::summary(std::slice::from_ref(report))
        ))
    }
}
