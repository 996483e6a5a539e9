// SPDX-License-Identifier: GPL-2.0

//! The arguments of what comes after an exploration: one state again, its
//! culprit, reports; and of lint, which needs none.

use std::path::PathBuf;

use clap::Args;

use super::BackendArg;

/// A state, and how to examine it: the check, the checker and the mount are those of the report,
/// but for what is given.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// The violation, by its number in the report, such as 3; or any state, by its id, such as
    /// 5f0c2a19:k=812:keep=0-3,7
    #[arg(value_name = "NUMBER|ID")]
    pub id: String,
    /// The report to replay from [default: ./powercut-report]
    #[arg(long, value_name = "DIR", conflicts_with = "disk")]
    pub report: Option<PathBuf>,
    /// Replay from the record of this disk instead
    #[arg(long, value_name = "NAME")]
    pub disk: Option<String>,
    /// What shows the states of a recording as block devices: docs/backends.md
    #[arg(
        long,
        value_name = "NAME",
        default_value = "auto",
        hide_short_help = true
    )]
    pub backend: BackendArg,
    /// The check, instead of the report's, which is run as root otherwise
    #[arg(long, value_name = "CMD")]
    pub check: Option<String>,
    /// The mount, if not the report's: FS[,OPTION]...
    #[arg(long, value_name = "FS[,OPTS]")]
    pub mount: Option<String>,
    /// The filesystem checker, instead of the report's, which is run as root otherwise
    #[arg(long, value_name = "CMD")]
    pub fsck: Option<String>,
    /// The longest the check may take, if not as in the report; in seconds, or with units: 90s
    #[arg(long, value_name = "TIME")]
    pub check_timeout: Option<String>,
    /// The longest a mount or an unmount may take, if not as in the report; in seconds, or with units: 3m
    #[arg(long, value_name = "TIME")]
    pub mount_timeout: Option<String>,
    /// Mount it read-only, and without recovery where the filesystem can
    #[arg(long)]
    pub read_only: bool,
    /// Print as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct ShowArgs {
    #[command(flatten)]
    pub replay: ReplayArgs,
    /// Open $SHELL in the mounted state instead of running the check
    #[arg(long, conflicts_with = "json")]
    pub shell: bool,
    /// Write the state as it is before any recovery to a file: a raw image, with holes
    #[arg(long, value_name = "FILE")]
    pub keep_image: Option<PathBuf>,
    /// Keep the disk and the view that shows the state, as it is before any recovery
    #[arg(long)]
    pub keep: bool,
}

#[derive(Debug, Args)]
pub struct MinimizeArgs {
    #[command(flatten)]
    pub replay: ReplayArgs,
    /// Examine this many states at most
    #[arg(long, value_name = "N", default_value_t = 400)]
    pub budget: u64,
}

#[derive(Debug, Args)]
pub struct LintArgs {
    /// The disk whose log to read
    pub name: Option<String>,
    /// The report whose recording to read instead [default: ./powercut-report]
    #[arg(long, value_name = "DIR", conflicts_with = "name")]
    pub report: Option<PathBuf>,
    /// List all of each kind, not a few
    #[arg(long, conflicts_with = "json")]
    pub all: bool,
    /// Print all as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The report
    #[arg(value_name = "DIR", default_value = crate::report::DEFAULT_DIR)]
    pub dir: PathBuf,
    /// Write it as a page for a browser
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Write it as JUnit XML, for a CI system
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
    /// End with the status that the exploration ends with: 1 if there are violations, 2 if it
    /// is not decided
    #[arg(long)]
    pub status: bool,
    /// Print the JSON schema of a report, of no report in particular
    #[arg(long, exclusive = true)]
    pub schema: bool,
}

#[derive(Debug, Args)]
pub struct MergeArgs {
    /// The directories of the shards' reports
    #[arg(required = true)]
    pub reports: Vec<PathBuf>,
    /// Where the merged report goes
    #[arg(long, value_name = "DIR", default_value = "powercut-report")]
    pub report: PathBuf,
    /// Print it as JSON instead of text
    #[arg(long)]
    pub json: bool,
}
