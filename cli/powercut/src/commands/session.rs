// SPDX-License-Identifier: GPL-2.0

//! What run and explore have in common: from a recorded disk to a report.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{bail, Result};
use chrono::{DateTime, SecondsFormat, Utc};
use powercut_engine::explore::{explore, Again, End, Journal, JournaledRunner, Outcome, Plan};
use powercut_engine::recording::Recording;
use powercut_engine::strategy::Space;

use super::conclude::{told, Conclude, Store};
use super::explored::Explored;
use super::findings::Findings;
use super::finish;
use crate::baseline::{Extent, Subject};
use crate::device::RuleStatus;
use crate::examination::Examination;
use crate::exit::Exit;
use crate::options::{default_jobs, Format, Reporting};
use crate::output::{print, print_json};
use crate::pool::{Pool, Work};
use crate::progress::Reporter;
use crate::recovery::{Job, Kept};
use crate::report::{
    self, Baseline, Coverage, DiskFacts, Ended, FaultFacts, Imported, PlanFacts, Record, Report,
    Saved, Seconds, Source, DEFAULT_DIR, SCHEMA, SCHEMA_FAULTS,
};
use crate::server::{ServedView, Server};
use crate::signals::{Interrupted, Signals};
use crate::times::Times;

/// Explores the record of a disk and reports.
pub struct Session<'a> {
    pub server: &'a dyn Server,
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
    /// What the report's directory holds so far, if this goes on with it.
    pub before: Option<Report>,
}

impl Session<'_> {
    /// What comes out once something is judged is a report, whatever fails then.
    pub fn explore(self) -> Result<Explored> {
        let recording = self.server.recording()?;
        let mut report = self.report(&recording);
        report.baseline = self.check_baseline(&recording)?;
        let (mut findings, mut journal) = self.findings(&report)?;
        if self.reporting.format.is_text() {
            let line = report::commands_line(&report);
            told(&mut report, print(format_args!("{line}\n")).err());
        }
        let space = Space::new(&recording, self.plan.marks);
        let dir = findings.dir().to_path_buf();
        let kept = Kept::default();
        let deep = (self.plan.depth > 1).then(|| Job {
            what: self.examination,
            signals: self.signals,
            plan: self.plan.of_recovery(),
            report: &report,
            dir: &dir,
            kept: &kept,
        });
        let earlier = self.before.as_ref().map_or(&[][..], |b| &b.violations);
        let mut reporter = Reporter::new(self.plan.budget, earlier, |v| findings.violation(v));
        let times = Times::default();
        let went = self.go(&space, deep, &times, &mut journal, &mut reporter);
        let found = reporter.finish();
        report.coverage.ended = Ended::Failed;
        report.violations = found.violations;
        let mut end = End::Failed;
        let mut errors = match went {
            Ok((outcome, error)) => {
                end = outcome.end;
                report.coverage = Coverage::new(&outcome, &space);
                report.seconds.explore = outcome.elapsed.as_secs_f64();
                again(&mut report.violations, &outcome);
                error.into_iter().collect()
            }
            Err(error) => vec![error],
        };
        report.coverage.runs = found.runs;
        report.coverage.skipped_runs = found.skipped;
        report.coverage.run_seconds = times.seconds();
        self.keep_earlier(&mut report);
        errors.extend(findings.error.take());
        if matches!(end, End::Exhausted | End::Budget | End::EnoughFound) {
            // The search may take its time: what was found before is saved by then.
            if !report.violations.is_empty() {
                errors.extend(findings.save(&report).err());
            }
            errors.extend(self.culprits(&mut report, &recording).err());
        }
        told(&mut report, errors);
        let conclude = Conclude {
            recording: &recording,
            store: &mut findings,
            wanted: &self.reporting.wanted,
            format: self.reporting.format,
            signal: match end {
                End::Interrupted(why @ Interrupted::Signal(_)) => Some(why),
                _ => None,
            },
        };
        let exit = conclude.of(&mut report);
        let dir = Store::dir(&findings);
        drop((findings, space));
        Ok(Explored {
            exit,
            report,
            recording,
            dir,
        })
    }

    fn culprits(&self, report: &mut Report, recording: &Recording) -> Result<()> {
        let (server, what, wanted) = (self.server, self.examination, &self.reporting.wanted);
        finish::culprits(report, recording, server, what, self.signals, wanted)
    }

    /// What was found before it went on, and was not come to again by its end.
    fn keep_earlier(&self, report: &mut Report) {
        let found: HashSet<String> = report.violations.iter().map(|v| v.id.clone()).collect();
        let earlier = self.before.iter().flat_map(|before| &before.violations);
        let missing = earlier.filter(|v| !found.contains(&v.id));
        report.violations.extend(missing.cloned());
        report.violations.sort_by_key(|v| v.number);
    }

    /// Writes a report of what was recorded, with nothing explored.
    pub fn record_only(self) -> Result<Exit> {
        let recording = self.server.recording()?;
        let mut report = self.report(&recording);
        report.baseline = self.check_baseline(&recording)?;
        let dir = match &self.reporting.report {
            Some(dir) => dir.clone(),
            None => PathBuf::from(DEFAULT_DIR),
        };
        self.begin(&report, &dir)?;
        if self.reporting.format == Format::Json {
            print_json(&report)?;
        } else {
            let line = report::commands_line(&report);
            print(format_args!("{line}\nrecording: {}\n", dir.display()))?;
        }
        Ok(Exit::NoViolation)
    }

    fn check_baseline(&self, recording: &Recording) -> Result<Option<Baseline>> {
        self.baseline.run(Subject {
            server: self.server,
            recording,
            examination: self.examination,
            signals: self.signals,
        })
    }

    /// When the workload began.
    fn began(&self) -> Option<String> {
        if let Some(before) = &self.before {
            return before.began.clone();
        }
        let began = SystemTime::now().checked_sub(self.recorded_in)?;
        let began = DateTime::<Utc>::from(began);
        Some(began.to_rfc3339_opts(SecondsFormat::Secs, true))
    }

    /// Where the record came from; a file or a disk may hold that of another tool, too.
    fn source(&self, recording: &Recording) -> Source {
        let mut source = self.source.clone();
        source.imported = source.imported.or_else(|| Imported::of(recording));
        source
    }

    /// The report before anything is explored.
    pub fn report(&self, recording: &Recording) -> Report {
        let view_rules = &self.examination.view_faults;
        let faults = FaultFacts::of(recording, &self.rules, view_rules, self.plan.marks);
        Report {
            schema: match faults {
                None => SCHEMA,
                Some(_) => SCHEMA_FAULTS,
            },
            powercut: env!("CARGO_PKG_VERSION").into(),
            case: self.reporting.case.clone(),
            began: self.began(),
            disk: DiskFacts::of(recording),
            source: self.source(recording),
            examination: self.examination.clone(),
            plan: PlanFacts::of(self.plan),
            record: Record::of(recording),
            faults,
            baseline: None,
            coverage: Coverage {
                ended: Ended::Unfinished,
                ..Coverage::default()
            },
            violations: Vec::new(),
            errors: Vec::new(),
            seconds: Seconds {
                record: self.recorded_in.as_secs_f64(),
                explore: 0.0,
            },
        }
    }

    /// A report that was asked for is there from the start, so that even what
    /// ends without a word can be gone on with.
    fn findings<'n>(&'n self, report: &Report) -> Result<(Findings<'n>, Journal)> {
        let mut beginning = report.clone();
        let header = report.header();
        match (&self.before, &self.reporting.report) {
            (Some(before), Some(dir)) => {
                let name = dir.display();
                if before.record.hash != report.record.hash {
                    bail!(
                        "{name}: its recording is of record {}, its report of record {}: they do \
                         not belong together",
                        report.record.hash,
                        before.record.hash
                    );
                }
                beginning.violations.clone_from(&before.violations);
                let begin = move |dir: &Path| Saved::at(dir).write_report(&beginning);
                Findings::resume(dir, &header, Box::new(begin))
            }
            (_, dir) => {
                let begin = move |dir: &Path| self.begin(&beginning, dir);
                Findings::begin(dir.as_deref(), &header, Box::new(begin))
            }
        }
    }

    fn go(
        &self,
        space: &Space<'_>,
        deep: Option<Job<'_>>,
        times: &Times,
        journal: &mut Journal,
        reporter: &mut Reporter<'_>,
    ) -> Result<(Outcome, Option<anyhow::Error>)> {
        let jobs = self.jobs();
        let views: Result<Vec<ServedView>> =
            (0..self.lanes(jobs)).map(|_| self.server.view()).collect();
        let views = views?;
        views.iter().for_each(ServedView::read_no_more);
        let work = Work {
            what: self.examination,
            recording: space.recording(),
            signals: self.signals,
            times,
            deep,
        };
        std::thread::scope(|scope| {
            let mut pool = Pool::start(scope, views, jobs, work);
            let mut runner = JournaledRunner::new(&mut pool, journal);
            Ok(explore(
                space,
                self.plan,
                &mut runner,
                self.signals,
                reporter,
            ))
        })
    }

    /// How many checks run at the same time.
    pub fn jobs(&self) -> usize {
        let default = || if self.is_single() { 1 } else { default_jobs() };
        self.reporting.jobs.unwrap_or_else(default)
    }

    /// How many states are in hand. If the command has to think between a mount and a check, they are more than checks run,
    /// so that a check need not wait for a mount or an unmount.
    fn lanes(&self, jobs: usize) -> usize {
        let is_simple = self.plan.depth == 1 && !self.is_single();
        if jobs > 1 && is_simple && !self.examination.is_one_step() {
            2 * jobs
        } else {
            jobs
        }
    }

    fn is_single(&self) -> bool {
        is_single(self.examination, self.server.is_group())
    }

    /// Makes a directory that of the report.
    fn begin(&self, report: &Report, dir: &Path) -> Result<()> {
        let stream = self.server.export()?;
        Saved::at(dir).begin(report, stream)
    }
}

/// Whether states are better not mounted beside each other: disks of a group may hold one array or
/// filesystem, of which there can't be two; btrfs knows its filesystems by their ids, which are the
/// same in all states, and so may a filesystem that nothing is known of.
pub fn is_single(what: &Examination, is_group: bool) -> bool {
    let is_singular = what.mount.as_ref().is_some_and(|spec| !spec.is_plural());
    is_singular || is_group
}

/// Takes over what a second examination showed, which came after they were noted.
fn again(violations: &mut [report::Violation], outcome: &Outcome) {
    let again = outcome
        .violations
        .iter()
        .filter_map(|v| Some((v.id.to_string(), v.again?)));
    let again: HashMap<String, Again> = again.collect();
    for violation in violations {
        let id = violation.id.split('/').next().unwrap_or_default();
        violation.again = again.get(id).copied().or(violation.again);
    }
}
