// SPDX-License-Identifier: GPL-2.0

//! A program, and what every program finds.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::op::{BadOp, Op};

/// A program. Its text is an operation a line.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Program {
    pub ops: Vec<Op>,
}

/// More operations are no short program.
pub const MAX_OPS: usize = 15;

/// What every program finds, made durable. Links and attributes are not there where the filesystem has none.
const BEFORE: &str = "\
mkdir A
mkdir B
creat foo
write foo 0 12288
creat A/foo
write A/foo 0 4096
creat baz
write baz 0 4096
link baz A/baz
setxattr foo user.a 0
setxattr A user.a 0
sync
";

pub fn before() -> Vec<Op> {
    BEFORE
        .lines()
        .filter_map(|line| line.parse().ok())
        .collect()
}

/// What most programs begin with on a filesystem whose first commit after a mount is not like those that follow: ext4 makes
/// fast commits only after a full one.
pub fn opening(fs: &str, made_with: &str) -> Program {
    const CHANGED_AND_COMMITTED: &str = "chmod foo 644\nsync\n";
    if fs == "ext4" && made_with.contains("fast_commit") {
        CHANGED_AND_COMMITTED.parse().unwrap_or_default()
    } else {
        Program::default()
    }
}

impl Program {
    /// This and another after it; that alone if both were too long.
    #[must_use]
    pub fn then(&self, rest: Self) -> Self {
        if self.ops.len() + rest.ops.len() > MAX_OPS {
            return rest;
        }
        Self {
            ops: [self.ops.clone(), rest.ops].concat(),
        }
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ops.iter().try_for_each(|op| writeln!(f, "{op}"))
    }
}

/// Why a text is no program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadProgram {
    #[error("line {line}: {why}")]
    Line { line: usize, why: BadOp },
    #[error("there is no operation in it")]
    Empty,
    #[error("it has {0} operations; {MAX_OPS} are the most")]
    Long(usize),
}

impl FromStr for Program {
    type Err = BadProgram;

    /// Empty lines and those that begin with # are left out.
    fn from_str(text: &str) -> Result<Self, BadProgram> {
        let mut ops = Vec::new();
        for (nr, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let op = line.parse();
            ops.push(op.map_err(|why| BadProgram::Line { line: nr + 1, why })?);
        }
        match ops.len() {
            0 => Err(BadProgram::Empty),
            1..=MAX_OPS => Ok(Self { ops }),
            n => Err(BadProgram::Long(n)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_its_text() {
        let text = "creat bar\nwrite bar 0 4096 plain\nfsync bar\n";
        let program: Program = text.parse().unwrap();
        assert_eq!(program.to_string(), text);
        let commented: Program = format!("# a comment\n\n  {text}").parse().unwrap();
        assert_eq!(commented, program);
        assert_eq!(before().len(), BEFORE.lines().count());
    }

    #[test]
    fn programs_for_fast_commits_begin_with_a_full_one() {
        let program: Program = "creat bar\nfsync bar\n".parse().unwrap();
        for (fs, made_with, ops) in [
            ("ext4", "-O fast_commit", 4),
            ("ext4", "", 2),
            ("xfs", "-O fast_commit", 2),
        ] {
            let opened = opening(fs, made_with).then(program.clone());
            assert_eq!(opened.ops.len(), ops, "{fs} {made_with}");
            assert!(opened.ops.ends_with(&program.ops), "{opened}");
        }
        let long: Program = "sync\n".repeat(MAX_OPS).parse().unwrap();
        assert_eq!(opening("ext4", "-O fast_commit").then(long.clone()), long);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let error = "creat bar\nfoo".parse::<Program>().unwrap_err().to_string();
        assert!(
            error.starts_with("line 2: \"foo\" is no operation"),
            "{error}"
        );
        assert_eq!("# no".parse::<Program>(), Err(BadProgram::Empty));
        assert_eq!(
            "sync\n".repeat(16).parse::<Program>(),
            Err(BadProgram::Long(16))
        );
    }
}
