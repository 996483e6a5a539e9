// SPDX-License-Identifier: GPL-2.0

//! `powercut explore`: the record of a disk that exists, of a file, or of a
//! report whose exploration was interrupted.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{bail, Context, Result};
use powercut_engine::budget::Budget;
use powercut_engine::explore::Plan;
use powercut_engine::strategy::Strategy;

use super::backend::{asked, Backend, Opened};
use super::session::Session;
use crate::baseline::Extent;
use crate::device::{Root, RuleStatus};
use crate::exit::Exit;
use crate::fs;
use crate::options::{
    borrowed, say_borrowed, Explore, Format, Given, RecordSource, Reporting, Resume,
};
use crate::recorder::rules_of;
use crate::report::{PlanFacts, Saved, Source};
use crate::signals::Signals;
use crate::size;

pub fn explore(options: &Explore) -> Result<Exit> {
    let began = Instant::now();
    let signals = Signals::install_for(options.reporting.deadline)?;
    let needs = asked(&[("--keep", options.reporting.keep)]);
    let backend = Backend::choose(options.backend, &options.from, &needs)?;
    say_borrowed(&options.borrowed);
    if let Some(spec) = &options.examination.mount {
        fs::need(&spec.fs, options.reporting.jobs)?;
    }
    options.examination.say_advice();
    let (opened, source, rules, recorded_in) = match &options.from {
        RecordSource::Disk(name) => {
            let source = Source {
                disk: Some(name.to_string()),
                ..Source::default()
            };
            let root = Root::open()?;
            let disk = root.disk(name)?;
            let rules = rules_of(&disk)?;
            let opened = Opened::Module { root, disk };
            (opened, source, rules, Duration::ZERO)
        }
        RecordSource::Report(path) => {
            let saved = Saved::at(path);
            let (source, rules, recorded_in) = origin(&saved)?;
            let opened = backend.serve(&saved, &options.examination)?;
            (opened, source, rules, recorded_in)
        }
    };
    let server = opened.server();
    let session = Session {
        server: &*server,
        signals: &signals,
        examination: &options.examination,
        plan: &options.plan,
        reporting: &options.reporting,
        source,
        rules,
        baseline: options.baseline.clone(),
        recorded_in,
        before: None,
    };
    if options.reporting.dry_run {
        return session.dry_run(began);
    }
    session.explore()?.told()
}

/// Where a recording came from, what the disk was told to do wrong, and the time that it took.
fn origin(saved: &Saved) -> Result<(Source, Vec<RuleStatus>, Duration)> {
    if !saved.has_report() {
        return Ok((Source::default(), Vec::new(), Duration::ZERO));
    }
    let report = saved.report()?;
    let rules = report.faults.map(|faults| faults.rules);
    let recorded_in = seconds(report.seconds.record);
    Ok((report.source, rules.unwrap_or_default(), recorded_in))
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

pub fn resume(options: &Resume) -> Result<Exit> {
    let saved = Saved::at(&options.dir);
    let report = saved.report()?;
    let signals = Signals::install_for(options.deadline)?;
    let plan = plan(&report.plan, &options.dir)?;
    let needs = asked(&[("--keep", options.keep)]);
    let from = RecordSource::Report(options.dir.clone());
    let backend = Backend::choose(options.backend, &from, &needs)?;
    let commands = borrowed(&options.dir, &report.examination, Given::default());
    say_borrowed(&commands);
    let plan = Plan {
        budget: options.budget.unwrap_or(plan.budget),
        ..plan
    };
    let opened = backend.serve(&saved, &report.examination)?;
    let server = opened.server();
    Session {
        server: &*server,
        signals: &signals,
        examination: &report.examination,
        plan: &plan,
        reporting: &Reporting {
            report: Some(options.dir.clone()),
            format: Format::new(options.json),
            case: report.case.clone(),
            keep: options.keep,
            deadline: options.deadline,
            dry_run: false,
            jobs: options.jobs,
            wanted: options.wanted.clone(),
        },
        source: report.source.clone(),
        rules: report
            .faults
            .as_ref()
            .map_or_else(Vec::new, |faults| faults.rules.clone()),
        baseline: Extent::Done(report.baseline.clone()),
        recorded_in: seconds(report.seconds.record),
        before: Some(report.clone()),
    }
    .explore()?
    .told()
}

/// The plan of a report.
fn plan(facts: &PlanFacts, dir: &Path) -> Result<Plan> {
    let Ok(strategy) = facts.strategy.parse::<Strategy>() else {
        bail!(
            "{} has a strategy {:?}, unknown here",
            dir.display(),
            facts.strategy
        );
    };
    let shard = facts.shard.as_deref().map(str::parse).transpose();
    Ok(Plan {
        strategy,
        budget: size::read_budget(&facts.budget).context("the report's budget")?,
        seed: facts.seed,
        max_violations: facts.max_violations.or(facts.stop_on_first.then_some(1)),
        shard: shard.map_err(anyhow::Error::msg)?,
        depth: facts.depth,
        marks: facts.marks,
        recovery_budget: match &facts.recovery_budget {
            Some(text) => size::read_budget(text).context("the report's recovery budget")?,
            None => Budget::Unlimited,
        },
    })
}
