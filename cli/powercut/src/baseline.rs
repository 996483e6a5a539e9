// SPDX-License-Identifier: GPL-2.0

//! The baseline: the check is run on the disk as it was before the workload, and as the workload
//! left it, before it is believed of any other state.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Instant;

use anyhow::{bail, Context, Result};
use powercut_engine::choices::Choices;
use powercut_engine::oracle::{Finding, Kind, Verdict};
use powercut_engine::recording::{Mark, Recording};
use powercut_model::Cut;

use crate::child::Ended;
use crate::device::{DeviceError, Disk, Nodes, Selection, Show, View};
use crate::examination::Examination;
use crate::examine::Examiner;
use crate::executor::Executor;
use crate::output::say;
use crate::report::{Baseline, Passed};
use crate::server::Server;
use crate::signals::Signals;

/// Which disks the check is run on.
#[derive(Debug, Clone, PartialEq)]
pub enum Extent {
    /// None: --no-baseline.
    Nothing,
    /// The disk before the workload.
    Before,
    /// That, and the disk after the workload. With `keep`, that is not to be written to.
    Both { keep: bool },
    /// Both, where the disk after the workload is on devices that are none of the driver's.
    BothOn(Nodes),
    /// It was done before.
    Done(Option<Baseline>),
}

/// What the baseline is of.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    pub server: &'a dyn Server,
    pub recording: &'a Recording,
    pub examination: &'a Examination,
    pub signals: &'a Signals,
}

/// One of the two disks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Before,
    After,
}

impl std::fmt::Display for When {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Before => "the disk as it was before the workload, with no marks",
            Self::After => "the disk as the finished workload left it, with all marks",
        })
    }
}

impl Extent {
    /// Runs the check. It is an error if it fails.
    pub fn run(&self, subject: Subject<'_>) -> Result<Option<Baseline>> {
        if let Self::Done(baseline) = self {
            return Ok(baseline.clone());
        }
        let began = Instant::now();
        Ok(Some(Baseline {
            before: match self {
                Self::Nothing => return Ok(None),
                _ => subject.before()?,
            },
            after: match self {
                Self::Both { keep } => Some(subject.after_on_driver(*keep)?),
                Self::BothOn(nodes) => Some(subject.after(nodes)?),
                _ => None,
            },
            seconds: began.elapsed().as_secs_f64(),
        }))
    }
}

impl Subject<'_> {
    fn before(self) -> Result<Passed> {
        let mut view = self.server.view()?;
        self.look(When::Before, &mut view, &[])
    }

    fn after_on_driver(self, keep: bool) -> Result<Passed> {
        let (_, disk) = self.server.driver().context("the disk is not there")?;
        let copy = keep.then(|| self.copy(disk)).transpose()?;
        self.after(copy.as_ref().map_or(disk.nodes(), View::nodes))
    }

    fn after(self, nodes: &Nodes) -> Result<Passed> {
        let passed = self.look(
            When::After,
            &mut Shown(nodes.clone()),
            self.recording.marks(),
        )?;
        if passed == Passed::Skipped {
            say(format_args!(
                "warning: of {}, the check can't tell (exit 125)",
                When::After
            ));
        }
        Ok(passed)
    }

    /// A view that holds what the disk does now: what it held when the record ended, and what was
    /// written since.
    fn copy(self, disk: &Disk) -> Result<View> {
        let end = self.recording.header().newest_event;
        let choices = Choices::new(self.recording, Cut::new(self.recording, end)?);
        let mut view = disk.create_some_view()?;
        view.show(&Selection::of(&choices, &choices.all()))?;
        for (from, to) in disk.nodes().all().zip(view.nodes().all()) {
            copy_differences(from, to)
                .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
        }
        Ok(view)
    }

    fn look(self, when: When, show: &mut dyn Show, marks: &[Mark]) -> Result<Passed> {
        let what = Examination {
            view_faults: Vec::new(),
            ..self.examination.clone()
        };
        let mut executor = Executor::new(self.signals, what.mount_timeout());
        let verdict = Examiner::new(show, &what, &mut executor)
            .and_then(|mut examiner| examiner.look_at(&Selection::base(), marks))
            .with_context(|| format!("the check could not be run on {when}"))?;
        match verdict {
            Verdict::Consistent => Ok(Passed::Consistent),
            Verdict::Skipped => Ok(Passed::Skipped),
            Verdict::Violation(finding) => bail!(failed(when, &finding, what.resident)),
        }
    }
}

/// What to say of a check that failed.
fn failed(when: When, finding: &Finding, is_resident: bool) -> String {
    let not_started = [126, 127].map(|status| Ended::Exited(status).to_string());
    let status = finding.how.split(',').next().unwrap_or_default();
    let advice = match finding.kind {
        Kind::Check | Kind::Fsck if not_started.iter().any(|not| not == status) => {
            "it could not be started: is it there, and executable?"
        }
        Kind::Check if is_resident => "it must answer ok there, or skip if it can't tell yet",
        Kind::Check => "it must exit with 0 there, or with 125 if it can't tell yet",
        Kind::Timeout => "--check-timeout gives it more time",
        Kind::Mount => "it is no crash state, and must be one that can be mounted",
        Kind::Fsck => "it is no crash state, and nothing may be wrong with it",
        Kind::Refusal => "it must print what the software holds, and exit with 0",
        Kind::Loss | Kind::Resurrection | Kind::Newer | Kind::Mixture => {
            "it printed something else of a copy of the same files: it may print nothing that hangs on \
             time, on where the files are or how they are laid out, and must sort what has no order"
        }
    };
    let output = match finding.output.trim_end() {
        "" => "It printed nothing.".to_string(),
        output => format!("It printed:\n{output}"),
    };
    format!(
        "{}, {}, on {when}: {advice}. No crash state was explored: what fails without a crash \
         says nothing of one. --no-baseline explores all the same. {output}",
        finding.kind, finding.how
    )
}

/// A disk that shows what it holds, whatever it is asked to show.
struct Shown(Nodes);

impl Show for Shown {
    fn show(&mut self, _: &Selection) -> Result<(), DeviceError> {
        Ok(())
    }

    fn nodes(&self) -> &Nodes {
        &self.0
    }
}

/// What is compared at a time, and what is written where that differs.
const PIECE: usize = 1 << 20;
const BLOCK: usize = 4096;

/// Makes one device or file, which is as long as another, equal to that.
fn copy_differences(from: &Path, to: &Path) -> std::io::Result<()> {
    let mut from = File::open(from)?;
    let mut to = OpenOptions::new().read(true).write(true).open(to)?;
    let (mut wanted, mut found) = (Vec::new(), Vec::new());
    let mut start = 0;
    loop {
        wanted.clear();
        (&mut from).take(PIECE as u64).read_to_end(&mut wanted)?;
        if wanted.is_empty() {
            return to.sync_all();
        }
        found.resize(wanted.len(), 0);
        to.seek(SeekFrom::Start(start))?;
        to.read_exact(&mut found)?;
        if wanted != found {
            let blocks = wanted.chunks(BLOCK).zip(found.chunks(BLOCK));
            for (nr, (wanted, found)) in blocks.enumerate() {
                if wanted != found {
                    to.seek(SeekFrom::Start(start + (nr * BLOCK) as u64))?;
                    to.write_all(wanted)?;
                }
            }
        }
        start += wanted.len() as u64;
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn what_is_said_of_a_failure_names_the_disk_the_output_and_the_way_on() {
        for (kind, how, output, says) in [
            (Kind::Check, "exit 1", "no x\n", "must exit with 0"),
            (Kind::Check, "exit 126", "", "could not be started"),
            (
                Kind::Check,
                "exit 127",
                "not found\n",
                "could not be started",
            ),
            (Kind::Fsck, "exit 127", "", "could not be started"),
            (Kind::Timeout, "no end within 1 s", "", "check did not end"),
            (Kind::Mount, "ext4: EUCLEAN", "bad magic\n", "mount failed"),
        ] {
            for (when, disk) in [(When::Before, "before the"), (When::After, "workload left")] {
                let text = failed(when, &Finding::new(kind, how, output), false);
                for part in [says, how, disk, output.trim_end(), "--no-baseline"] {
                    assert!(text.contains(part), "{part:?} is not in {text:?}");
                }
            }
        }
    }

    #[test]
    fn a_resident_check_is_told_what_to_answer() {
        for (how, says) in [
            ("answered violation", "must answer ok"),
            ("exit 127, before it answered", "could not be started"),
            ("exit 1, before it answered", "must answer ok"),
        ] {
            let text = failed(When::Before, &Finding::new(Kind::Check, how, ""), true);
            assert!(text.contains(says), "{says:?} is not in {text:?}");
        }
    }

    #[test]
    fn a_copy_is_equal_and_only_differences_are_written() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        let mut bytes = vec![0; 2 * PIECE + 3 * BLOCK];
        // All holes: what is written to it is counted.
        File::create(&to)
            .unwrap()
            .set_len(bytes.len() as u64)
            .unwrap();
        for at in [7, BLOCK, PIECE - 1, 2 * PIECE + 2 * BLOCK] {
            bytes[at] = 1;
        }
        std::fs::write(&from, &bytes).unwrap();
        copy_differences(&from, &to).unwrap();
        assert!(std::fs::read(&to).unwrap() == bytes);
        let blocks = std::fs::metadata(&to).unwrap().blocks() * 512;
        assert!(blocks <= 4 * BLOCK as u64, "{blocks} bytes were written");
    }
}
