// SPDX-License-Identifier: GPL-2.0

//! What was typed, for clap. [`crate::options`] says what it means.

mod after;
mod fault;
mod groups;
mod suite;
mod values;

use std::path::PathBuf;

use clap::{ArgAction, Args, FromArgMatches, Parser, Subcommand, ValueEnum};
use powercut_engine::explore::Shard;
use powercut_engine::marks::Marks;
use powercut_engine::strategy::Strategy;
use powercut_engine::tear::Tear;

use crate::fs::Fs;

pub use after::{LintArgs, MergeArgs, MinimizeArgs, ReplayArgs, ReportArgs, ShowArgs};
pub use fault::{FaultArgs, FaultCommand};
pub use groups::command;
pub use suite::{case_command, RunCommand, SuiteArgs, NOT_OF_A_CASE};
pub use values::Value;

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
    /// Have a disk, or a view, do what no disk may: lie, lose, corrupt, fail
    Fault(FaultArgs),
    /// Save the record of a disk, with all data, as a file
    Export(ExportArgs),
    /// Make a disk with the record of a file that export wrote
    Import(ImportArgs),
    /// Print the record: every write, flush and mark
    Log(LogArgs),
    /// Count the legal states, exactly
    Count(CountArgs),
    /// Serve a crash state as /dev/powercut/NAME.VIEW
    State(StateArgs),
    /// Check the crash states of a recorded disk
    Explore(ExploreArgs),
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
    /// Print a report again, or write it in another format
    Report(ReportArgs),
    /// Print the completions for a shell
    Completions { shell: clap_complete::Shell },
    /// Write the man pages into a directory
    Man { dir: PathBuf },
    /// Put the reports of shards together
    Merge(MergeArgs),
    /// What powercut starts to run commands and mount states: see the crate's `executor`
    #[command(hide = true)]
    Executor,
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
}

/// How to examine a state.
#[derive(Debug, Args)]
#[command(next_help_heading = "Check")]
pub struct CheckArgs {
    /// Run this before the mount, on the device in POWERCUT_DEV
    ///
    /// Exit 0 to 3 is fine (errors that were corrected), as fsck(8) has it, else a violation; of
    /// xfs_repair, btrfs check and fsck.fat -n only 0 is fine, of fsck.fat 0 and 1.
    #[arg(long, value_name = "CMD")]
    pub fsck: Option<String>,
    /// The longest a check may take: 90s, 1h 30m [default: 60s, or as in the report]
    #[arg(long, value_name = "TIME")]
    pub check_timeout: Option<String>,
    /// Explore even if the check fails without a crash
    ///
    /// It is not run first on the disk as it was before the workload, nor on the one that the
    /// finished workload left.
    #[arg(long, hide_short_help = true)]
    pub no_baseline: bool,
    /// Run after each check, whatever that said: to stop a server in good order, say
    ///
    /// It has the check's variables, and is run before the check's processes are killed. Its failure
    /// is a warning.
    #[arg(long, value_name = "CMD", hide_short_help = true)]
    pub cleanup: Option<String>,
    /// What the disk that a state is examined on does wrong; may be given again
    ///
    /// A rule as `powercut fault` takes it: docs/faults.md.
    #[arg(long, value_name = "RULE", hide_short_help = true)]
    pub view_fault: Vec<String>,
}

/// What to explore, and how far.
#[derive(Debug, Args)]
#[command(next_help_heading = "States to look at")]
pub struct PlanArgs {
    /// Which states, in what order
    #[arg(long, value_name = "NAME", default_value = "auto")]
    pub strategy: Value<Strategy>,
    /// What random choices follow from
    #[arg(long, value_name = "S", default_value_t = 0, hide_short_help = true)]
    pub seed: u64,
    /// Cut the power up to D times: the second time while a state is recovered from
    ///
    /// What the mount, the checker and the check of a state write is recorded, cut and checked in
    /// turn.
    #[arg(long, value_name = "D", default_value_t = 1, hide_short_help = true)]
    pub depth: u32,
    /// States to try within each recovery, with --depth [default: 30; of exhaustive, none]
    #[arg(
        long,
        value_name = "N|TIME",
        allow_hyphen_values = true,
        hide_short_help = true
    )]
    pub recovery_budget: Option<String>,
    /// What an acknowledgement more may do to the verdict on a disk
    #[arg(
        long,
        value_name = "WHAT",
        default_value = "any",
        hide_short_help = true
    )]
    pub marks: Value<Marks>,
    /// Do part I of N only; `powercut merge` puts the reports together
    #[arg(long, value_name = "I/N", hide_short_help = true)]
    pub shard: Option<Shard>,
    /// States to look at, such as 300, a time, such as 90s, or none [default: 300]
    ///
    /// With --strategy exhaustive the default is none.
    #[arg(
        long,
        value_name = "N|TIME",
        allow_hyphen_values = true,
        help_heading = "Limits"
    )]
    pub budget: Option<String>,
    /// Check that many states side by side
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Limits")]
    pub jobs: usize,
    /// End with the first violation
    #[arg(long, help_heading = "Limits")]
    pub stop_on_first: bool,
    /// Look for the culprits of the first violations further than where it is cheap
    #[arg(long, help_heading = "Output", hide_short_help = true)]
    pub minimize: bool,
    /// Keep the disk for post-mortem
    #[arg(long, action = ArgAction::SetTrue, help_heading = "Output", hide_short_help = true)]
    pub keep: bool,
}

/// Until when, and where the report goes: of one case, or of all cases of a file.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct SessionArgs {
    /// End this long after the start, all in all
    ///
    /// Recording, exploring and the search for culprits together. Exploring ends as with a budget,
    /// and the report is written. A workload that still runs then is an error.
    #[arg(long, value_name = "TIME", help_heading = "Limits")]
    pub deadline: Option<String>,
    /// Explore nothing; tell how many states there are, and the time it would take
    ///
    /// The workload is recorded. One state is examined, for the time that takes.
    #[arg(long)]
    pub dry_run: bool,
    /// Where the report goes [default: ./powercut-report, if there are violations]
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
    /// Write the report as JUnit XML, too
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Write the report as a page for a browser, too [default: report.html in its directory]
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub html: Option<PathBuf>,
    /// Print the report as JSON instead of text
    #[arg(long)]
    pub json: bool,
    /// What to call this case in the report
    #[arg(long, value_name = "TEXT", hide_short_help = true)]
    pub case: Option<String>,
}

#[derive(Debug, Args)]
pub struct CreateArgs {
    pub name: String,
    #[command(flatten)]
    pub disk: DiskArgs,
    /// What it is to do wrong from the start, as `powercut fault` takes it; may be given again
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

#[derive(Debug, Args)]
pub struct LogArgs {
    pub name: String,
    /// Print JSON, an object a line
    #[arg(long)]
    pub json: bool,
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
pub struct ExportArgs {
    pub name: String,
    pub file: PathBuf,
}

#[derive(Debug, Args)]
pub struct ImportArgs {
    /// The disk to make
    pub name: String,
    pub file: PathBuf,
}

#[derive(Debug, Args)]
pub struct CountArgs {
    pub name: String,
    /// At this cut alone: after the event of that number
    #[arg(long, value_name = "K")]
    pub cut: Option<u64>,
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

#[derive(Debug, Args)]
#[command(after_long_help = crate::exit::help())]
pub struct ExploreArgs {
    /// The disk whose record to explore
    #[arg(required_unless_present_any = ["recording", "resume"])]
    pub name: Option<String>,
    /// Explore the recording of this report, or this file of `export`, instead
    ///
    /// Without --check, the check, the checker and the mount of the report are taken: commands of
    /// the report run as root.
    #[arg(long, value_name = "PATH", help_heading = "Record",
        conflicts_with_all = ["name", "resume"])]
    pub recording: Option<PathBuf>,
    /// Go on with the exploration whose report is in DIR, to the same end
    ///
    /// What would make it another one is refused: --budget and --jobs may be other ones. The
    /// commands of the report run as root.
    #[arg(long, value_name = "DIR", help_heading = "Record", conflicts_with_all = ["name", "check",
        "mount", "fsck", "view_fault", "check_timeout", "no_baseline", "cleanup", "strategy",
        "seed", "shard", "marks", "depth", "recovery_budget", "stop_on_first", "report", "case", "dry_run"])]
    pub resume: Option<PathBuf>,
    /// The check: exit 0 consistent, 125 can't tell, else a violation
    ///
    /// POWERCUT_MNT is where the state is mounted, POWERCUT_DEV its device, POWERCUT_MARKS a file
    /// with the acknowledgements to hold it to. Without it, what the report says of checking is
    /// taken, but for what is given.
    #[arg(long, value_name = "CMD", help_heading = "Check",
        required_unless_present_any = ["recording", "resume"])]
    pub check: Option<String>,
    /// Mount each state, as FS[,OPTION]..., or none: the check gets the device alone
    ///
    /// The default is none; without --check, it is as in the report.
    #[arg(long, value_name = "FS[,OPTS]", help_heading = "Check")]
    pub mount: Option<String>,
    #[command(flatten)]
    pub examine: CheckArgs,
    #[command(flatten)]
    pub plan: PlanArgs,
    #[command(flatten)]
    pub session: SessionArgs,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Filesystem")]
pub struct RunArgs {
    /// The filesystem to make and mount
    #[arg(long)]
    pub fs: Fs,
    /// Mount options, for the workload and for every check
    ///
    /// {log} is the path of disk log of a group, or of the view that shows it.
    #[arg(
        long,
        value_name = "OPTS",
        default_value = "",
        hide_default_value = true
    )]
    pub mount_opts: String,
    /// More arguments for mkfs; {log} is the path of disk log of a group
    #[arg(
        long,
        value_name = "OPTS",
        default_value = "",
        hide_default_value = true,
        allow_hyphen_values = true,
        hide_short_help = true
    )]
    pub mkfs_opts: String,
    /// Make the filesystem with this command instead of mkfs.FS
    ///
    /// Of a group, {log} is the path of disk log, and the first disk is mounted.
    #[arg(
        long,
        value_name = "CMD",
        conflicts_with = "mkfs_opts",
        hide_short_help = true
    )]
    pub mkfs: Option<String>,
    #[command(flatten)]
    pub disk: DiskArgs,
    /// Run with the filesystem mounted before the record begins
    #[arg(long, value_name = "CMD", help_heading = "Workload")]
    pub setup: Option<String>,
    /// What to record; a line written to POWERCUT_MARK is an acknowledgement
    ///
    /// POWERCUT_MNT is where the filesystem is mounted, POWERCUT_DEV the disk. The line is in the
    /// record before write() returns: from then on the check holds each state to it.
    #[arg(long, value_name = "CMD", help_heading = "Workload")]
    pub workload: String,
    /// The longest setup and workload may take, each [default: no limit]
    #[arg(long, value_name = "TIME", help_heading = "Workload")]
    pub workload_timeout: Option<String>,
    /// When the kernel writes dirty pages during the workload
    #[arg(
        long,
        value_name = "HOW",
        default_value = "default",
        help_heading = "Workload",
        hide_short_help = true
    )]
    pub writeback: WritebackArg,
    /// What the disk does wrong from the start of the record on; may be given again
    ///
    /// A rule as `powercut fault` takes it: docs/faults.md. States are outside of the contract
    /// then.
    #[arg(
        long,
        value_name = "RULE",
        help_heading = "Workload",
        hide_short_help = true
    )]
    pub fault: Vec<String>,
    /// Explore nothing; the report is for `explore --recording`
    #[arg(long, help_heading = "Workload", hide_short_help = true)]
    pub record_only: bool,
    /// The check: exit 0 consistent, 125 can't tell, else a violation
    ///
    /// POWERCUT_MNT is where the state is mounted, POWERCUT_DEV its device, POWERCUT_MARKS a file
    /// with the acknowledgements to hold it to, TMPDIR a directory of its own, POWERCUT_SLOT a number
    /// that no other check has at the same time.
    #[arg(long, value_name = "CMD", help_heading = "Check")]
    pub check: String,
    #[command(flatten)]
    pub examine: CheckArgs,
    #[command(flatten)]
    pub plan: PlanArgs,
    #[command(flatten)]
    pub session: SessionArgs,
}

#[cfg(test)]
mod tests;
