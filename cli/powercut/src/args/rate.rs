// SPDX-License-Identifier: GPL-2.0

//! The arguments of `rate`.

use std::path::PathBuf;

use clap::Args;

use super::CheckArgs;

#[derive(Debug, Args)]
pub struct RateArgs {
    /// The disk whose record to take
    #[arg(required_unless_present = "recording")]
    pub name: Option<String>,
    /// Take the recording of this report, or this file of `export`, instead
    ///
    /// Without --check, the check, the checker and the mount of the report are taken: commands of
    /// the report run as root.
    #[arg(
        long,
        value_name = "PATH",
        help_heading = "Record",
        conflicts_with = "name"
    )]
    pub recording: Option<PathBuf>,
    /// The check: exit 0 consistent, 125 can't tell, else a violation
    #[arg(long, value_name = "CMD", help_heading = "Check",
        required_unless_present_any = ["recording", "resident"])]
    pub check: Option<String>,
    /// Mount each state, as FS[,OPTION]..., or none: the check gets the device alone
    ///
    /// The default is none; without --check, it is as in the report.
    #[arg(long, value_name = "FS[,OPTS]", help_heading = "Check")]
    pub mount: Option<String>,
    #[command(flatten)]
    pub examine: CheckArgs,
    /// Look at this many states for each flush, at most
    #[arg(long, value_name = "N", default_value_t = 24, help_heading = "Limits")]
    pub budget: u64,
    /// Rate this many flushes and FUA writes, spread over the record, at most
    #[arg(long, value_name = "N", default_value_t = 200, help_heading = "Limits")]
    pub most: u64,
    /// Check this many states in parallel [default: the number of processors; of a group or with btrfs, 1]
    #[arg(long, value_name = "N", help_heading = "Limits")]
    pub jobs: Option<usize>,
    /// End this long after the start: what was rated by then is told
    #[arg(long, value_name = "TIME", help_heading = "Limits")]
    pub deadline: Option<String>,
    /// Where a report goes: of the record without its flushes, and the states that the check noticed
    ///
    /// `powercut replay` and `minimize` take it, with the numbers or ids that are printed.
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub report: Option<PathBuf>,
    /// List what the check watches over as well
    #[arg(long, help_heading = "Output")]
    pub all: bool,
    /// Print as JSON
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}
