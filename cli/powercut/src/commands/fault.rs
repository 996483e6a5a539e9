// SPDX-License-Identifier: GPL-2.0

//! `powercut fault`: what a disk or a view is to do wrong.

use anyhow::Result;

use crate::args::{FaultArgs, FaultCommand};
use crate::device::{FaultDir, Root};
use crate::exit::Exit;
use crate::faults;
use crate::options;
use crate::output::{print, print_json};

pub fn fault(args: &FaultArgs) -> Result<Exit> {
    let (name, view) = options::name_and_view(&args.name)?;
    let rules = match &args.command {
        FaultCommand::Add { rules } => faults::rules(rules)?,
        _ => Vec::new(),
    };
    let disk = Root::open()?.disk(&name)?;
    let view = view.map(|view| disk.view(&view)).transpose()?;
    let faults = view
        .as_ref()
        .map_or_else(|| disk.faults(), |view| view.faults());
    match &args.command {
        FaultCommand::Add { .. } => faults.add(&rules)?,
        FaultCommand::List { json } => list(&faults, *json)?,
        FaultCommand::Clear => faults.clear()?,
    }
    Ok(Exit::NoViolation)
}

fn list(faults: &FaultDir<'_>, json: bool) -> Result<()> {
    let status = faults.status()?;
    if json {
        return print_json(&status);
    }
    for rule in status.rules.iter().cloned().chain(status.bad_rule()) {
        print(format_args!("{}  (applied {})\n", rule.rule, rule.hits))?;
    }
    Ok(())
}
