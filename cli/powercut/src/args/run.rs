// SPDX-License-Identifier: GPL-2.0

//! What was typed to explore: a record that is there, or one to be made.

use std::path::PathBuf;

use clap::Args;

use super::{BackendArg, CheckArgs, DiskArgs, PlanArgs, SessionArgs, WritebackArg};
use crate::fs::Fs;

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
        "resident", "mount", "fsck", "view_fault", "check_timeout", "mount_timeout", "no_baseline", "cleanup", "strategy",
        "seed", "shard", "marks", "depth", "recovery_budget", "stop_on_first", "max_violations",
        "report", "case", "dry_run"])]
    pub resume: Option<PathBuf>,
    /// What shows the states of a recording as block devices: docs/backends.md
    #[arg(
        long,
        value_name = "NAME",
        default_value = "auto",
        hide_short_help = true,
        help_heading = "Record"
    )]
    pub backend: BackendArg,
    /// The check: exit 0 consistent, 125 can't tell, else a violation
    ///
    /// POWERCUT_MNT is where the state is mounted, POWERCUT_DEV its device, POWERCUT_MARKS a file
    /// with the acknowledgements to hold it to. Without it, what the report says of checking is
    /// taken, but for what is given.
    #[arg(long, value_name = "CMD", help_heading = "Check",
        required_unless_present_any = ["recording", "resume", "resident"])]
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
    /// The filesystem to make and mount, as the kernel calls it; none: the commands get the device
    ///
    /// Any that the kernel has: it is made by mkfs.FS, or by --mkfs.
    #[arg(long, value_name = "FS", hide_possible_values = true)]
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
    /// Make the filesystem with this command, on POWERCUT_DEV, instead of mkfs.FS
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
    #[arg(
        long,
        value_name = "TIME",
        help_heading = "Workload",
        hide_short_help = true
    )]
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
    /// A fault that the disk has from the start of the record on; may be given again
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
    /// What records the workload and shows states as block devices: docs/backends.md
    ///
    /// ublk and nbd take no module of powercut. With nbd, the kernel's dm-log-writes records.
    #[arg(
        long,
        value_name = "NAME",
        default_value = "auto",
        hide_short_help = true,
        help_heading = "Workload"
    )]
    pub backend: BackendArg,
    /// The check: exit 0 consistent, 125 can't tell, else a violation
    ///
    /// POWERCUT_MNT is where the state is mounted, POWERCUT_DEV its device, POWERCUT_MARKS a file
    /// with the acknowledgements to hold it to, TMPDIR a directory of its own, POWERCUT_SLOT a number
    /// that no other check has at the same time.
    #[arg(
        long,
        value_name = "CMD",
        help_heading = "Check",
        required_unless_present_any = ["resident", "observe"]
    )]
    pub check: Option<String>,
    /// Instead of --check: prints what the software holds
    ///
    /// It is run on a copy of the files of POWERCUT_MNT at each mark. After a power cut it is to print what
    /// it printed at the newest mark before the cut, or at the one that followed: docs/observe.md.
    #[arg(
        long,
        value_name = "CMD",
        help_heading = "Check",
        conflicts_with_all = ["check", "resident"]
    )]
    pub observe: Option<String>,
    #[command(flatten)]
    pub examine: CheckArgs,
    #[command(flatten)]
    pub plan: PlanArgs,
    #[command(flatten)]
    pub session: SessionArgs,
}
