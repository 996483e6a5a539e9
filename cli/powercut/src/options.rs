// SPDX-License-Identifier: GPL-2.0

//! What the arguments mean, checked before anything is done. No clap in here
//! but for what comes in.

mod again;
mod borrowed;
mod check;
mod disk;
mod fuzz;
mod of_record;
mod rate;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{bail, Context, Result};
use powercut_engine::budget::Budget;
use powercut_engine::explore::Plan;
use powercut_engine::id::StateId;
use powercut_engine::marks::Marks;
use powercut_engine::strategy::Strategy;

use crate::args::{self, BackendArg, WritebackArg};
use crate::baseline::Extent;
use crate::device::{CutMode, CutRequest, Name, Settings, Trigger};
use crate::examination::Examination;
use crate::faults::{rules, Rule};
use crate::fs::{Fs, MountSpec};
use crate::size;

pub use again::{Minimize, Replay, ShowState};
pub use borrowed::{borrowed, say_borrowed, Given};
pub use check::examination_of_none;
use check::{command, examination, simple};
pub use disk::settings;
pub use fuzz::{Fuzz, Known, Programs, Target};
pub use of_record::OfRecord;
use of_record::Typed;
pub use rate::Rate;

/// What to do, and what to do with the result.
#[derive(Debug)]
pub struct Reporting {
    pub report: Option<PathBuf>,
    pub format: Format,
    pub case: String,
    pub keep: bool,
    /// After that time all of it is to end.
    pub deadline: Option<Duration>,
    /// Only what it would take is to be told.
    pub dry_run: bool,
    /// States checked side by side, if that was said.
    pub jobs: Option<usize>,
    pub wanted: Wanted,
}

/// What of a report goes to standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Text,
    Json,
    /// As text, without the table: that is one of all cases.
    Case,
    Nothing,
}

impl Format {
    pub fn new(json: bool) -> Self {
        if json {
            Self::Json
        } else {
            Self::Text
        }
    }

    pub fn is_text(self) -> bool {
        matches!(self, Self::Text | Self::Case)
    }
}

/// What was asked for beside the report.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Look for culprits as `minimize` does, and not only where it is cheap.
    pub minimize: bool,
    pub html: Option<PathBuf>,
    pub junit: Option<PathBuf>,
}

/// An exploration to go on with.
#[derive(Debug)]
pub struct Resume {
    pub dir: PathBuf,
    pub backend: BackendArg,
    /// In place of the one before.
    pub budget: Option<Budget>,
    pub jobs: Option<usize>,
    pub wanted: Wanted,
    pub json: bool,
    pub keep: bool,
    pub deadline: Option<Duration>,
}

#[derive(Debug)]
pub struct Run {
    pub backend: BackendArg,
    pub fs: Fs,
    pub settings: Settings,
    pub mkfs_opts: String,
    /// In place of mkfs.FS.
    pub mkfs: Option<String>,
    pub mount_opts: String,
    pub setup: Option<String>,
    pub workload: String,
    /// For setup and workload, each.
    pub workload_timeout: Option<Duration>,
    pub eager_writeback: bool,
    pub faults: Vec<Rule>,
    pub record_only: bool,
    pub examination: Examination,
    /// The check prints what the software holds; what it printed of the workload is yet to be had.
    pub observes: bool,
    pub baseline: Extent,
    pub plan: Plan,
    pub reporting: Reporting,
}

#[derive(Debug)]
pub struct Explore {
    pub from: RecordSource,
    pub backend: BackendArg,
    pub examination: Examination,
    pub baseline: Extent,
    /// What to say of commands that are the report's.
    pub borrowed: Vec<String>,
    pub plan: Plan,
    pub reporting: Reporting,
}

/// Where a record is taken from.
#[derive(Debug)]
pub enum RecordSource {
    Report(PathBuf),
    Disk(Name),
}

pub fn name(text: &str) -> Result<Name> {
    Ok(text.parse()?)
}

/// NAME or NAME.VIEW.
pub fn name_and_view(text: &str) -> Result<(Name, Option<Name>)> {
    match text.split_once('.') {
        Some((disk, view)) => Ok((name(disk)?, Some(name(view)?))),
        None => Ok((name(text)?, None)),
    }
}

pub fn cut(args: &args::CutArgs) -> Result<CutRequest> {
    if args.disarm {
        return Ok(CutRequest::Off);
    }
    let mode = match args.mode {
        args::CutMode::Eio => CutMode::Eio,
        args::CutMode::Hang => CutMode::Hang,
    };
    let trigger = match (&args.after, &args.on) {
        (Some(after), _) if after.starts_with("lba:") => {
            bail!("--after {after:?}: --on {after} cuts at the first write to these sectors")
        }
        (Some(after), _) => after
            .parse()
            .with_context(|| format!("--after {after:?}"))?,
        (None, Some(on)) if on.starts_with("lba:") => {
            on.parse().with_context(|| format!("--on {on:?}"))?
        }
        (None, Some(on)) => bail!("--on {on:?}: give sectors, as lba:2048-4095"),
        (None, None) => Trigger::Now,
    };
    Ok(CutRequest::Cut { mode, trigger })
}

/// Which pending writes survive.
#[derive(Debug)]
pub enum Survivors {
    None,
    All,
    Seed(u64),
    Id(StateId),
}

pub fn survivors(text: &str) -> Result<Survivors> {
    Ok(match (text, text.strip_prefix("seed:")) {
        ("none", _) => Survivors::None,
        ("all", _) => Survivors::All,
        (_, Some(seed)) => Survivors::Seed(
            seed.parse()
                .with_context(|| format!("--keep {text:?}: a seed is a number, such as seed:7"))?,
        ),
        (id, None) => Survivors::Id(id.parse().context("--keep: none, all, seed:S or an id")?),
    })
}

/// The default of --budget but for `exhaustive`, in states.
const DEFAULT_BUDGET: u64 = 300;
/// The default of --recovery-budget but for `exhaustive`, in states.
const RECOVERY_BUDGET: u64 = 30;
/// The driver lies no more views on each other.
const MAX_DEPTH: u32 = 3;
/// More views side by side than this are not of use.
const MAX_JOBS: usize = 64;

fn plan(args: &args::PlanArgs) -> Result<Plan> {
    if !(1..=MAX_DEPTH).contains(&args.depth) {
        bail!("--depth {}: give 1 to {MAX_DEPTH}", args.depth);
    }
    if args.recovery_budget.is_some() && args.depth == 1 {
        bail!("--recovery-budget needs --depth 2: without, no recovery is cut");
    }
    let or_default = |budget: Option<Budget>, default| match (budget, args.strategy.0) {
        (Some(budget), _) => budget,
        (None, Strategy::Exhaustive) => Budget::Unlimited,
        (None, _) => Budget::States(default),
    };
    let within = args.recovery_budget.as_deref().map(size::budget);
    let within = within.transpose().context("--recovery-budget")?;
    Ok(Plan {
        strategy: args.strategy.0,
        budget: or_default(budget(args)?, DEFAULT_BUDGET),
        depth: args.depth,
        recovery_budget: or_default(within, RECOVERY_BUDGET),
        seed: args.seed,
        max_violations: max_violations(args)?,
        shard: args.shard,
        marks: args.marks.0,
    })
}

fn max_violations(args: &args::PlanArgs) -> Result<Option<u64>> {
    match (args.stop_on_first, args.max_violations) {
        (true, _) => Ok(Some(1)),
        (false, Some(0)) => {
            bail!("--max-violations 0: give 1 or more; --budget 0 looks at nothing")
        }
        (false, max) => Ok(max),
    }
}

fn budget(args: &args::PlanArgs) -> Result<Option<Budget>> {
    let budget = args.budget.as_deref().map(size::budget);
    budget.transpose().context("--budget")
}

fn number_of_jobs(jobs: Option<usize>) -> Result<Option<usize>> {
    match jobs {
        None | Some(1..=MAX_JOBS) => Ok(jobs),
        Some(other) => bail!("--jobs {other}: give a number from 1 to {MAX_JOBS}"),
    }
}

/// The default of --jobs.
pub fn default_jobs() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().min(MAX_JOBS))
}

fn wanted(args: &args::PlanArgs, session: &args::SessionArgs) -> Wanted {
    Wanted {
        minimize: args.minimize,
        html: session.html.clone(),
        junit: session.junit.clone(),
    }
}

pub fn deadline(args: &args::SessionArgs) -> Result<Option<Duration>> {
    let time = args.deadline.as_deref().map(size::time);
    time.transpose().context("--deadline")
}

fn reporting(args: &args::PlanArgs, session: args::SessionArgs, case: String) -> Result<Reporting> {
    Ok(Reporting {
        jobs: number_of_jobs(args.jobs)?,
        wanted: wanted(args, &session),
        deadline: deadline(&session)?,
        dry_run: session.dry_run,
        report: session.report,
        format: Format::new(session.json),
        case: session.case.unwrap_or(case),
        keep: args.keep,
    })
}

/// A limit that has a default of its own.
fn limit(flag: &'static str, text: Option<&str>) -> Result<Option<Duration>> {
    text.map(size::time).transpose().context(flag)
}

impl Run {
    pub fn new(args: args::RunArgs) -> Result<Self> {
        command("--workload", &args.workload)?;
        if args.plan.shard.is_some() {
            bail!(
                "--shard needs one record for all shards: `powercut run --record-only` makes it, \
                 `powercut explore --recording DIR --shard I/N` takes it"
            );
        }
        let name = args.fs.name().to_string();
        let name = name.as_str();
        let plain = args.mkfs_opts.is_empty() && args.mount_opts.is_empty() && args.mkfs.is_none();
        if args.record_only && args.session.dry_run {
            bail!("--record-only and --dry-run both explore nothing: give one of them");
        }
        if args.fs.is_none() && !plain {
            bail!("--mkfs, --mkfs-opts and --mount-opts need a filesystem, --fs none has none");
        }
        if let Some(mkfs) = &args.mkfs {
            command("--mkfs", mkfs)?;
        }
        if let Some(observe) = &args.observe {
            command("--observe", observe)?;
            can_observe(&args)?;
        }
        let mount = match args.mount_opts.as_str() {
            "" => MountSpec::parse(name)?,
            options => MountSpec::parse(&format!("{name},{options}"))?,
        };
        let case = match args.mount_opts.as_str() {
            "" => name.to_string(),
            options => format!("{name},{options}"),
        };
        let wants_baseline = !args.examine.no_baseline;
        let check = args.observe.as_deref().or(args.check.as_deref());
        let examination = examination(check, args.examine, mount)?;
        let examination = simple(examination, &args.plan)?;
        let settings = settings(&args.disk, Some(args.fs.default_mib()))?;
        Ok(Self {
            backend: args.backend,
            fs: args.fs,
            settings: examination.disk(settings),
            mkfs_opts: args.mkfs_opts,
            mkfs: args.mkfs,
            mount_opts: args.mount_opts,
            setup: args.setup,
            workload_timeout: limit("--workload-timeout", args.workload_timeout.as_deref())?,
            workload: args.workload,
            record_only: args.record_only,
            baseline: if !wants_baseline {
                Extent::Nothing
            } else if args.fault.is_empty() {
                Extent::Both {
                    keep: args.plan.keep,
                }
            } else {
                // What the faults did to the disk is meant.
                Extent::Before
            },
            faults: rules(&args.fault).context("--fault")?,
            eager_writeback: args.writeback == WritebackArg::Eager,
            examination,
            observes: args.observe.is_some(),
            plan: plan(&args.plan)?,
            reporting: reporting(&args.plan, args.session, case)?,
        })
    }
}

/// Refuses what does not go with --observe.
fn can_observe(args: &args::RunArgs) -> Result<()> {
    if args.fs.is_none() {
        bail!(
            "--observe needs a filesystem: at each mark the files are copied. For what writes to a device, \
             --fs none, give a --check"
        );
    }
    if args.plan.marks.0 == Marks::Monotone {
        bail!(
            "--observe does not go with --marks monotone: with one mark more, a state that was wrong may be \
             right"
        );
    }
    Ok(())
}

impl Explore {
    pub fn new(args: args::ExploreArgs) -> Result<Self> {
        let record = OfRecord::new(Typed {
            name: args.name,
            recording: args.recording,
            check: args.check,
            mount: args.mount,
            examine: args.examine,
        })?;
        Ok(Self {
            from: record.from,
            backend: args.backend,
            baseline: record.baseline,
            borrowed: record.borrowed,
            examination: simple(record.examination, &args.plan)?,
            plan: plan(&args.plan)?,
            reporting: reporting(&args.plan, args.session, record.case)?,
        })
    }
}

impl Resume {
    pub fn new(
        dir: PathBuf,
        backend: BackendArg,
        args: &args::PlanArgs,
        session: &args::SessionArgs,
    ) -> Result<Self> {
        Ok(Self {
            dir,
            backend,
            budget: budget(args)?,
            jobs: number_of_jobs(args.jobs)?,
            wanted: wanted(args, session),
            deadline: deadline(session)?,
            json: session.json,
            keep: args.keep,
        })
    }
}

#[cfg(test)]
mod tests;
