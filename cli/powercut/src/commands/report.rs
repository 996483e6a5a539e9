// SPDX-License-Identifier: GPL-2.0

//! `powercut report`: a report again, in any format.

use anyhow::Result;

use super::conclude::{exit, write};
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
    let to_go_on = saved.to_go_on(&found);
    let dir = args.dir.display().to_string();
    if args.html.is_some() || args.junit.is_some() {
        let recording = saved.log()?;
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
            "{}\n{}{}\n{}",
            report::commands_line(&found),
            report::details(&found, Some(&dir)),
            to_go_on.map_or_else(String::new, |how| format!("{how}\n")),
            report::summary(&found)
        ))?;
    }
    Ok(if args.status {
        exit(&found, None)
    } else {
        Exit::NoViolation
    })
}
