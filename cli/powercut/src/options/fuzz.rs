// SPDX-License-Identifier: GPL-2.0

//! What `fuzz` is to do.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{bail, Context, Result};
use powercut_engine::budget::Budget;
use powercut_engine::explore::Shard;
use powercut_programs::instances::Set;
use powercut_programs::level::Level;
use powercut_programs::program::Program;

use super::check::command;
use super::{limit, number_of_jobs};
use crate::args;
use crate::device::Settings;
use crate::fs::{Fs, MountSpec};
use crate::size;

/// Programs that are tried at random unless told.
const DEFAULT_PROGRAMS: u64 = 500;
/// More operations would be more than a program may have.
const MAX_OPS: u32 = 7;

#[derive(Debug)]
pub struct Fuzz {
    /// None: the bounds are to be listed.
    pub target: Option<Target>,
    pub programs: Programs,
    pub set: Set,
    pub set_name: String,
    /// The set and the number of operations, if they were given.
    pub bound: (Option<Set>, Option<u32>),
    /// Programs to try.
    pub most: Budget,
    pub from: u64,
    pub shard: Option<Shard>,
    pub seed: u64,
    /// States to look at for each program.
    pub budget: Budget,
    pub jobs: Option<usize>,
    pub max_violations: u64,
    pub deadline: Option<Duration>,
    pub known: Known,
    pub report: Option<PathBuf>,
    pub junit: Option<PathBuf>,
    pub json: bool,
}

/// Which findings are known before the first program.
#[derive(Debug)]
pub struct Known {
    /// Those of the documentation.
    pub of_linux: bool,
    /// Directories of reports.
    pub dirs: Vec<PathBuf>,
}

impl Known {
    /// `none` among what is given leaves out what the documentation has; so does a single program, which is tried
    /// for what it shows.
    fn new(given: Vec<PathBuf>, programs: &Programs) -> Self {
        let none = Path::new("none");
        Self {
            of_linux: !matches!(programs, Programs::This(_))
                && !given.iter().any(|dir| dir == none),
            dirs: given.into_iter().filter(|dir| dir != none).collect(),
        }
    }
}

/// Which programs are tried.
#[derive(Debug, Clone)]
pub enum Programs {
    Random { ops: u32 },
    Exhaustive { ops: u32 },
    This(Program),
}

/// What they are tried on.
#[derive(Debug)]
pub struct Target {
    pub fs: Fs,
    pub settings: Settings,
    pub mkfs_opts: String,
    pub mkfs: Option<String>,
    pub mount_opts: String,
    pub mount: MountSpec,
    pub level: Level,
    pub fsck: Option<String>,
    /// One of so many states is looked at further; 0: none.
    pub thorough: u64,
    pub mount_timeout: Duration,
}

impl Fuzz {
    pub fn new(args: args::FuzzArgs) -> Result<Self> {
        let programs = match (&args.program, args.exhaustive) {
            (Some(path), _) => {
                let text = fs::read_to_string(path);
                let text = text.with_context(|| format!("cannot read {}", path.display()))?;
                let program = text.parse();
                Programs::This(program.with_context(|| path.display().to_string())?)
            }
            (None, true) => Programs::Exhaustive {
                ops: ops(args.ops, 2)?,
            },
            (None, false) => Programs::Random {
                ops: ops(args.ops, 4)?,
            },
        };
        if args.from > 0 && !args.exhaustive {
            bail!(
                "--from needs --exhaustive: random programs follow from --seed, from the first on"
            );
        }
        let set_name = args.set.as_deref().unwrap_or("all");
        let set: Set = set_name
            .parse()
            .map_err(anyhow::Error::msg)
            .context("--set")?;
        if args.max_violations == 0 {
            bail!("--max-violations 0: give 1 or more");
        }
        let most = args.programs.as_deref().map(size::budget);
        let most = most.transpose().context("--programs")?;
        let default = if args.exhaustive {
            Budget::Unlimited
        } else {
            Budget::States(DEFAULT_PROGRAMS)
        };
        let known = Known::new(args.known.clone(), &programs);
        Ok(Self {
            programs,
            set,
            set_name: set_name.into(),
            bound: (args.set.as_ref().map(|_| set), args.ops),
            most: most.unwrap_or(default),
            from: args.from,
            shard: args.shard,
            seed: args.seed,
            budget: size::budget(&args.budget).context("--budget")?,
            jobs: number_of_jobs(args.jobs)?,
            max_violations: args.max_violations,
            deadline: limit("--deadline", args.deadline.as_deref())?,
            known,
            report: args.report.clone(),
            junit: args.junit.clone(),
            json: args.json,
            target: if args.list {
                None
            } else {
                Some(Target::new(args)?)
            },
        })
    }
}

fn ops(given: Option<u32>, default: u32) -> Result<u32> {
    match given.unwrap_or(default) {
        ops @ 1..=MAX_OPS => Ok(ops),
        other => bail!("--ops {other}: give a number from 1 to {MAX_OPS}"),
    }
}

impl Target {
    fn new(args: args::FuzzArgs) -> Result<Self> {
        let Some(fs) = args.fs else {
            bail!("give a filesystem: --fs FS");
        };
        for (flag, line) in [("--mkfs", &args.mkfs), ("--fsck", &args.fsck)] {
            if let Some(line) = line {
                command(flag, line)?;
            }
        }
        // Reading must not write.
        let options = match args.mount_opts.as_str() {
            "" => "noatime".to_string(),
            options => format!("noatime,{options}"),
        };
        let Some(mount) = MountSpec::parse(&format!("{},{options}", fs.name()))? else {
            bail!("--fs none: a program needs a filesystem");
        };
        let level = match &args.level {
            Some(level) => level
                .parse()
                .map_err(anyhow::Error::msg)
                .context("--level")?,
            None => {
                let mkfs = args.mkfs.as_deref().unwrap_or(&args.mkfs_opts);
                Level::of(fs.name(), mkfs, &args.mount_opts)
            }
        };
        let settings = super::settings(&args.disk, Some(fs.default_mib()))?;
        Ok(Self {
            settings: Settings {
                partscan: false,
                ..settings
            },
            mkfs_opts: args.mkfs_opts,
            mkfs: args.mkfs,
            mount_opts: args.mount_opts,
            fsck: match (args.fsck, mount.repaired_by()) {
                (Some(fsck), _) if fsck == "none" => None,
                (None, Some(checker)) => Some(format!("{checker} $POWERCUT_DEV")),
                (given, _) => given,
            },
            mount,
            level,
            thorough: args.thorough,
            mount_timeout: size::time(&args.mount_timeout).context("--mount-timeout")?,
            fs,
        })
    }
}
