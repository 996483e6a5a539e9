// SPDX-License-Identifier: GPL-2.0

//! The bulk interface: /dev/powercut-control.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use powercut_engine::reads::Reads;
use rustix::io::Errno;

use super::attribute::PATIENCE;
use super::{errno, DeviceError, Selection};
use crate::pause::Pause;

/// Entries come in pieces of this size.
const BUFFER: usize = 1 << 20;

/// For what needs a disk to be closed: its last user may not be quite gone, and udev opens it for a moment
/// when it is made and whenever it has another content.
pub fn when_closed<T>(
    mut attempt: impl FnMut() -> Result<T, DeviceError>,
) -> Result<T, DeviceError> {
    let until = Instant::now() + PATIENCE;
    let mut pause = Pause::default();
    loop {
        match attempt() {
            Err(DeviceError::Busy(_)) if Instant::now() < until => pause.sleep(),
            other => return other,
        }
    }
}

#[derive(Debug, Clone)]
pub struct Control {
    node: PathBuf,
}

impl Control {
    pub fn new(node: impl Into<PathBuf>) -> Self {
        Self { node: node.into() }
    }

    pub fn node(&self) -> &Path {
        &self.node
    }

    /// The log without data.
    pub fn log(&self, disk: &str) -> Result<impl Read, DeviceError> {
        self.ask(&format!("log {disk}"), disk)
            .map(|file| BufReader::with_capacity(BUFFER, file))
    }

    /// The base and the log with data.
    pub fn export(&self, disk: &str) -> Result<impl Read, DeviceError> {
        self.ask(&format!("export {disk}"), disk)
            .map(|file| BufReader::with_capacity(BUFFER, file))
    }

    /// Gives a disk what `export` gave of another. It needs to be closed when all has arrived: else it is busy.
    pub fn import(&self, disk: &str, mut stream: impl Read) -> Result<(), DeviceError> {
        let file = self.ask(&format!("import {disk}"), disk)?;
        let mut out = io::BufWriter::with_capacity(BUFFER, file);
        io::copy(&mut stream, &mut out)
            .and_then(|_| out.flush())
            .map_err(|e| self.refused(&format!("import {disk}"), disk, e))
    }

    /// Points a view at a state.
    pub fn state(&self, view: &str, selection: &Selection) -> Result<(), DeviceError> {
        self.ask_when_closed(&format!("state {view} {selection}"), view)
            .map(drop)
    }

    /// Brings the power of a disk back that was cut, in a state at the cut.
    pub fn restore(&self, disk: &str, selection: &Selection) -> Result<(), DeviceError> {
        self.ask_when_closed(&format!("restore {disk} {selection}"), disk)
            .map(drop)
    }

    /// What was read of a view's state; none if the driver can't tell: it could
    /// not keep the set, or is too old to.
    pub fn reads(&self, view: &str) -> Result<Option<Reads>, DeviceError> {
        let request = format!("reads {view}");
        let mut file = self.open()?;
        // A page: most answers in one go.
        let mut bytes = Vec::with_capacity(4096);
        let answer = file
            .write_all(format!("{request}\n").as_bytes())
            .and_then(|()| file.read_to_end(&mut bytes));
        match answer {
            Ok(_) => Ok(Reads::parse(&bytes)),
            Err(e) => match errno(&e) {
                Some(Errno::NOMEM | Errno::INVAL) => Ok(None),
                _ => Err(self.refused(&request, view, e)),
            },
        }
    }

    fn ask_when_closed(&self, request: &str, disk: &str) -> Result<File, DeviceError> {
        when_closed(|| self.ask(request, disk))
    }

    fn ask(&self, request: &str, disk: &str) -> Result<File, DeviceError> {
        let mut file = self.open()?;
        file.write_all(format!("{request}\n").as_bytes())
            .map_err(|e| self.refused(request, disk, e))?;
        Ok(file)
    }

    fn open(&self) -> Result<File, DeviceError> {
        let opened = OpenOptions::new().read(true).write(true).open(&self.node);
        opened.map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => DeviceError::NotLoaded,
            io::ErrorKind::PermissionDenied => DeviceError::NotRoot,
            _ => DeviceError::io(format!("cannot open {}", self.node.display()))(e),
        })
    }

    fn refused(&self, request: &str, disk: &str, e: io::Error) -> DeviceError {
        let why = match errno(&e) {
            Some(Errno::NOENT) => return DeviceError::NoDisk(disk.into()),
            Some(Errno::BUSY) => return DeviceError::Busy(format!("/dev/powercut/{disk}")),
            Some(Errno::NODEV) => format!("{disk} is powered off"),
            Some(Errno::NODATA) if request.starts_with("restore") => {
                format!("the power of {disk} is on")
            }
            Some(Errno::NODATA) => {
                format!("{disk} has no record: `powercut record {disk} start` makes one")
            }
            Some(Errno::EXIST) => {
                format!("{disk} has a record already: `powercut record {disk} reset` ends it")
            }
            Some(Errno::INVAL) if request.starts_with("import") => {
                "the recording is damaged, or the disk is of another size or kind".into()
            }
            _ => e.to_string(),
        };
        let what: String = match request.char_indices().nth(120) {
            Some((at, _)) => format!("{}...", &request[..at]),
            None => request.into(),
        };
        DeviceError::Refused {
            what: format!("{what:?}"),
            why,
        }
    }
}
