// SPDX-License-Identifier: GPL-2.0

//! `powercut-fuzz TARGET FILE..` runs a target on files: those that `make fuzz` left, say.

use std::fs;
use std::io;

use powercut_fuzz::TARGETS;

fn main() -> io::Result<()> {
    let mut args = std::env::args().skip(1);
    let name = args.next().unwrap_or_default();
    let target = TARGETS.iter().find(|target| target.name == name);
    let target = target.ok_or_else(|| {
        let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        io::Error::other(format!("give a target and files: {}", names.join(", ")))
    })?;
    for file in args {
        (target.run)(&fs::read(file)?);
    }
    Ok(())
}
