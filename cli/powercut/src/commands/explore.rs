// SPDX-License-Identifier: GPL-2.0

//! `powercut explore`: the record of a disk that exists.

use std::time::Duration;

use anyhow::Result;

use super::session::Session;
use crate::device::Root;
use crate::exit::Exit;
use crate::options::Explore;
use crate::report::Source;
use crate::signals::Signals;

pub fn explore(options: &Explore) -> Result<Exit> {
    let signals = Signals::install()?;
    let root = Root::open()?;
    let disk = root.disk(&options.name)?;
    Session {
        root: &root,
        disk: &disk,
        signals: &signals,
        examination: &options.examination,
        plan: &options.plan,
        reporting: &options.reporting,
        source: Source {
            disk: Some(options.name.to_string()),
            ..Source::default()
        },
        recorded_in: Duration::ZERO,
    }
    .explore()
}
