// SPDX-License-Identifier: GPL-2.0

//! `powercut judge`: a check, by the trace of a program.

use std::fs::{self, File};
use std::path::Path;

use anyhow::{Context, Result};
use powercut_programs::judge::judge;
use powercut_programs::problem::{Problem, Rule};
use powercut_programs::trace::{returned, Trace};
use powercut_programs::usable::use_all;
use powercut_programs::walk::walk;

use crate::exit::Exit;
use crate::output::print;

/// Judges what is mounted at POWERCUT_MNT; unless it may only be read, by whether it can be used, too.
pub fn judge_here(path: &Path, read_only: bool) -> Result<Exit> {
    let text = fs::read_to_string(path);
    let text = text.with_context(|| format!("cannot read {}", path.display()))?;
    let trace: Trace = serde_json::from_str(&text)
        .with_context(|| format!("{} is no trace of `powercut fuzz`", path.display()))?;
    let variable = |name: &'static str| {
        let value = std::env::var_os(name);
        value.with_context(|| format!("{name} is not set: `powercut judge` is a check, for `powercut replay` and the like"))
    };
    let (mnt, marks) = (variable("POWERCUT_MNT")?, variable("POWERCUT_MARKS")?);
    let marks = fs::read_to_string(&marks).context("cannot read POWERCUT_MARKS")?;
    let root =
        File::open(&mnt).with_context(|| format!("cannot open {}", Path::new(&mnt).display()))?;
    let problems = match walk(&root) {
        Ok(tree) => {
            let mut problems = judge(&trace, returned(marks.lines()), &tree);
            if !read_only {
                problems.extend(use_all(&root, &tree));
            }
            problems
        }
        Err(unreadable) => vec![Problem::new(Rule::Readable, unreadable.to_string())],
    };
    for problem in &problems {
        print(format_args!("{problem}\n"))?;
    }
    Ok(if problems.is_empty() {
        Exit::NoViolation
    } else {
        Exit::Violation
    })
}
