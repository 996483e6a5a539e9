// SPDX-License-Identifier: GPL-2.0

//! A disk that the command serves itself, which a workload is recorded on: records without the module.
//!
//! [`CrashDisk`] holds what is written, and the record. Requests, marks, and the beginning and the end of the record
//! take its lock in turn, so that each of them comes before or after any other.

mod marks;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{bail, Context, Result};
use powercut_engine::abi::{Header, SECTOR};
use powercut_engine::faults::Faults;
use powercut_engine::recording::Recording;

use crate::crash_disk::{Contents, CrashDisk, CrashServer, CrashView, Driver};
use crate::device::{Nodes, RecordStatus, Settings, Show};
use crate::memory::record_limit_mib;
use crate::scratch::{scratch_dir, ScratchDir};
pub use marks::put as put_marks;
use marks::MarkSocket;

/// See the module.
#[derive(Debug)]
pub struct ServedDisk {
    driver: Arc<dyn Driver>,
    view: CrashView,
    disk: Arc<Mutex<CrashDisk>>,
    header: Header,
    /// What its record may take, if that has a limit.
    limit_mib: Option<u64>,
    marks: MarkSocket,
    /// It goes last.
    _dir: ScratchDir,
}

impl ServedDisk {
    /// A disk full of zeroes, which nobody records yet.
    pub fn create(driver: Arc<dyn Driver>, settings: &Settings) -> Result<Self> {
        let made = Self::make(driver, settings);
        made.context("cannot make a disk to record on")
    }

    fn make(driver: Arc<dyn Driver>, settings: &Settings) -> Result<Self> {
        let header = header(settings);
        // What such a disk shows is the base of a record with nothing in it.
        let nothing = header.to_bytes();
        let recording = Arc::new(Recording::read(&nothing[..])?);
        let contents = Arc::new(Contents::spill(&nothing[..])?);
        let view = CrashView::new(&driver, &recording, &contents)?;
        let dir = scratch_dir()?;
        let disk = view.disk();
        Ok(Self {
            marks: MarkSocket::new(dir.path().join("marks"), Arc::clone(&disk))?,
            driver,
            view,
            disk,
            header,
            limit_mib: match settings.log_limit_mib {
                None => Some(record_limit_mib()),
                Some(0) => None,
                limit => limit,
            },
            _dir: dir,
        })
    }

    fn disk(&self) -> MutexGuard<'_, CrashDisk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn nodes(&self) -> &Nodes {
        self.view.nodes()
    }

    /// The socket that takes its marks.
    pub fn mark_socket(&self) -> &Path {
        self.marks.path()
    }

    pub fn limit_mib(&self) -> Option<u64> {
        self.limit_mib
    }

    pub fn status(&self) -> Option<RecordStatus> {
        self.disk().record_status()
    }

    /// Why it is not served any more.
    pub fn broken(&self) -> Option<anyhow::Error> {
        self.view.is_served().err().map(Into::into)
    }

    /// Has what is written from now on recorded.
    pub fn start(&self) -> Result<()> {
        let limit_bytes = self.limit_mib.map_or(u64::MAX, |mib| mib << 20);
        let mut disk = self.disk();
        disk.begin()?;
        let begun = disk.begin_workload(&self.header, limit_bytes);
        begun.context("cannot begin the record")
    }

    /// Ends the record, with all that came until now. It may be mounted: that is not synced.
    pub fn stop(&self) -> Result<()> {
        let mut disk = self.disk();
        disk.end_record();
        disk.prepare();
        drop(disk);
        match self.broken() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// What serves the states of the record. The disk itself keeps what was written.
    pub fn server(&self) -> Result<CrashServer> {
        if let Some(error) = self.broken() {
            bail!(error);
        }
        let mut disk = self.disk();
        let exported = disk.export();
        let stream = exported.context(
            "cannot keep what the workload wrote in a temporary file (TMPDIR says where)",
        )?;
        disk.drop_record();
        drop(disk);
        let server = CrashServer::of_file(Arc::clone(&self.driver), stream);
        server.context("can't serve states")
    }
}

/// Of the record of a disk with these settings, with nothing in it.
fn header(settings: &Settings) -> Header {
    Header {
        write_cache: settings.write_cache,
        fua: settings.fua,
        with_data: true,
        capacity_sectors: (settings.size_mib << 20) / SECTOR,
        block_size: settings.block_size,
        atomic_unit: settings.atomic_unit.max(settings.block_size),
        tear: settings.tear,
        entries: 0,
        newest_event: 0,
        truncated: 0,
        base_entries: 0,
        faults: Faults::default(),
        members: settings.members.clone(),
    }
}
