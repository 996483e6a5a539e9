// SPDX-License-Identifier: GPL-2.0

//! The crash states of a recording that is in a report, or in a file, or was just made, served by the command itself.

use std::fs::File;
use std::io::{BufReader, Read};
use std::sync::Arc;

use anyhow::Result;
use powercut_engine::recording::Recording;

use super::{Contents, CrashView, Driver, FromStart};
use crate::report::Saved;
use crate::server::{ServedView, Server};

/// See the module.
#[derive(Debug)]
pub struct CrashServer {
    driver: Arc<dyn Driver>,
    stream: Stream,
    recording: Arc<Recording>,
    contents: Arc<Contents>,
}

/// Where the recording is.
#[derive(Debug)]
enum Stream {
    Saved(Saved),
    /// As `export` gives it.
    File(Arc<File>),
}

impl CrashServer {
    /// Of a recording that is nowhere else.
    pub fn of_file(driver: Arc<dyn Driver>, file: Arc<File>) -> Result<Self> {
        let stream = || BufReader::new(FromStart::new(Arc::clone(&file)));
        Ok(Self {
            driver,
            recording: Arc::new(Recording::read(stream())?),
            contents: Arc::new(Contents::spill(stream())?),
            stream: Stream::File(file),
        })
    }

    pub fn new(driver: Arc<dyn Driver>, saved: &Saved, recording: Arc<Recording>) -> Result<Self> {
        Ok(Self {
            driver,
            stream: Stream::Saved(saved.clone()),
            contents: Arc::new(Contents::spill(saved.stream()?)?),
            recording,
        })
    }
}

impl Server for CrashServer {
    fn recording(&self) -> Result<Arc<Recording>> {
        Ok(Arc::clone(&self.recording))
    }

    fn export(&self) -> Result<Box<dyn Read + '_>> {
        Ok(match &self.stream {
            Stream::Saved(saved) => Box::new(saved.stream()?),
            Stream::File(file) => Box::new(BufReader::new(FromStart::new(Arc::clone(file)))),
        })
    }

    fn view(&self) -> Result<ServedView> {
        let view = CrashView::new(&self.driver, &self.recording, &self.contents)?;
        Ok(ServedView(Box::new(view)))
    }

    fn is_group(&self) -> bool {
        !self.recording.members().is_empty()
    }
}
