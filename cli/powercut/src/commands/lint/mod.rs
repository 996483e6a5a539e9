// SPDX-License-Identifier: GPL-2.0

//! `powercut lint`: what the log alone tells.

mod text;

use anyhow::{Context, Result};
use powercut_engine::lint::lint;
use powercut_engine::recording::Recording;

use crate::args::LintArgs;
use crate::device::Root;
use crate::exit::Exit;
use crate::options;
use crate::output::{print, print_json};
use crate::report::Saved;
use text::Listed;

pub fn run(args: &LintArgs) -> Result<Exit> {
    let recording = match &args.name {
        Some(name) => {
            let name = options::name(name)?;
            let root = Root::open()?;
            let disk = root.disk(&name)?;
            let log = root.control().log(disk.name().as_str())?;
            Recording::read_log(log).with_context(|| format!("cannot use the log of {name}"))?
        }
        None => {
            let dir = args.report.clone();
            let dir = dir.unwrap_or_else(|| crate::report::DEFAULT_DIR.into());
            Saved::at(dir).log()?
        }
    };
    let found = lint(&recording);
    if args.json {
        print_json(&found)?;
    } else {
        let listed = if args.all {
            Listed::All
        } else {
            Listed::Examples
        };
        print(format_args!("{}", text::text(&found, listed)))?;
    }
    Ok(if found.at_risk.is_empty() {
        Exit::NoViolation
    } else {
        Exit::Violation
    })
}
