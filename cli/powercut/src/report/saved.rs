// SPDX-License-Identifier: GPL-2.0

//! A report as a directory: report.json for people's programs and for replay,
//! recording.pcut with what the disk went through.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{bail, Context, Result};
use lz4_flex::frame::{FrameDecoder, FrameEncoder, FrameInfo};

use super::model::{Report, SCHEMA, SCHEMA_FAULTS};
use crate::recording::Recording;

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

    /// Writes both files; an older report in their place is replaced.
    pub fn write(&self, report: &Report, recording: impl Read) -> Result<()> {
        let dir = &self.dir;
        let failed = || format!("cannot write the report to {}", dir.display());
        fs::create_dir_all(dir).with_context(failed)?;
        self.replace(RECORDING, |out| compress(recording, out))
            .with_context(failed)?;
        self.write_report(report)
    }

    /// Writes a report with the recording of another.
    pub fn write_with(&self, report: &Report, other: &Self) -> Result<()> {
        self.write(report, other.stream()?)
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
        let mut file = tempfile::NamedTempFile::new_in(&self.dir)?;
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

    pub fn report(&self) -> Result<Report> {
        let path = self.dir.join(REPORT);
        let text = fs::read_to_string(&path).with_context(|| {
            format!(
                "cannot read {}: --report DIR names the report to replay from",
                path.display()
            )
        })?;
        let value: serde_json::Value = serde_json::from_str(&text)
            .with_context(|| format!("{} is not a report", path.display()))?;
        match value.get("schema").and_then(serde_json::Value::as_u64) {
            Some(schema) if [SCHEMA, SCHEMA_FAULTS].map(u64::from).contains(&schema) => {}
            other => bail!(
                "{} has schema {}, this command reads {SCHEMA} and {SCHEMA_FAULTS}: use the powercut that wrote it",
                path.display(),
                other.map_or("?".into(), |n| n.to_string())
            ),
        }
        serde_json::from_value(value).with_context(|| format!("{} is not a report", path.display()))
    }

    /// The stream that the driver gave.
    pub fn stream(&self) -> Result<impl Read> {
        let path = self.recording_path();
        let file = File::open(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(BufReader::with_capacity(
            1 << 20,
            FrameDecoder::new(BufReader::new(file)),
        ))
    }

    pub fn recording(&self) -> Result<Recording> {
        let failed = || format!("cannot use {}", self.recording_path().display());
        let mut stream = self.stream()?;
        let recording = Recording::read(&mut stream).with_context(failed)?;
        // To the end, where the checksum is.
        std::io::copy(&mut stream, &mut std::io::sink()).with_context(failed)?;
        Ok(recording)
    }

    /// In the directory, unless it is a recording itself.
    fn recording_path(&self) -> PathBuf {
        match self.dir.is_file() {
            true => self.dir.clone(),
            false => self.dir.join(RECORDING),
        }
    }

    /// Whether there is a report, not a recording alone.
    pub fn has_report(&self) -> bool {
        self.dir.join(REPORT).is_file()
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
