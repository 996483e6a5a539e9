// SPDX-License-Identifier: GPL-2.0

//! Makes the filesystem of a new disk.

use std::time::Duration;

use anyhow::{bail, Context, Result};

use crate::child::Line;
use crate::device::Nodes;
use crate::executor::{Executor, Scratch};
use crate::fs::Fs;

/// How long making the filesystem may take.
const MKFS_LIMIT: Duration = Duration::from_secs(300);

/// What makes it.
pub struct Maker<'o> {
    pub fs: &'o Fs,
    /// More arguments.
    pub options: &'o str,
    /// In place of mkfs.FS.
    pub command: Option<&'o str>,
}

/// Makes the filesystem, if it is one.
pub fn mkfs(
    maker: &Maker<'_>,
    nodes: &Nodes,
    executor: &mut Executor,
    scratch: &Scratch,
) -> Result<()> {
    let (program, what) = match maker.command {
        Some(command) => {
            let line = Line::new(&nodes.fill(command));
            (line.program(), format!("--mkfs {line}"))
        }
        None => {
            let Some(program) = maker.fs.mkfs(nodes, maker.options) else {
                return Ok(());
            };
            let what = format!("{} {}", maker.fs.maker(), maker.options);
            (program, what.trim_end().to_string())
        }
    };
    let mut sandbox = executor.sandbox(scratch, 0)?;
    let program = program.env(nodes.env()).limit(Some(MKFS_LIMIT));
    let done = sandbox.run(program);
    let done = done.with_context(|| format!("cannot run {what}"))?;
    if !done.ended.ok() {
        bail!("{what} failed ({}):\n{}", done.ended, done.tail());
    }
    sandbox.end()
}
