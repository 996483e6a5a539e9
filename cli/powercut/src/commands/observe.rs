// SPDX-License-Identifier: GPL-2.0

//! What the software held at the moments of a workload: the command of --observe is run on the copies of
//! its files that were kept.

use std::fs;
use std::path::Path;

use anyhow::{bail, Context, Result};
use powercut_engine::truths::Truths;

use crate::child::{Ended, Line};
use crate::examination::Examination;
use crate::executor::{copy_of, Executor, Kept, Scratch};
use crate::observation::{diff, Printed, MOST, SKIP};
use crate::output::say;

/// Moments of which what is printed is compared with what is printed once more: the start, and the
/// first mark.
const TWICE: usize = 2;
/// All that is kept of all moments, in bytes: each state is held against it, and each report has it.
const ALL: usize = 64 << 20;

/// Runs the command on copies.
pub struct Observer<'a> {
    pub what: &'a Examination,
    pub executor: &'a mut Executor,
    pub scratch: &'a Scratch,
    /// Where the copies are.
    pub copies: &'a Path,
}

impl Observer<'_> {
    /// What is printed of each moment. The copies are used up.
    pub fn truths(&mut self, kept: &[Kept]) -> Result<Truths> {
        let mut texts = Vec::new();
        let mut bytes = 0;
        for (moment, at) in kept.iter().enumerate() {
            let name = name(moment, kept);
            let copy = copy_of(self.copies, moment);
            let text = self.printed(&copy, &name)?;
            if moment < TWICE {
                self.same_again(&copy, &name, &text)?;
            }
            fs::remove_dir_all(&copy).context("cannot remove a copy of the workload's files")?;
            bytes += text.len();
            if bytes > ALL {
                bail!(
                    "--observe {:?} printed more than {} MiB of the first {} moments: let it print less, \
                     such as a hash for what is long",
                    self.what.check,
                    ALL >> 20,
                    moment + 1
                );
            }
            texts.push((at.marks, at.mark.clone(), text));
        }
        let truths = Truths::new(texts)?;
        self.tells(&truths)?;
        Ok(truths)
    }

    /// Runs it once more, on files that are in another directory, and that were recovered by now.
    fn same_again(&mut self, copy: &Path, name: &str, text: &str) -> Result<()> {
        let again = self.copies.join("again");
        fs::rename(copy, &again)?;
        let printed = self.printed(&again, name)?;
        fs::rename(&again, copy)?;
        if printed == text {
            return Ok(());
        }
        bail!(
            "--observe {:?} printed something else when it was run once more on the files of {name}: let \
             it sort what has no order, and print no times, no paths of $POWERCUT_MNT and nothing by chance.\n{}",
            self.what.check,
            diff(("the first time", text), ("the second time", &printed)).trim_end()
        );
    }

    fn printed(&mut self, copy: &Path, name: &str) -> Result<String> {
        let what = &self.what.check;
        let mut sandbox = self.executor.sandbox(self.scratch, 1)?;
        let env = vec![
            ("TMPDIR".into(), self.scratch.tmp().into()),
            ("POWERCUT_SLOT".into(), "0".into()),
            ("POWERCUT_MNT".into(), copy.into()),
        ];
        let limit = Some(self.what.timeout());
        let program = Line::new(what).program().env(env.clone()).limit(limit);
        let done = sandbox.run(program.stdout(self.scratch.observed()));
        let done = done.with_context(|| format!("cannot run --observe {what:?}"))?;
        if let Some(cleanup) = &self.what.cleanup {
            sandbox.run(Line::new(cleanup).program().env(env).limit(limit))?;
        }
        sandbox.end()?;
        let advice = match done.ended {
            Ended::Exited(0) => None,
            Ended::Exited(SKIP) => Some("what was held then is not known, so nothing can be held against it"),
            Ended::TimedOut(_) => Some("--check-timeout gives it more time"),
            _ => Some(
                "it was run on a copy of the files as they were then; if there is nothing yet, let it print \
                 nothing and exit with 0",
            ),
        };
        if let Some(advice) = advice {
            bail!(
                "--observe {what:?} failed ({}) at {name}: {advice}. It printed:\n{}",
                done.ended,
                done.tail()
            );
        }
        match Printed::read(&self.scratch.observed())? {
            Printed::Text(text) => Ok(text),
            Printed::Other(_) => bail!(
                "--observe {what:?} printed at {name} what is no UTF-8, or more than {} MiB: let it \
                 print a text, and a hash or hexadecimal for other bytes",
                MOST >> 20
            ),
        }
    }

    /// Whether anything can be told by what was printed.
    fn tells(&self, truths: &Truths) -> Result<()> {
        if truths.different() == 1 {
            bail!(
                "--observe {:?} printed the same at all {} moments of the workload: it shows nothing of \
                 what that does, or the software has not written it to its files",
                self.what.check,
                truths.moments()
            );
        }
        let unchanged = truths.unchanged();
        if let Some(first) = unchanged.first() {
            let others = match unchanged.len() - 1 {
                0 => String::new(),
                n => format!(" and {n} more"),
            };
            say(format_args!(
                "warning: --observe {:?} printed the same at {}{others} as at the moment before: what is \
                 acknowledged there is not looked at; it is not shown, or was not in the files by then",
                self.what.check,
                truths.name(*first)
            ));
        }
        Ok(())
    }
}

/// What to call a moment.
fn name(moment: usize, kept: &[Kept]) -> String {
    match kept.get(moment) {
        _ if moment == 0 => "the start of the workload".into(),
        Some(at) if moment + 1 < kept.len() => format!("mark {} {:?}", at.marks, at.mark),
        _ => "the end of the workload".into(),
    }
}
