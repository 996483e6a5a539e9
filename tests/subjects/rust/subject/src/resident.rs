// SPDX-License-Identifier: GPL-2.0

//! Judges the states that powercut names, one after the other: `docs/check.md`.

use std::collections::BTreeMap;
use std::env;
use std::io::{Write, stdin, stdout};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output, exit};

use crate::verdict::CRASHES;
use crate::{Result, text};

pub fn run(config: &str) {
    if let Err(error) = answer(config) {
        eprintln!("the resident check fails: {error}");
        exit(1);
    }
}

/// Each state has a process of its own: what that opened and mapped goes with it, and it may crash.
fn answer(config: &str) -> Result<()> {
    for line in stdin().lines() {
        let state: BTreeMap<String, String> = serde_json::from_str(&line?)?;
        let output = Command::new(env::current_exe()?)
            .args(["check", config])
            .envs(&state)
            .output()?;
        let mut stdout = stdout();
        writeln!(stdout, "{}", words(&output))?;
        stdout.flush()?;
    }
    Ok(())
}

fn words(output: &Output) -> String {
    if let Some(signal) = output.status.signal() {
        return format!("violation {CRASHES}: signal {signal}");
    }
    if output.status.success() {
        return "ok".to_owned();
    }
    let printed = text(&output.stdout);
    match printed.lines().next() {
        Some(line) => format!("violation {line}"),
        None => "violation it says nothing".to_owned(),
    }
}
