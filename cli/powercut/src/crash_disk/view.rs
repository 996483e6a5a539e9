// SPDX-License-Identifier: GPL-2.0

//! A crash disk as a view: a block device that is pointed at one state after the other.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use powercut_engine::reads::Reads;
use powercut_engine::recording::{CrashState, Recording};
use rustix::fs::{fadvise, Advice, OFlags};
use rustix::io::Errno;

use super::{Contents, CrashDisk, Device, Driver, Image};
use crate::device::{when_closed, DeviceError, Nodes, Origin, Selection, Show};
use crate::faults::Rule;
use crate::server::Served;

/// See the module.
#[derive(Debug)]
pub struct CrashView {
    recording: Arc<Recording>,
    disk: Arc<Mutex<CrashDisk>>,
    nodes: Nodes,
    device: Box<dyn Device>,
}

fn failed(what: impl Into<String>) -> impl FnOnce(io::Error) -> DeviceError {
    let what = what.into();
    move |source| DeviceError::Io { what, source }
}

impl CrashView {
    /// A view that shows the base.
    pub fn new(
        driver: &dyn Driver,
        recording: &Arc<Recording>,
        contents: &Arc<Contents>,
    ) -> Result<Self, DeviceError> {
        let state = state_of(recording, &Selection::base())?;
        let image = Image::new(Arc::clone(recording), Arc::clone(contents), state);
        let disk = Arc::new(Mutex::new(CrashDisk::new(image)));
        let device = driver.attach(&disk, recording.header())?;
        let name = device.name();
        let view = Self {
            recording: Arc::clone(recording),
            disk,
            nodes: Nodes::at(Path::new("/dev").join(name), name),
            device,
        };
        view.send_as_it_comes();
        // It is looked for partitions when it is first opened.
        view.closed(|| ())?;
        Ok(view)
    }

    fn disk(&self) -> MutexGuard<'_, CrashDisk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the kernel send what it is asked to do piece by piece and in that order: rules of faults count
    /// pieces. Where it can't be set, it is not.
    fn send_as_it_comes(&self) {
        for disk in self.nodes.sysfs() {
            for (setting, value) in [("nomerges", "2\n"), ("scheduler", "none\n")] {
                let _ = fs::write(disk.join("queue").join(setting), value);
            }
        }
    }

    /// Does something while nobody has it open or mounted who says so, and has the kernel forget what it
    /// knows of the content.
    fn closed(&self, then: impl FnOnce()) -> Result<(), DeviceError> {
        let node = self.nodes.whole();
        let exclusive = OFlags::EXCL.bits();
        let opened = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(i32::try_from(exclusive).unwrap_or_default())
            .open(node);
        let file = opened.map_err(|e| match Errno::from_io_error(&e) {
            Some(Errno::BUSY) => DeviceError::Busy(node.display().to_string()),
            Some(Errno::NOENT) => DeviceError::NoNode { node: node.into() },
            _ => failed(format!("cannot open {}", node.display()))(e),
        })?;
        let forget = || {
            file.sync_all()?;
            Ok(fadvise(&file, 0, None, Advice::DontNeed)?)
        };
        let what = || failed(format!("cannot flush {}", node.display()));
        forget().map_err(what())?;
        then();
        forget().map_err(what())
    }
}

/// The state that a selection names.
fn state_of(recording: &Recording, selection: &Selection) -> Result<CrashState, DeviceError> {
    CrashState::new(recording, selection.cut(), selection.runs()).map_err(|e| {
        DeviceError::Refused {
            what: format!("{selection}"),
            why: e.to_string(),
        }
    })
}

impl Show for CrashView {
    fn show(&mut self, selection: &Selection) -> Result<(), DeviceError> {
        let state = state_of(&self.recording, selection)?;
        self.disk().prepare();
        when_closed(|| self.closed(|| self.disk().show(state.clone())))?;
        self.disk().begin()
    }

    fn nodes(&self) -> &Nodes {
        &self.nodes
    }

    fn reads(&self) -> Result<Option<Reads>, DeviceError> {
        Ok(Some(self.disk().reads()))
    }

    fn add_faults(&mut self, rules: &[Rule]) -> Result<(), DeviceError> {
        self.disk().set_faults(rules, self.device.name())
    }
}

impl Served for CrashView {
    fn name(&self) -> &str {
        self.device.name()
    }

    fn origin(&self) -> Option<Origin> {
        None
    }

    /// It can't: what serves it is this process.
    fn leave(self: Box<Self>) {}
}
