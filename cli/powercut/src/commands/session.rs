// SPDX-License-Identifier: GPL-2.0

//! What run and explore have in common: from a recorded disk to a report.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};

use super::manage::{load, print, print_json};
use crate::device::{Disk, Root};
use crate::examine::{Examination, Examiner};
use crate::exit::Exit;
use crate::explore::{explore, End, Plan};
use crate::options::Reporting;
use crate::progress::Reporter;
use crate::report::{
    self, Coverage, DiskFacts, PlanFacts, Record, Report, Saved, Seconds, Source, DEFAULT_DIR,
    SCHEMA,
};
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
    /// What recording took.
    pub recorded_in: Duration,
}

impl Session<'_> {
    pub fn explore(self) -> Result<Exit> {
        let recording = load(self.root, self.disk.name().as_str())?;
        let record = Record::of(&recording);
        let mut report = Report {
            schema: SCHEMA,
            powercut: env!("CARGO_PKG_VERSION").into(),
            case: self.reporting.case.clone(),
            disk: DiskFacts::of(&recording),
            source: self.source.clone(),
            examination: self.examination.clone(),
            plan: PlanFacts::of(self.plan),
            record,
            // Known only afterwards.
            coverage: Coverage::default(),
            violations: Vec::new(),
            seconds: Seconds {
                record: self.recorded_in.as_secs_f64(),
                explore: 0.0,
            },
        };
        if !self.reporting.json {
            print(format_args!("{}\n", report::commands_line(&report)))?;
        }
        let space = Space::new(&recording);
        let mut reporter = Reporter::new(self.plan.budget);
        let outcome = {
            let mut view = self.disk.create_some_view()?;
            let mut examiner = Examiner::new(&mut view, self.examination, self.signals)?;
            explore(
                &space,
                self.plan,
                &mut examiner,
                self.signals,
                &mut reporter,
            )?
        };
        reporter.finish();
        report.coverage = Coverage::of(&outcome);
        report.violations = reporter.violations;
        report.seconds.explore = outcome.elapsed.as_secs_f64();
        let dir = self.save(&report)?;
        self.show(&report, dir)?;
        Ok(match (outcome.end, report.violations.is_empty()) {
            (End::Interrupted(signal), _) => Exit::Interrupted(signal),
            (_, false) => Exit::Violation,
            (_, true) => Exit::NoViolation,
        })
    }

    /// Writes the report where it was asked for, or if there is something in it.
    fn save(&self, report: &Report) -> Result<Option<PathBuf>> {
        let dir = match (&self.reporting.report, report.violations.is_empty()) {
            (Some(dir), _) => dir.clone(),
            (None, false) => PathBuf::from(DEFAULT_DIR),
            (None, true) => return Ok(None),
        };
        let stream = self.root.control().export(self.disk.name().as_str())?;
        Saved::at(&dir).write(report, stream)?;
        Ok(Some(dir))
    }

    fn show(&self, report: &Report, dir: Option<PathBuf>) -> Result<()> {
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
