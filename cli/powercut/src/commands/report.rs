// SPDX-License-Identifier: GPL-2.0

//! `powercut report`: a report again, in any format.

use std::path::Path;

use anyhow::{Context, Result};

use crate::args::ReportArgs;
use crate::exit::Exit;
use crate::output::{print, print_json};
use crate::report::{self, schema, Saved};

pub fn run(args: &ReportArgs) -> Result<Exit> {
    if args.schema {
        print_json(&schema::schema())?;
        return Ok(Exit::NoViolation);
    }
    let saved = Saved::at(&args.dir);
    let found = saved.report()?;
    let dir = args.dir.display().to_string();
    if args.html.is_some() || args.junit.is_some() {
        let recording = saved.recording()?;
        if let Some(path) = &args.html {
            write(path, &report::html(&found, &recording, &dir)?)?;
        }
        if let Some(path) = &args.junit {
            write(path, &report::junit(&found, &recording, &dir)?)?;
        }
    }
    if args.json {
        print_json(&found)?;
    } else if args.html.is_none() && args.junit.is_none() {
        print(format_args!(
            "{}\n{}\n{}",
            report::commands_line(&found),
            report::details(&found, Some(&dir)),
            report::summary(std::slice::from_ref(&found))
        ))?;
    }
    Ok(Exit::NoViolation)
}

pub fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
