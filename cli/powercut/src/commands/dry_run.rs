// SPDX-License-Identifier: GPL-2.0

//! `--dry-run`: what an exploration would take, from its record and one examination.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result};
use powercut_engine::choices::Choices;
use powercut_engine::explore::Seen;
use powercut_engine::oracle::Verdict;
use powercut_engine::recording::Recording;
use powercut_engine::strategy::Space;
use powercut_model::Cut;

use super::session::Session;
use crate::device::Selection;
use crate::estimate::{Estimate, Sample, Subject};
use crate::examine::Examiner;
use crate::executor::Executor;
use crate::exit::Exit;
use crate::options::Format;
use crate::output::{print, print_json, say};
use crate::report::compress;

/// What the journal of runs says of each beside what was seen.
const LINE: usize = 64;

impl Session<'_> {
    /// Tells what it would take; `began` is when the command did.
    pub fn dry_run(&self, began: Instant) -> Result<Exit> {
        let estimate = self.estimate(began)?;
        if self.reporting.format == Format::Json {
            print_json(&estimate)?;
        } else {
            print(format_args!("{}", estimate.text()))?;
        }
        Ok(Exit::NoViolation)
    }

    pub fn estimate(&self, began: Instant) -> Result<Estimate> {
        let (recording, exported) = self.read()?;
        let mut compressed = Counter(0);
        let stream = self.server.export()?;
        compress(stream, &mut compressed).context("cannot read the record")?;
        let sample = self.sample(&recording)?;
        let subject = Subject {
            case: &self.reporting.case,
            plan: self.plan,
            jobs: self.jobs(),
            deadline: self.reporting.deadline,
            recording_bytes: compressed.0,
            // The driver has it, and the command reads it.
            memory_bytes: 2 * exported,
            so_far: began.elapsed(),
        };
        Ok(Estimate::new(
            subject,
            &Space::new(&recording, self.plan.marks),
            sample,
        ))
    }

    /// The recording, and its size.
    fn read(&self) -> Result<(Arc<Recording>, u64)> {
        let recording = self.server.recording()?;
        let bytes = io::copy(&mut self.server.export()?, &mut io::sink())?;
        Ok((recording, bytes))
    }

    /// Examines the state at the last cut that holds all that was written.
    fn sample(&self, recording: &Recording) -> Result<Sample> {
        let end = recording.header().newest_event;
        let choices = Choices::new(recording, Cut::new(recording, end)?);
        let mut view = self.server.view()?;
        view.read_no_more();
        let mut executor = Executor::new(self.signals, self.examination.mount_timeout());
        let mut examiner = Examiner::new(&mut view, self.examination, &mut executor)?;
        let began = Instant::now();
        let selection = Selection::of(&choices, &choices.all());
        let verdict = examiner.look_at(&selection, recording.marks())?;
        let took = began.elapsed();
        if let Verdict::Violation(finding) = &verdict {
            say(format_args!(
                "warning: the state in which nothing is lost is a violation: {}, {}\n{}",
                finding.kind,
                finding.how,
                finding.output.trim_end()
            ));
        }
        let seen = Seen::new(verdict, examiner.reads()?);
        let noted = serde_json::to_vec(&seen)?.len() + LINE;
        Ok(Sample {
            took,
            noted_bytes: noted as u64,
        })
    }
}

/// Counts what is written to it.
struct Counter(u64);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
