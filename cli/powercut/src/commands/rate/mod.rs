// SPDX-License-Identifier: GPL-2.0

//! `powercut rate`: which flushes of a record a check watches over.

mod raters;
mod text;

use std::io::{IsTerminal, Read};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{bail, Context, Result};
use powercut_engine::budget::Budget;
use powercut_engine::choices::Choices;
use powercut_engine::explore::{self, Plan, Rank};
use powercut_engine::id::StateId;
use powercut_engine::marks::Marks;
use powercut_engine::oracle::Finding;
use powercut_engine::rate::{guarantees, Guarantee, WithoutGuarantees};
use powercut_engine::recording::Recording;
use powercut_engine::strategy::Strategy;
use powercut_model::{Cut, History};

use super::manage::{load, own_name, settings_of};
use super::session::{is_single, Session};
use super::transfer::import_stream;
use crate::baseline::Subject;
use crate::device::{Disk, Name, Root, Selection, Show, View};
use crate::executor::Executor;
use crate::exit::Exit;
use crate::fs;
use crate::options::{default_jobs, say_borrowed, Format, Rate, RecordSource, Reporting, Wanted};
use crate::output::{print, print_json, say};
use crate::owner::Owners;
use crate::report::{
    Counts, Ended, Noticed, Rated, Rating, Record, Register, Report, Saved, Source, Violation,
    Watch, RATING_SCHEMA,
};
use crate::server::Module;
use crate::signals::{Interrupted, Signals};
use raters::{Told, Work};

/// Of what a guarantee protects, the names that are told.
const OWNERS: usize = 4;
/// Between two lines of progress where there is no terminal.
const INTERVAL: Duration = Duration::from_secs(10);

pub fn rate(options: &Rate) -> Result<Exit> {
    let began = Instant::now();
    let signals = Signals::install_for(options.deadline)?;
    let root = Root::open()?;
    let what = &options.record.examination;
    say_borrowed(&options.record.borrowed);
    if let Some(spec) = &what.mount {
        fs::need(&spec.fs, options.jobs)?;
    }
    what.say_advice();
    let kept = Kept::new(&root, &options.record.from)?;
    let log = kept.recording()?;
    if !log.header().faults.is_empty() {
        bail!(
            "the disk had faults when this was recorded ({}): its flushes promised nothing; rate a \
             record without",
            log.header().faults
        );
    }
    let all = guarantees(&log);
    let chosen = chosen(all.len(), options.most);
    let disk = disk_without(&root, options, &log, &kept)?;
    let without = load(&root, disk.name().as_str())?;
    options.record.baseline.run(Subject {
        server: &Module {
            root: &root,
            disk: &disk,
        },
        recording: &without,
        examination: what,
        signals: &signals,
    })?;
    let mut rated: Vec<Rated> = rows(&log, &all);
    let (own, numbers): (Vec<Guarantee>, Vec<usize>) = chosen
        .into_iter()
        .map(|number| (all[number].clone(), number))
        .unzip();
    let mut noticed: Vec<(StateId, Finding)> = Vec::new();
    let went = name_owners(&disk, options, &signals, (&log, &without), &all, &mut rated);
    let went = went.and_then(|()| {
        let mut progress = Progress::new(own.len());
        let work = Work {
            log: &log,
            without: &without,
            guarantees: &own,
            what,
            signals: &signals,
            budget: options.budget,
        };
        raters::rate(work, views(&disk, options)?, |nr, told| {
            progress.done(&told);
            noticed.extend(told.noticed.clone());
            enter(&mut rated[numbers[nr]], told);
        })
    });
    let mut rating = Rating {
        schema: RATING_SCHEMA,
        powercut: env!("CARGO_PKG_VERSION").into(),
        record: Record::of(&log),
        examination: what.clone(),
        counts: Counts::of(&rated),
        guarantees: rated,
        errors: Vec::new(),
        seconds: began.elapsed().as_secs_f64(),
    };
    let mut signal = None;
    if let Err(e) = went {
        signal = e.downcast_ref::<Interrupted>().copied();
        rating.errors.push(format!("{e:#}"));
    }
    if let Some(dir) = &options.report {
        let states = rating.guarantees.iter().map(|one| one.states).sum();
        let noticed = (&noticed[..], states);
        let saved = save(&root, &disk, options, &without, noticed, dir, &signals);
        rating.errors.extend(saved.err().map(|e| format!("{e:#}")));
    }
    let printed = if options.json {
        print_json(&rating)
    } else {
        print(format_args!("{}", text::text(&rating, options)))
    };
    rating
        .errors
        .extend(printed.err().map(|e| format!("{e:#}")));
    for error in &rating.errors {
        say(format_args!("{error}"));
    }
    Ok(exit(&rating, signal))
}

/// A violation counts, whatever else went wrong: here, one of a legal state.
fn exit(rating: &Rating, signal: Option<Interrupted>) -> Exit {
    let counts = &rating.counts;
    match signal {
        _ if counts.broken > 0 => Exit::Violation,
        Some(signal) => Exit::Interrupted(signal),
        None if !rating.errors.is_empty() => Exit::Undecided,
        None if counts.untold > 0
            && counts.untold + counts.idle == rating.guarantees.len() as u64 =>
        {
            Exit::Undecided
        }
        None => Exit::NoViolation,
    }
}

/// What rates take: a record that is there.
enum Kept<'r> {
    Disk(&'r Root, Name),
    Report(Saved),
}

impl<'r> Kept<'r> {
    fn new(root: &'r Root, from: &RecordSource) -> Result<Self> {
        Ok(match from {
            RecordSource::Disk(name) => Self::Disk(root, root.disk(name)?.name().clone()),
            RecordSource::Report(path) => Self::Report(Saved::at(path)),
        })
    }

    fn recording(&self) -> Result<Recording> {
        match self {
            Self::Disk(root, name) => load(root, name.as_str()),
            Self::Report(saved) => saved.recording(),
        }
    }

    /// As the driver gives it.
    fn stream(&self) -> Result<Box<dyn Read>> {
        Ok(match self {
            Self::Disk(root, name) => Box::new(root.control().export(name.as_str())?),
            Self::Report(saved) => Box::new(saved.stream()?),
        })
    }
}

/// A new disk that has the record without guarantees.
fn disk_without(root: &Root, options: &Rate, log: &Recording, kept: &Kept<'_>) -> Result<Disk> {
    let settings = options.record.examination.disk(settings_of(log));
    let disk = root.create(&own_name("rate", &settings)?, &settings)?;
    let without = || anyhow::Ok(WithoutGuarantees::new(kept.stream()?)?);
    import_stream(root, disk.name(), without)
        .context("cannot make a disk of the record without its flushes")?;
    Ok(disk)
}

/// The numbers of so many of `len`, spread evenly.
fn chosen(len: usize, most: u64) -> Vec<usize> {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    if len <= most {
        return (0..len).collect();
    }
    (0..most).map(|at| at * len / most).collect()
}

fn views(disk: &Disk, options: &Rate) -> Result<Vec<View>> {
    let is_group = disk.nodes().members().next().is_some();
    let default = || {
        if is_single(&options.record.examination, is_group) {
            1
        } else {
            default_jobs()
        }
    };
    let views: Result<Vec<View>, _> = (0..options.jobs.unwrap_or_else(default))
        .map(|_| disk.create_some_view())
        .collect();
    Ok(views?)
}

/// A row for each guarantee, not rated yet.
fn rows(log: &Recording, guarantees: &[Guarantee]) -> Vec<Rated> {
    let row = |guarantee: &Guarantee| {
        let recorded = &log.entries()[guarantee.index];
        let writes = guarantee.protects.iter();
        Rated {
            event: recorded.submit(),
            what: guarantee.promise,
            task: log.task(recorded).into(),
            writes: guarantee.protects.len() as u64,
            bytes: writes.map(|write| log.entries()[write.index].bytes()).sum(),
            owners: Vec::new(),
            outcome: Watch::NotRated,
            states: 0,
            noticed: None,
        }
    };
    guarantees.iter().map(row).collect()
}

fn enter(row: &mut Rated, told: Told) {
    row.outcome = told.outcome;
    row.states = told.states;
    row.noticed = told.noticed.map(|(id, finding)| Noticed {
        id: id.to_string(),
        kind: finding.kind,
        how: finding.how,
        output: finding.output.to_string(),
    });
}

/// Says whose the protected writes are, as the filesystem has it at the end of the record.
fn name_owners(
    disk: &Disk,
    options: &Rate,
    signals: &Signals,
    (log, without): (&Recording, &Recording),
    guarantees: &[Guarantee],
    rated: &mut [Rated],
) -> Result<()> {
    let Some(mount) = &options.record.examination.mount else {
        return Ok(());
    };
    let mut view = disk.create_some_view()?;
    let choices = Choices::new(without, Cut::new(without, without.last_event())?);
    view.show(&Selection::of(&choices, &choices.all()))?;
    let mut executor = Executor::new(signals, options.record.examination.mount_timeout());
    let nodes = view.nodes();
    let all: Vec<&Path> = nodes.all().collect();
    let owners = Owners::of(&all, &mount.fill(nodes), &mut executor);
    for (guarantee, row) in guarantees.iter().zip(rated) {
        for write in &guarantee.protects {
            let entry = &log.entries()[write.index];
            let (_, sector) = log.members().locate(entry.sector());
            let member = log.geometry().members.of(entry.sector());
            let owner = owners.find(member, sector, entry.nr_sectors());
            if let Some(owner) = owner.filter(|owner| !row.owners.contains(&owner.what)) {
                row.owners.push(owner.what);
            }
            if row.owners.len() == OWNERS {
                break;
            }
        }
    }
    Ok(())
}

/// A report of the record without guarantees: `replay` and `minimize` show there what was noticed.
fn save(
    root: &Root,
    disk: &Disk,
    options: &Rate,
    without: &Recording,
    (noticed, states): (&[(StateId, Finding)], u64),
    dir: &Path,
    signals: &Signals,
) -> Result<()> {
    let mut report = report(root, disk, options, without, signals);
    report.coverage.checked = states;
    let mut register = Register::default();
    for (id, finding) in noticed {
        let (choices, keep) = id.resolve(without)?;
        let mut violation = Violation::of(
            &choices,
            &explore::Violation {
                id: id.clone(),
                image: choices.image(&keep),
                keep,
                finding: finding.clone(),
                again: None,
                rank: Rank::default(),
            },
        );
        register.enter(&mut violation);
        report.violations.push(violation);
    }
    let stream = root.control().export(disk.name().as_str())?;
    Saved::at(dir).begin(&report, stream)
}

/// The same before there is anything in it.
fn report(
    root: &Root,
    disk: &Disk,
    options: &Rate,
    without: &Recording,
    signals: &Signals,
) -> Report {
    let session = Session {
        server: &Module { root, disk },
        signals,
        examination: &options.record.examination,
        plan: &Plan {
            strategy: Strategy::Auto,
            budget: Budget::States(options.budget),
            seed: 0,
            max_violations: None,
            shard: None,
            depth: 1,
            recovery_budget: Budget::Unlimited,
            marks: Marks::Any,
        },
        reporting: &Reporting {
            report: options.report.clone(),
            format: Format::Nothing,
            case: format!("{} without its flushes", options.record.case),
            keep: false,
            deadline: None,
            dry_run: false,
            jobs: options.jobs,
            wanted: Wanted::default(),
        },
        source: Source::default(),
        rules: Vec::new(),
        baseline: options.record.baseline.clone(),
        recorded_in: Duration::ZERO,
        before: None,
    };
    let mut report = session.report(without);
    report.coverage.ended = Ended::Budget;
    report
}

/// Says how far it is.
struct Progress {
    of: usize,
    done: usize,
    watched: u64,
    said: Instant,
}

impl Progress {
    fn new(of: usize) -> Self {
        Self {
            of,
            done: 0,
            watched: 0,
            said: Instant::now(),
        }
    }

    fn done(&mut self, told: &Told) {
        self.done += 1;
        self.watched += u64::from(told.outcome == Watch::Watched);
        if self.said.elapsed() >= INTERVAL || std::io::stderr().is_terminal() && self.done == 1 {
            self.said = Instant::now();
            say(format_args!(
                "{} of {} rated, {} watched",
                self.done, self.of, self.watched
            ));
        }
    }
}
