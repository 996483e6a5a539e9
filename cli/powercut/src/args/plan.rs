// SPDX-License-Identifier: GPL-2.0

//! What was typed of a check, of what it is to be shown, and of what is to come out.

use std::path::PathBuf;

use clap::{ArgAction, Args};
use powercut_engine::explore::Shard;
use powercut_engine::marks::Marks;
use powercut_engine::strategy::Strategy;

use super::Value;

/// How to examine a state.
#[derive(Debug, Args)]
#[command(next_help_heading = "Check")]
pub struct CheckArgs {
    /// A check that is started once and told of each state in a line, instead of --check
    ///
    /// It answers in a line: ok, skip, or violation and what is wrong. It has the variables of a
    /// check, which the line says again, as JSON: docs/check.md.
    #[arg(
        long,
        value_name = "CMD",
        conflicts_with = "check",
        hide_short_help = true
    )]
    pub resident: Option<String>,
    /// Run this before the mount, on the device in POWERCUT_DEV
    ///
    /// Exit 0 to 3 is fine (errors that were corrected), as fsck(8) has it, else a violation; of
    /// xfs_repair, btrfs check and fsck.fat -n only 0 is fine, of fsck.fat 0 and 1.
    #[arg(long, value_name = "CMD")]
    pub fsck: Option<String>,
    /// The longest a check may take: 90s, 1h 30m [default: 60s, or as in the report]
    #[arg(long, value_name = "TIME")]
    pub check_timeout: Option<String>,
    /// The longest a mount or an unmount may take [default: 60s, or as in the report]
    ///
    /// If one takes longer, that is no verdict: the kernel may hang, so the run ends with an error.
    #[arg(long, value_name = "TIME", hide_short_help = true)]
    pub mount_timeout: Option<String>,
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
    /// A fault of the disk that a state is examined on; may be given again
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
    /// The seed of all random choices
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
    /// Examine part I of N only; `powercut merge` puts the reports together
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
    /// Check this many states in parallel [default: the number of processors; of a group or with btrfs, 1]
    ///
    /// Verdicts do not depend on it, if checks don't disturb each other: POWERCUT_SLOT tells them
    /// apart.
    #[arg(long, value_name = "N", help_heading = "Limits")]
    pub jobs: Option<usize>,
    /// End with the first violation, as --max-violations 1
    #[arg(long, help_heading = "Limits", conflicts_with = "max_violations")]
    pub stop_on_first: bool,
    /// End after this many violations
    #[arg(
        long,
        value_name = "N",
        help_heading = "Limits",
        hide_short_help = true
    )]
    pub max_violations: Option<u64>,
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
    /// End this long after the start
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
