// SPDX-License-Identifier: GPL-2.0

//! The fewest operations of a program that still fail.

use anyhow::Result;

use crate::op::{Op, RenameHow, WriteHow};
use crate::program::Program;

/// Leaves out, and makes simpler, what is not needed. `fails` tells whether a program fails as the
/// first one did; each program is asked about once.
pub fn reduce(
    program: &Program,
    mut fails: impl FnMut(&Program) -> Result<bool>,
) -> Result<Program> {
    let mut least = program.clone();
    loop {
        let mut is_less = false;
        // From the end on: what follows the point of failure goes first.
        for nr in (0..least.ops.len()).rev() {
            let mut ops = least.ops.clone();
            ops.remove(nr);
            let less = Program { ops };
            if !less.ops.is_empty() && fails(&less)? {
                least = less;
                is_less = true;
            }
        }
        if !is_less {
            break;
        }
    }
    for nr in 0..least.ops.len() {
        if let Some(op) = simpler(&least.ops[nr]) {
            let mut ops = least.ops.clone();
            ops[nr] = op;
            let simple = Program { ops };
            if fails(&simple)? {
                least = simple;
            }
        }
    }
    Ok(least)
}

/// A simpler form of an operation, if there is one.
fn simpler(op: &Op) -> Option<Op> {
    match op {
        Op::Rename { from, to, how } if *how != RenameHow::Plain => Some(Op::Rename {
            from: from.clone(),
            to: to.clone(),
            how: RenameHow::Plain,
        }),
        Op::Write { path, at, len, how } if *how != WriteHow::Plain => Some(Op::Write {
            path: path.clone(),
            at: *at,
            len: *len,
            how: WriteHow::Plain,
        }),
        Op::Syncfs => Some(Op::Sync),
        Op::Tmpfile(path) => Some(Op::Creat(path.clone())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_needed_goes() {
        let program: Program =
            "creat bar\nwrite foo 0 4096 direct\nrename foo C exchange\nsync\nfsync A\nsync"
                .parse()
                .unwrap();
        // It needs a rename that comes before an fsync.
        let least = reduce(&program, |p| {
            let verbs: Vec<&str> = p.ops.iter().map(Op::verb).collect();
            let rename = verbs.iter().position(|v| *v == "rename");
            let fsync = verbs.iter().position(|v| *v == "fsync");
            Ok(rename.is_some_and(|rename| fsync.is_some_and(|fsync| rename < fsync)))
        });
        assert_eq!(least.unwrap().to_string(), "rename foo C plain\nfsync A\n");
    }
}
