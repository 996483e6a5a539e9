// SPDX-License-Identifier: GPL-2.0

//! What `rate` is to do.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{bail, Result};

use super::of_record::{OfRecord, Typed};
use super::{limit, number_of_jobs};
use crate::args;

#[derive(Debug)]
pub struct Rate {
    pub record: OfRecord,
    /// States to look at for each guarantee.
    pub budget: u64,
    /// Guarantees to rate.
    pub most: u64,
    pub jobs: Option<usize>,
    pub deadline: Option<Duration>,
    pub report: Option<PathBuf>,
    /// List them all.
    pub all: bool,
    pub json: bool,
}

impl Rate {
    pub fn new(args: args::RateArgs) -> Result<Self> {
        for (flag, value) in [("--budget", args.budget), ("--most", args.most)] {
            if value == 0 {
                bail!("{flag} 0 looks at nothing: give 1 or more");
            }
        }
        Ok(Self {
            record: OfRecord::new(Typed {
                name: args.name,
                recording: args.recording,
                check: args.check,
                mount: args.mount,
                examine: args.examine,
            })?,
            budget: args.budget,
            most: args.most,
            jobs: number_of_jobs(args.jobs)?,
            deadline: limit("--deadline", args.deadline.as_deref())?,
            report: args.report,
            all: args.all,
            json: args.json,
        })
    }
}
