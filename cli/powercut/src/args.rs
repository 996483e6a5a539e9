// SPDX-License-Identifier: GPL-2.0

//! What was typed, for clap. [`crate::options`] says what it means.

mod after;
mod fault;
mod fuzz;
mod groups;
mod log;
mod plan;
mod rate;
mod run;
mod suite;
mod transfer;
mod values;

use std::path::PathBuf;

use clap::{Args, FromArgMatches, Parser, Subcommand, ValueEnum};
use powercut_engine::marks::Marks;
use powercut_engine::tear::Tear;

pub use after::{LintArgs, MergeArgs, MinimizeArgs, ReplayArgs, ReportArgs, ShowArgs};
pub use fault::{FaultArgs, FaultCommand};
pub use fuzz::FuzzArgs;
pub use groups::command;
pub use log::{LogArgs, LogFilter};
pub use plan::{CheckArgs, PlanArgs, SessionArgs};
pub use rate::RateArgs;
pub use run::{ExploreArgs, RunArgs};
pub use suite::{case_command, RunCommand, SuiteArgs, NOT_OF_A_CASE};
pub use transfer::{ExportArgs, Foreign, ImportArgs};
pub use values::{BackendArg, Value};

/// Cut the power of a block device, and see what software makes of it
///
/// A powercut disk is a RAM disk with a modelled volatile write cache. It
/// records what is written; then every state that it could legally be in after
/// a power failure can be had as a real block device.
#[derive(Debug, Parser)]
#[command(name = "powercut", version, arg_required_else_help = true)]
#[command(after_help = crate::exit::help())]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// What this process was given; ends it if that is no use.
    pub fn of_this_process() -> Self {
        let given = command().get_matches();
        Self::from_arg_matches(&given).unwrap_or_else(|e| e.exit())
    }
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a disk: /dev/powercut/NAME
    Create(CreateArgs),
    /// Show the disks and their views
    List(ListArgs),
    /// Remove a disk with its views, or a view, or what killed commands left
    Remove(RemoveArgs),
    /// Start, stop or end a record of a disk
    Record(RecordArgs),
    /// Put an acknowledgement into the record
    Mark(MarkArgs),
    /// Cut the power of a disk in use, now or at a trigger
    Cut(CutArgs),
    /// Bring the power back: the disk holds a legal survivor of the cut
    Restore(RestoreArgs),
    /// Inject faults into a disk or a view: flushes that lie, lost or corrupt writes, I/O errors
    Fault(FaultArgs),
    /// Save the record of a disk, with all data, as a file; or make a log of it for other tools
    Export(ExportArgs),
    /// Make a disk with the record of a file that export wrote; or a report of another tool's log
    Import(ImportArgs),
    /// Print the record: every write, flush and mark
    Log(LogArgs),
    /// Count the legal states, exactly
    Count(CountArgs),
    /// Serve a crash state as /dev/powercut/NAME.VIEW
    State(StateArgs),
    /// Check the crash states of a recorded disk
    Explore(Box<ExploreArgs>),
    /// Record a workload on a new disk and check the crash states it may leave
    Run(RunCommand),
    /// Show one crash state of a report, or of a disk, to a check again, or to you
    ///
    /// This runs commands of the report as root: its check, and its filesystem checker. They are
    /// said before they are run. Take reports only from whom you would take a program, or give --check
    /// and --fsck.
    Replay(ShowArgs),
    /// Find which write had to be stable before which
    ///
    /// This runs commands of the report as root, as replay does.
    Minimize(MinimizeArgs),
    /// Find promises and flushes at fault in the log alone, without a crash
    Lint(LintArgs),
    /// Tell which flushes a check watches over, and which nothing needs
    ///
    /// Each flush and each FUA of a record is taken out in turn: does the check notice what may be lost
    /// then? docs/rate.md.
    Rate(Box<RateArgs>),
    /// Test a filesystem with generated programs
    ///
    /// Each is a few file operations. What the filesystem makes of every legal crash state is held to
    /// what Linux promises: docs/fuzz.md and docs/oracles.md.
    Fuzz(Box<FuzzArgs>),
    /// Judge what is mounted at POWERCUT_MNT by the trace of a program: a check, for `replay`
    ///
    /// `powercut fuzz` writes the trace, beside the report whose check this is. POWERCUT_MARKS says
    /// how far the program was.
    Judge {
        /// Write nothing: whether files can be made and removed is not tried
        ///
        /// That would be part of a recovery that is recorded, to be cut (`--depth`).
        #[arg(long)]
        read_only: bool,
        /// The trace
        trace: PathBuf,
    },
    /// Print a report again, or write it in another format
    Report(ReportArgs),
    /// Print the completions for a shell
    Completions { shell: clap_complete::Shell },
    /// Write the man pages into a directory
    Man { dir: PathBuf },
    /// Put the reports of shards together
    Merge(MergeArgs),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    On,
    Off,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RecordCommand {
    /// What the disk holds now becomes the base of a new record
    Start,
    /// The record ends; the disk stays usable
    Stop,
    /// The record goes and the disk returns to its base
    Reset,
    /// The record goes and the disk keeps what it holds
    Drop,
    /// Say how far it is
    Status,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum WritebackArg {
    /// As the kernel is set
    Default,
    /// Dirty pages are written at once
    Eager,
}

/// The properties of a disk.
#[derive(Debug, Args)]
#[command(next_help_heading = "Disk")]
pub struct DiskArgs {
    /// Size in MiB, or with a unit: 64M, 1G
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    pub size: Option<String>,
    /// Make a group of disks that are recorded and cut together: data:48M,log:16M
    ///
    /// Each has a name and a size, and is /dev/powercut/NAME/DISK.
    #[arg(
        long,
        value_name = "DISK:SIZE,..",
        conflicts_with = "size",
        hide_short_help = true
    )]
    pub disks: Option<String>,
    /// Logical and physical block: 512 or 4096
    #[arg(
        long,
        value_name = "BYTES",
        default_value = "4096",
        hide_short_help = true
    )]
    pub block_size: u32,
    /// What never tears, a power of two from the block size to 65536 [default: the block size]
    #[arg(long, value_name = "BYTES", hide_short_help = true)]
    pub atomic_unit: Option<u32>,
    /// What survives of a write of several units that did not become stable
    #[arg(
        long,
        value_name = "WHAT",
        default_value = "any",
        hide_short_help = true
    )]
    pub tear: Value<Tear>,
    /// A volatile write cache
    #[arg(
        long,
        value_name = "WHETHER",
        default_value = "on",
        hide_short_help = true
    )]
    pub write_cache: Switch,
    /// Forced unit access; needs the write cache [default: as the write cache]
    #[arg(long, value_name = "WHETHER", hide_short_help = true)]
    pub fua: Option<Switch>,
    /// When writes and flushes complete: inline, delayed:USEC or delayed:random:MIN-MAX,SEED
    ///
    /// Times are in microseconds.
    #[arg(
        long,
        value_name = "WHEN",
        default_value = "inline",
        hide_short_help = true
    )]
    pub completion: String,
    /// What a discarded block that was written to before holds: zeroes, or garbage:SEED
    #[arg(
        long,
        value_name = "WHAT",
        default_value = "zeroes",
        hide_short_help = true
    )]
    pub discard_content: String,
    /// Have the log tell a hash of the kernel stack that each write came from
    #[arg(long, hide_short_help = true)]
    pub stacks: bool,
    /// The memory that the record may take: 512M, 4G, or none; writes beyond fail
    ///
    /// For `run`, the default is half of the memory that is available, but 1G at least; for `create`
    /// it is 1G.
    #[arg(long, value_name = "SIZE", hide_short_help = true)]
    pub log_limit: Option<String>,
}

#[derive(Debug, Args)]
pub struct CreateArgs {
    pub name: String,
    #[command(flatten)]
    pub disk: DiskArgs,
    /// A fault that the disk has from the start, as `powercut fault` takes it; may be given again
    #[arg(long, value_name = "RULE")]
    pub fault: Vec<String>,
    /// Print the disk as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct ListArgs {
    /// Print as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct RemoveArgs {
    /// NAME of a disk, or NAME.VIEW
    #[arg(required_unless_present = "stale")]
    pub name: Option<String>,
    /// Remove what commands that were killed left: disks, views, mounts, temporary directories, and
    /// the settings of --writeback eager
    #[arg(long, conflicts_with = "name")]
    pub stale: bool,
}

#[derive(Debug, Args)]
pub struct RecordArgs {
    pub name: String,
    pub command: RecordCommand,
    /// Print the status as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct MarkArgs {
    pub name: String,
    #[arg(allow_hyphen_values = true)]
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CutMode {
    /// I/O fails
    Eio,
    /// I/O never completes, until the power is restored or the disk removed
    Hang,
}

#[derive(Debug, Args)]
pub struct CutArgs {
    pub name: String,
    /// The trigger: writes:N, flushes:N, fua:N or meta:N (the N-th from now, in flight then),
    /// mark:TEXT, ms:N [default: now]
    #[arg(long, value_name = "WHAT:N", conflicts_with = "on")]
    pub after: Option<String>,
    /// The trigger: the first write to these sectors of 512 bytes, lba:A-B, or lba:DISK+A-B of a
    /// group
    #[arg(long, value_name = "lba:A-B")]
    pub on: Option<String>,
    /// What becomes of I/O while the power is off
    #[arg(long, value_name = "MODE", default_value = "eio")]
    pub mode: CutMode,
    /// Return once the power is cut
    #[arg(long)]
    pub wait: bool,
    /// Take an armed trigger back
    #[arg(long, conflicts_with_all = ["after", "on", "wait"])]
    pub disarm: bool,
}

#[derive(Debug, Args)]
pub struct RestoreArgs {
    pub name: String,
    /// Which pending writes survive: none, all, seed:S (any of them, by a seed), or the id of
    /// a state at the cut
    #[arg(long, value_name = "WHICH", default_value = "none")]
    pub keep: String,
    /// Save the record first, so that the state can be shown again: see import
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,
    /// Print as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct CountArgs {
    /// The disk whose record to count
    pub name: Option<String>,
    /// The report, or the file of `export`, whose recording to count instead [default: ./powercut-report]
    #[arg(long, value_name = "DIR", conflicts_with = "name")]
    pub report: Option<PathBuf>,
    /// At this cut alone: after the event of that number
    #[arg(long, value_name = "K")]
    pub cut: Option<u64>,
    /// What an acknowledgement more may do to the verdict on a disk: with monotone there are fewer cuts
    #[arg(
        long,
        value_name = "WHAT",
        default_value = "any",
        conflicts_with = "cut"
    )]
    pub marks: Value<Marks>,
    /// Print as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct StateArgs {
    pub name: String,
    /// The state, such as 5f0c2a19:k=812:keep=0-3,7
    pub id: String,
    /// The view to serve it as: /dev/powercut/NAME.VIEW
    #[arg(long = "as", value_name = "VIEW")]
    pub view: String,
}

#[cfg(test)]
mod tests;
