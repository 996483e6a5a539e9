// SPDX-License-Identifier: GPL-2.0

//! A report as a directory: report.json for people's programs and for replay,
//! recording.pcut with what the disk went through.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufReader, BufWriter, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{bail, Context, Result};
use lz4_flex::frame::{FrameDecoder, FrameEncoder, FrameInfo};
use powercut_engine::explore::RUNS;
use powercut_engine::recording::{Recording, RecordingError};
use serde::Deserialize;

use super::found::{self, VIOLATIONS};
use super::model::{Report, OLD_SCHEMAS, SCHEMA, SCHEMA_FAULTS};
use super::recoveries::RECOVERIES;
use super::register::Register;
use super::text::quoted;
use super::violation::Violation;
use crate::read_ahead::ReadAhead;

/// The page in a report's directory.
pub const PAGE: &str = "report.html";
/// How the names of files begin that are not whole yet.
const PARTIAL: &str = ".powercut-new-";
/// Where a report goes when violations were found and nothing else was said.
pub const DEFAULT_DIR: &str = "powercut-report";
const REPORT: &str = "report.json";
const RECORDING: &str = "recording.pcut";

#[derive(Debug, Clone)]
pub struct Saved {
    dir: PathBuf,
}

impl Saved {
    pub fn at(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Makes the directory that of a new report: what an older one left there goes first, so that
    /// at no time parts of two are together.
    pub fn begin(&self, report: &Report, recording: impl Read) -> Result<()> {
        let dir = self.dir.display();
        let failed = || format!("cannot write the report to {dir}");
        self.clear().with_context(failed)?;
        self.write(report, recording)
    }

    /// Takes away what a report left; refuses if the directory is used for something else.
    fn clear(&self) -> Result<()> {
        let entries = match fs::read_dir(&self.dir) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        let names: Vec<OsString> = entries
            .map(|entry| entry.map(|e| e.file_name()))
            .collect::<Result<_, _>>()?;
        let partial = |name: &OsString| name.to_string_lossy().starts_with(PARTIAL);
        let ours = |name: &OsString| name == REPORT || name == RECORDING || partial(name);
        if let (Some(other), false) = (names.first(), names.iter().any(ours)) {
            bail!(
                "it holds {other:?} and no report: give a new directory, an empty one, or that of a \
                 report to be replaced"
            );
        }
        for name in [RUNS, VIOLATIONS, PAGE, REPORT]
            .iter()
            .map(|name| self.dir.join(name))
        {
            remove(&name)?;
        }
        for name in names.iter().filter(|name| partial(name)) {
            remove(&self.dir.join(name))?;
        }
        match fs::remove_dir_all(self.dir.join(RECOVERIES)) {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(e.into()),
            _ => Ok(()),
        }
    }

    /// Writes both files.
    pub fn write(&self, report: &Report, recording: impl Read) -> Result<()> {
        let dir = &self.dir;
        let failed = || format!("cannot write the report to {}", dir.display());
        fs::create_dir_all(dir).with_context(failed)?;
        self.replace(RECORDING, |out| compress(recording, out))
            .with_context(failed)?;
        self.write_report(report)
    }

    /// The same with a recording of which the report tells. If that can't be made, nothing is left.
    pub fn begin_of(
        &self,
        recording: impl Read,
        report: impl FnOnce(&Recording) -> Report,
    ) -> Result<Report> {
        let failed = || format!("cannot write the report to {}", self.dir.display());
        let is_new = !self.dir.exists();
        self.clear().with_context(failed)?;
        fs::create_dir_all(&self.dir).with_context(failed)?;
        let written = || -> Result<Report> {
            self.replace(RECORDING, |out| compress(recording, out))
                .with_context(failed)?;
            let report = report(&self.recording()?);
            self.write_report(&report)?;
            Ok(report)
        };
        let written = written();
        if written.is_err() {
            let _ = self.forget();
            if is_new {
                let _ = fs::remove_dir(&self.dir);
            }
        }
        written
    }

    /// Begins a report with the recording of another.
    pub fn begin_with(&self, report: &Report, other: &Self) -> Result<()> {
        self.begin(report, other.stream()?)
    }

    /// Writes report.json, which has all violations then.
    pub fn finish(&self, report: &Report) -> Result<()> {
        self.write_report(report)?;
        let found = self.dir.join(VIOLATIONS);
        remove(&found).with_context(|| format!("cannot remove {}", found.display()))
    }

    /// Writes report.json alone.
    pub fn write_report(&self, report: &Report) -> Result<()> {
        self.replace(REPORT, |mut out| {
            serde_json::to_writer_pretty(&mut out, report)?;
            out.write_all(b"\n")?;
            Ok(())
        })
        .with_context(|| format!("cannot write the report to {}", self.dir.display()))
    }

    /// A file is there whole or not at all.
    fn replace(
        &self,
        name: &str,
        fill: impl FnOnce(&mut BufWriter<&mut File>) -> Result<()>,
    ) -> Result<()> {
        let new = tempfile::Builder::new()
            .prefix(PARTIAL)
            .tempfile_in(&self.dir);
        let mut file = new?;
        let mut out = BufWriter::new(file.as_file_mut());
        fill(&mut out)?;
        out.flush()?;
        drop(out);
        use std::os::unix::fs::PermissionsExt;
        let readable = fs::Permissions::from_mode(0o644);
        file.as_file().set_permissions(readable)?;
        file.persist(self.dir.join(name))?;
        Ok(())
    }

    /// The report, with the violations that were found if it did not come to its end.
    pub fn report(&self) -> Result<Report> {
        let mut report = self.written()?;
        let known: HashSet<String> = report.violations.iter().map(|v| v.id.clone()).collect();
        let found = found::read(&self.dir)?.into_iter();
        let others = found.filter(|v| !known.contains(&v.id));
        report.violations.extend(others);
        if report.violations.iter().any(|v| v.number == 0) {
            number(&mut report.violations);
        }
        report.violations.sort_by_key(|v| v.number);
        Ok(report)
    }

    /// What report.json holds.
    fn written(&self) -> Result<Report> {
        let path = self.dir.join(REPORT);
        let text = fs::read_to_string(&path).with_context(|| {
            format!(
                "cannot read {}: --report DIR names the report to replay from",
                path.display()
            )
        })?;
        let failed = || format!("{} is not a report", path.display());
        let schema = serde_json::from_str::<Numbered>(&text)
            .with_context(failed)?
            .schema;
        let known = [SCHEMA, SCHEMA_FAULTS];
        if !schema.is_some_and(|n| known.contains(&n) || OLD_SCHEMAS.contains(&n)) {
            bail!(
                "{} has schema {}, this command reads those up to {SCHEMA_FAULTS}: use the powercut that wrote it",
                path.display(),
                schema.map_or("?".into(), |n| n.to_string())
            );
        }
        let mut report: Report = serde_json::from_str(&text).with_context(failed)?;
        report.schema = match report.faults {
            None => SCHEMA,
            Some(_) => SCHEMA_FAULTS,
        };
        Ok(report)
    }

    /// Takes the report away, if there is one; another may be begun in its place.
    pub fn forget(&self) -> Result<()> {
        self.clear()?;
        Ok(remove(&self.dir.join(RECORDING))?)
    }

    /// The stream that the driver gave.
    pub fn stream(&self) -> Result<ReadAhead> {
        let path = self.recording_path();
        let file = File::open(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let stream = FrameDecoder::new(BufReader::new(file));
        ReadAhead::new(stream).with_context(|| format!("cannot read {}", path.display()))
    }

    pub fn recording(&self) -> Result<Recording> {
        self.read(|stream| Recording::read(stream))
    }

    /// The recording without what was written: for what depends on the log alone.
    pub fn log(&self) -> Result<Recording> {
        self.read(|stream| Recording::read_log(stream))
    }

    fn read(
        &self,
        read: impl FnOnce(&mut ReadAhead) -> Result<Recording, RecordingError>,
    ) -> Result<Recording> {
        let failed = || format!("cannot use {}", self.recording_path().display());
        let mut stream = self.stream()?;
        let recording = read(&mut stream).with_context(failed)?;
        // To the end, where the checksum is.
        std::io::copy(&mut stream, &mut std::io::sink()).with_context(failed)?;
        Ok(recording)
    }

    /// In the directory, unless it is a recording itself.
    fn recording_path(&self) -> PathBuf {
        if self.dir.is_file() {
            self.dir.clone()
        } else {
            self.dir.join(RECORDING)
        }
    }

    /// How to go on with an exploration that did not come to its end.
    pub fn to_go_on(&self, report: &Report) -> Option<String> {
        if !report.coverage.ended.is_open() {
            return None;
        }
        let how = if self.dir.join(RUNS).is_file() {
            "resume"
        } else {
            "recording"
        };
        let dir = quoted(&self.dir.display().to_string());
        Some(format!("to go on: powercut explore --{how} {dir}"))
    }

    /// Whether there is a report, not a recording alone.
    pub fn has_report(&self) -> bool {
        self.dir.join(REPORT).is_file()
    }
}

/// What tells whether the rest can be read.
#[derive(Deserialize)]
struct Numbered {
    schema: Option<u32>,
}

/// Gives numbers to violations that an older command found.
fn number(violations: &mut [Violation]) {
    let mut register = Register::default();
    for violation in violations {
        let count = |writes: &Option<Vec<_>>| writes.as_ref().map_or(0, Vec::len) as u64;
        violation.kept_writes = count(&violation.kept);
        violation.lost_writes = count(&violation.lost);
        register.enter(violation);
    }
}

fn remove(file: &Path) -> std::io::Result<()> {
    match fs::remove_file(file) {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Writes a recording as an LZ4 frame.
pub fn compress(mut recording: impl Read, out: impl Write) -> Result<()> {
    let info = FrameInfo::new().content_checksum(true);
    let mut encoder = FrameEncoder::with_frame_info(info, out);
    std::io::copy(&mut recording, &mut encoder)?;
    encoder.finish()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::{add, report, violation};
    use crate::report::{Ended, Found};
    use powercut_engine::recording::testing::History;

    fn dir_with(files: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for name in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "old").unwrap();
        }
        dir
    }

    #[test]
    fn what_was_forgotten_makes_room_for_another_report() {
        let dir = dir_with(&[REPORT, RECORDING, RUNS, PAGE, "recoveries/1/report.json"]);
        let saved = Saved::at(dir.path());
        saved.forget().unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        let report = report(&History::new().write(0, "a").done());
        saved.begin(&report, &b"a recording"[..]).unwrap();
        saved.forget().unwrap();
        assert!(!saved.has_report());
        // What is not there can be forgotten, and what is no report is not touched.
        Saved::at(dir.path().join("none")).forget().unwrap();
        assert!(Saved::at(dir_with(&["notes"]).path()).forget().is_err());
    }

    #[test]
    fn nothing_of_an_older_report_is_left_before_the_new_recording_is_there() {
        let files = [
            REPORT,
            RECORDING,
            RUNS,
            VIOLATIONS,
            PAGE,
            "recoveries/1/report.json",
        ];
        let dir = dir_with(&[&files[..], &["notes"], &[".powercut-new-x"]].concat());
        let report = report(&History::new().write(0, "a").done());
        // The recording can't be had: as good as a crash.
        struct Gone;
        impl Read for Gone {
            fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
                Err(ErrorKind::NotConnected.into())
            }
        }
        let saved = Saved::at(dir.path());
        assert!(saved.begin(&report, Gone).is_err());
        let entries = fs::read_dir(dir.path()).unwrap();
        let mut left: Vec<_> = entries.map(|e| e.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["notes", RECORDING]);
        saved.begin(&report, std::io::empty()).unwrap();
        assert!(saved.report().is_ok());
    }

    #[test]
    fn a_directory_of_something_else_is_refused_and_left_alone() {
        let report = report(&History::new().write(0, "a").done());
        for (files, is_good) in [
            (&["thesis.tex"][..], false),
            (&["runs.jsonl", "data"][..], false),
            (&[][..], true),
            (&[REPORT][..], true),
            (&[RECORDING, "junit.xml"][..], true),
        ] {
            let dir = dir_with(files);
            let began = Saved::at(dir.path()).begin(&report, std::io::empty());
            assert_eq!(began.is_ok(), is_good, "{files:?}");
            if let Err(error) = began {
                let told = format!("{error:#}");
                assert!(told.contains(dir.path().to_str().unwrap()), "{told}");
                assert!(told.contains("give a new directory"), "{told}");
                assert_eq!(fs::read_dir(dir.path()).unwrap().count(), files.len());
            }
        }
    }

    #[test]
    fn a_report_of_an_older_command_becomes_one_of_this() {
        let recording = History::new().write(0, "a").write(1, "b").done();
        let mut old = serde_json::to_value(report(&recording)).unwrap();
        old["schema"] = 1.into();
        let violation = |cut, output: &str| {
            let found = violation(&recording, cut, |_| false);
            let mut found = serde_json::to_value(found).unwrap();
            for new in ["kept_writes", "lost_writes"] {
                found.as_object_mut().unwrap().remove(new);
            }
            found["output"] = output.into();
            found
        };
        old["violations"] = vec![
            violation(4, "torn"),
            violation(3, "key 1"),
            violation(2, "key 2"),
        ]
        .into();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(REPORT);
        let saved = Saved::at(dir.path());
        fs::write(&path, old.to_string()).unwrap();
        let read = saved.report().unwrap();
        assert_eq!(read.schema, SCHEMA);
        let told: Vec<_> = read
            .violations
            .iter()
            .map(|v| (v.number, v.sort, v.lost_writes))
            .collect();
        assert_eq!(told, [(1, 1, 2), (2, 2, 2), (3, 2, 1)]);
        assert_eq!(read.violation(2).unwrap().cut, 3);
        let none = read.violation(4).unwrap_err().to_string();
        assert!(
            none.contains("no violation 4 in the report: it has 3"),
            "{none}"
        );
        // One of a newer command is refused.
        old["schema"] = 5.into();
        fs::write(&path, old.to_string()).unwrap();
        let refused = format!("{:#}", saved.report().unwrap_err());
        assert!(refused.contains("has schema 5"), "{refused}");
    }

    #[test]
    fn a_report_that_did_not_come_to_its_end_has_what_was_found() {
        let recording = History::new().write(0, "a").write(1, "b").done();
        let mut report = report(&recording);
        report.coverage.ended = Ended::Unfinished;
        add(&mut report, violation(&recording, 4, |_| false));
        let dir = tempfile::tempdir().unwrap();
        let saved = Saved::at(dir.path());
        saved.write(&report, std::io::empty()).unwrap();
        let mut found = Found::open(dir.path()).unwrap();
        found.add(&report.violations[0]).unwrap();
        found.add(&violation(&recording, 4, |i| i == 0)).unwrap();
        let read = saved.report().unwrap();
        assert_eq!(read.violations.len(), 2);
        assert!(saved.to_go_on(&read).unwrap().contains("--recording"));
        fs::write(dir.path().join(RUNS), "").unwrap();
        assert!(saved.to_go_on(&read).unwrap().contains("explore --resume"));
        // Once report.json has them, the other file is gone.
        let mut whole = read;
        whole.coverage.ended = Ended::Exhausted;
        saved.finish(&whole).unwrap();
        assert!(!dir.path().join(VIOLATIONS).exists());
        let read = saved.report().unwrap();
        assert_eq!((read.violations.len(), saved.to_go_on(&read)), (2, None));
    }
}
