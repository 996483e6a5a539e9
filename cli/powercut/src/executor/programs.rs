// SPDX-License-Identifier: GPL-2.0

//! Programs of file operations, and what a filesystem holds: done by the executor itself.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use powercut_programs::execute::{execute, prepare};
use powercut_programs::level::Level;
use powercut_programs::op::Op;
use powercut_programs::problem::Problem;
use powercut_programs::program::Program;
use powercut_programs::trace::Trace;
use powercut_programs::tree::Tree;
use powercut_programs::usable::use_all;
use powercut_programs::walk::walk;
use rustix::mount::{unmount, UnmountFlags};
use serde::{Deserialize, Serialize};

use crate::fs::MountSpec;

/// What to do with the files below a directory.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub enum FileRequest {
    /// Makes what every program finds.
    Prepare {
        dir: PathBuf,
        ops: Vec<Op>,
        fill: bool,
    },
    /// Runs a program; its marks go into a file.
    Execute {
        dir: PathBuf,
        /// What is mounted there, and how.
        node: PathBuf,
        spec: MountSpec,
        program: Program,
        level: Level,
        has_fat: bool,
        mark_file: PathBuf,
    },
    /// Takes down what there is.
    Walk { dir: PathBuf },
    /// Makes files everywhere, then removes all there is.
    Use { dir: PathBuf, tree: Tree },
}

#[derive(Debug, Serialize, Deserialize)]
pub enum FileReply {
    Done,
    Traced(Box<Trace>),
    Tree(Tree),
    /// What can't be read, or what can't be done.
    Problem(String),
    Used(Option<Problem>),
}

impl FileRequest {
    /// Whether the kernel makes threads of this process for it, as it does for what it can't do at once of an io_uring.
    pub fn has_threads(&self) -> bool {
        match self {
            Self::Execute { program, .. } => program.ops.iter().any(Op::is_uring),
            _ => false,
        }
    }

    pub fn done(self) -> Result<FileReply> {
        match self {
            Self::Prepare { dir, ops, fill } => {
                prepare(&dir, &ops, fill)?;
                Ok(FileReply::Done)
            }
            Self::Execute {
                dir,
                node,
                spec,
                program,
                level,
                has_fat,
                mark_file,
            } => {
                let mut marks = OpenOptions::new()
                    .write(true)
                    .open(&mark_file)
                    .with_context(|| format!("cannot open {}", mark_file.display()))?;
                let mark_with = |mark: &str| {
                    let written = marks.write_all(mark.as_bytes());
                    written.with_context(|| format!("cannot mark {mark:?}"))
                };
                let remount = || remount(&dir, &node, &spec);
                let trace = execute(&dir, &program, level, has_fat, mark_with, remount);
                Ok(FileReply::Traced(Box::new(trace?)))
            }
            Self::Walk { dir } => Ok(match walk(root(&dir)?) {
                Ok(tree) => FileReply::Tree(tree),
                Err(unreadable) => FileReply::Problem(unreadable.to_string()),
            }),
            Self::Use { dir, tree } => Ok(FileReply::Used(use_all(root(&dir)?, &tree))),
        }
    }
}

/// Unmounts a filesystem and mounts it again.
fn remount(dir: &Path, node: &Path, spec: &MountSpec) -> Result<()> {
    unmount(dir, UnmountFlags::empty())
        .with_context(|| format!("cannot unmount {}", dir.display()))?;
    spec.mount(node, dir)
        .with_context(|| format!("cannot mount {} again as {}", node.display(), spec.fs))
}

fn root(dir: &Path) -> Result<File> {
    File::open(dir).with_context(|| format!("cannot open {}", dir.display()))
}
