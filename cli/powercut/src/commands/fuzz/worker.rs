// SPDX-License-Identifier: GPL-2.0

//! Tries programs, one after the other, beside others that do so; reduces those that fail.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use powercut_engine::explore::{Again, Violation};
use powercut_engine::oracle::Kind;
use powercut_programs::program::Program;
use powercut_programs::reduce::reduce;

use super::bench::{plan, Bench, Judged};
use super::findings::{save, save_record, Findings};
use super::oracle::Cuts;
use super::recovery::RECOVERY_BUDGET;
use super::source::Source;
use crate::baseline::Extent;
use crate::commands::session::Session;
use crate::device::Root;
use crate::examination::Examination;
use crate::executor::ExecutorError;
use crate::options::{Format, Fuzz, Reporting, Target, Wanted};
use crate::report::{FuzzCounts, FuzzFinding, Source as ReportSource};
use crate::server::Module;
use crate::signals::{Interrupted, Signals};

/// The rules that only a sample of the states is held to.
const FURTHER: [&str; 3] = ["fsck", "remount", "usable"];

/// What all workers share.
pub struct Shared<'s> {
    pub root: &'s Root,
    pub options: &'s Fuzz,
    pub target: &'s Target,
    pub signals: &'s Signals,
    pub source: &'s Mutex<Source>,
    pub findings: &'s Mutex<Findings>,
    /// Where findings go.
    pub dir: &'s Path,
}

/// What a worker tells.
pub enum News {
    /// A program was judged.
    Judged(FuzzCounts),
    /// Something is new: what, and where its files are.
    Found(FuzzFinding, PathBuf),
}

/// The rule that a violation breaks.
fn rule(violation: &Violation) -> String {
    match violation.finding.kind {
        Kind::Mount => "mount".into(),
        Kind::Fsck => "fsck".into(),
        _ => {
            let how = violation.finding.how.as_str();
            how.strip_prefix("rule ").unwrap_or(how).into()
        }
    }
}

impl Shared<'_> {
    /// Tries programs until there is none left, or enough was found.
    pub fn work(&self, bench: &mut Bench<'_>, tell: impl Fn(News)) -> Result<()> {
        loop {
            self.signals.check()?;
            let most = self.options.max_violations;
            if self.lock(self.findings).new_ones() as u64 >= most {
                return Ok(());
            }
            let next = self.lock(self.source).next();
            let Some((number, program)) = next else {
                return Ok(());
            };
            let tried = self.one(bench, number, &program, &tell);
            tried.map_err(|e| e.context(format!("program {number}: {}", one_line(&program))))?;
        }
    }

    fn lock<'l, T>(&self, mutex: &'l Mutex<T>) -> std::sync::MutexGuard<'l, T> {
        mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn one(
        &self,
        bench: &mut Bench<'_>,
        number: u64,
        program: &Program,
        tell: &impl Fn(News),
    ) -> Result<()> {
        let judged = bench.judge(program, self.options.budget, Judged::is_broken)?;
        let steps = &judged.trace.steps;
        tell(News::Judged(FuzzCounts {
            judged: 1,
            exhausted: u64::from(judged.outcome.all),
            runs: judged.outcome.checked,
            ops: steps.len() as u64,
            failed_ops: steps.iter().filter(|step| step.errno.is_some()).count() as u64,
            next: 0,
        }));
        let violation = judged.outcome.violations.first().map(rule);
        if let Some(rule) = violation {
            let is_more = self.lock(self.findings).count(&rule, program);
            // The same program need not fail again: then its record is all that shows why it did.
            let record = (!is_more).then(|| bench.copy_record());
            bench.reset()?;
            if let Some(record) = record {
                // Without its record it is a finding all the same.
                return self.found(bench, number, program, judged, record, tell);
            }
        }
        judged.error.map_or(Ok(()), Err)
    }

    /// Reduces a program that failed, and writes the report of what is left of it.
    fn found(
        &self,
        bench: &mut Bench<'_>,
        number: u64,
        program: &Program,
        first: Judged,
        record: Result<File>,
        tell: &impl Fn(News),
    ) -> Result<()> {
        let Some(broken) = first.outcome.violations.first().map(rule) else {
            return Ok(());
        };
        let budget = self.options.budget;
        // The states of a shorter program have other names: each is looked at like the one that failed.
        let is_within = |judged: &Judged| {
            let first = judged.outcome.violations.first();
            first.is_some_and(|violation| violation.finding.within.is_some())
        };
        if is_within(&first) {
            bench.cuts = Cuts::All;
        } else if FURTHER.contains(&broken.as_str()) {
            bench.look_at_all();
        }
        let fails = |judged: &Judged| {
            judged
                .outcome
                .violations
                .first()
                .is_some_and(|violation| rule(violation) == broken)
        };
        let reduced = reduce(program, |less| match bench.judge(less, budget, |_| false) {
            Ok(judged) => Ok(fails(&judged)),
            Err(e) if e.is::<Interrupted>() || e.is::<ExecutorError>() => Err(e),
            // A part of a program may be none.
            Err(_) => Ok(false),
        });
        // An interrupt leaves what was found as it is.
        let (least, error) = match reduced {
            Ok(least) => (least, None),
            Err(error) => (program.clone(), Some(error)),
        };
        // Once more, with its record kept.
        let again = match &error {
            None => Some(bench.judge(&least, budget, fails)?),
            Some(_) => None,
        };
        let (shown, least, is_repeated) = match again {
            Some(judged) if fails(&judged) => (judged, least, true),
            _ => (first, program.clone(), false),
        };
        bench.look_as_usual();
        let Some(violation) = shown.outcome.violations.first() else {
            return Ok(());
        };
        let depth = 1 + u32::from(violation.finding.within.is_some());
        let lines = |program: &Program| program.ops.iter().map(ToString::to_string).collect();
        let finding = FuzzFinding {
            number: 0,
            rule: broken,
            program: lines(&least),
            from: lines(program),
            program_number: number,
            state: violation.id.to_string(),
            text: violation.finding.output.trim_end().to_string(),
            duplicates: 0,
            is_known: false,
            is_flaky: violation.again == Some(Again::Passed),
            is_repeated,
        };
        let mut findings = self.lock(self.findings);
        // Another worker may have come to the same meanwhile.
        if findings.count(&finding.rule, &least) {
            drop(findings);
            if bench.has_record()? {
                bench.reset()?;
            }
            return error.map_or(Ok(()), Err);
        }
        let number = findings.add(finding.clone());
        drop(findings);
        let finding = FuzzFinding { number, ..finding };
        let dir = self.dir.join(number.to_string());
        let trace = save(&dir, &least, &shown.trace, &finding.text);
        let recorded = if is_repeated {
            Ok(())
        } else {
            record.and_then(|mut record| save_record(&dir, &mut record))
        };
        tell(News::Found(finding, dir.clone()));
        let trace = trace?;
        recorded?;
        if bench.has_record()? {
            let reported = self.report(bench, &dir, &trace, &least, depth);
            bench.reset()?;
            reported?;
        }
        error.map_or(Ok(()), Err)
    }

    /// The report of all states of a program, for `replay` and `minimize`.
    fn report(
        &self,
        bench: &Bench<'_>,
        dir: &Path,
        trace: &Path,
        program: &Program,
        depth: u32,
    ) -> Result<()> {
        let target = self.target;
        let given = |text: &String| (!text.is_empty()).then(|| text.clone());
        // What a check writes is part of the recovery that is cut.
        let how = if depth > 1 { "--read-only " } else { "" };
        let examination = Examination {
            check: format!("powercut judge {how}'{}'", trace.display()),
            resident: false,
            truths: None,
            fsck: target.fsck.clone(),
            mount: Some(target.mount.clone()),
            cleanup: None,
            view_faults: Vec::new(),
            timeout_ms: u64::try_from(target.mount_timeout.as_millis())?,
            mount_timeout_ms: u64::try_from(target.mount_timeout.as_millis())?,
        };
        let session = Session {
            server: &Module {
                root: self.root,
                disk: bench.disk(),
            },
            signals: self.signals,
            examination: &examination,
            plan: &powercut_engine::explore::Plan {
                max_violations: None,
                depth,
                recovery_budget: RECOVERY_BUDGET,
                ..plan(self.options.budget)
            },
            reporting: &Reporting {
                report: Some(dir.join("report")),
                format: Format::Nothing,
                case: one_line(program),
                keep: false,
                deadline: None,
                dry_run: false,
                jobs: Some(1),
                wanted: Wanted::default(),
            },
            source: ReportSource {
                disk: None,
                fs: Some(target.fs.name().into()),
                mkfs_opts: given(&target.mkfs_opts),
                mkfs: target.mkfs.clone(),
                mount_opts: given(&target.mount_opts),
                setup: None,
                workload: Some("sh program.sh".into()),
                writeback: None,
                imported: None,
            },
            rules: Vec::new(),
            baseline: Extent::Nothing,
            recorded_in: Duration::ZERO,
            before: None,
        };
        session.explore().map(drop)
    }
}

/// A program in a line.
pub fn one_line(program: &Program) -> String {
    let ops: Vec<String> = program.ops.iter().map(ToString::to_string).collect();
    ops.join("; ")
}
