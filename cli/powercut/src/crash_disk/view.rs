// SPDX-License-Identifier: GPL-2.0

//! A crash disk as a view: a block device, or one for each member of a group, that is pointed at one state after
//! the other.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use powercut_engine::reads::Reads;
use powercut_engine::recording::{CrashState, Recording};
use rustix::fs::{fadvise, Advice, OFlags};
use rustix::io::Errno;

use super::origin::{CrashOrigin, Spare};
use super::{Contents, CrashDisk, Device, Driver, Image, Part};
use crate::device::{when_closed, DeviceError, Nodes, Selection, Show};
use crate::faults::Rule;
use crate::server::{Origin, Served};

/// See the module. Its clones are the same devices.
#[derive(Debug, Clone)]
pub struct CrashView {
    recording: Arc<Recording>,
    attached: Arc<Attached>,
}

/// A crash disk, and the devices that it is served as.
#[derive(Debug)]
struct Attached {
    disk: Arc<Mutex<CrashDisk>>,
    nodes: Nodes,
    driver: Arc<dyn Driver>,
    /// For states of what is written to this one.
    within: Spare,
    /// The first one's.
    name: String,
    _devices: Vec<Box<dyn Device>>,
}

fn failed(what: impl Into<String>) -> impl FnOnce(io::Error) -> DeviceError {
    let what = what.into();
    move |source| DeviceError::Io { what, source }
}

impl CrashView {
    /// A view that shows the base.
    pub fn new(
        driver: &Arc<dyn Driver>,
        recording: &Arc<Recording>,
        contents: &Arc<Contents>,
    ) -> Result<Self, DeviceError> {
        let disk = CrashDisk::new(base_of(recording, contents)?);
        let disk = Arc::new(Mutex::new(disk));
        let parts = Part::all_of(&disk, recording.members());
        let devices: Result<Vec<_>, _> = parts
            .iter()
            .map(|part| driver.attach(part, recording.header()))
            .collect();
        let devices = devices?;
        let names: Vec<String> = devices.iter().map(|d| d.name().to_string()).collect();
        let attached = Attached {
            disk,
            name: names.first().cloned().unwrap_or_default(),
            nodes: Nodes::of_devices(names, recording.members()),
            driver: Arc::clone(driver),
            within: Spare::default(),
            _devices: devices,
        };
        attached.send_as_it_comes();
        // It is looked for partitions when it is first opened.
        attached.closed(|| ())?;
        Ok(Self {
            recording: Arc::clone(recording),
            attached: Arc::new(attached),
        })
    }

    /// What it shows, and records.
    pub fn disk(&self) -> Arc<Mutex<CrashDisk>> {
        Arc::clone(&self.attached.disk)
    }

    /// The same device, for another recording of a disk of the same size and blocks. It shows the base.
    pub fn of(
        self,
        recording: &Arc<Recording>,
        contents: &Arc<Contents>,
    ) -> Result<Self, DeviceError> {
        let image = base_of(recording, contents)?;
        self.attached.disk().prepare();
        when_closed(|| {
            self.attached
                .closed(|| self.attached.disk().load(image.clone()))
        })?;
        Ok(Self {
            recording: Arc::clone(recording),
            attached: self.attached,
        })
    }
}

impl Attached {
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

    /// Does something while nobody has any of it open or mounted who says so, and has the kernel forget what it
    /// knows of the content.
    fn closed(&self, then: impl FnOnce()) -> Result<(), DeviceError> {
        let opened: Result<Vec<_>, _> = self.nodes.all().map(alone).collect();
        let files = opened?;
        let forget = || {
            let mut all = self.nodes.all().zip(&files);
            all.try_for_each(|(node, file)| forget(node, file))
        };
        forget()?;
        then();
        forget()
    }
}

/// Opens a device if nobody else says that it is theirs. Not for writing: udev looks at what is on a device when
/// somebody closes it who could have written to it, and that would count among what was read of the next state.
fn alone(node: &Path) -> Result<File, DeviceError> {
    let exclusive = OFlags::EXCL.bits();
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(i32::try_from(exclusive).unwrap_or_default())
        .open(node);
    opened.map_err(|e| match Errno::from_io_error(&e) {
        Some(Errno::BUSY) => DeviceError::Busy(node.display().to_string()),
        Some(Errno::NOENT) => DeviceError::NoNode { node: node.into() },
        _ => failed(format!("cannot open {}", node.display()))(e),
    })
}

/// Has the kernel forget what it knows of the content of a device.
fn forget(node: &Path, file: &File) -> Result<(), DeviceError> {
    let done = file
        .sync_all()
        .and_then(|()| Ok(fadvise(file, 0, None, Advice::DontNeed)?));
    done.map_err(failed(format!("cannot flush {}", node.display())))
}

/// The base of a recording.
fn base_of(recording: &Arc<Recording>, contents: &Arc<Contents>) -> Result<Image, DeviceError> {
    let state = state_of(recording, &Selection::base())?;
    Ok(Image::new(
        Arc::clone(recording),
        Arc::clone(contents),
        state,
    ))
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
        self.is_served()?;
        let attached = &self.attached;
        let state = state_of(&self.recording, selection)?;
        attached.disk().prepare();
        when_closed(|| attached.closed(|| attached.disk().show(state.clone())))?;
        attached.disk().begin()
    }

    fn nodes(&self) -> &Nodes {
        &self.attached.nodes
    }

    fn reads(&self) -> Result<Option<Reads>, DeviceError> {
        Ok(Some(self.attached.disk().reads()))
    }

    fn is_served(&self) -> Result<(), DeviceError> {
        self.attached.disk().is_served(self.name())
    }

    fn add_faults(&mut self, rules: &[Rule]) -> Result<(), DeviceError> {
        self.attached.disk().set_faults(rules, self.name())
    }
}

impl Served for CrashView {
    fn name(&self) -> &str {
        &self.attached.name
    }

    fn kernel_names(&self) -> Vec<String> {
        let nodes = self.attached.nodes.all();
        let names = nodes.filter_map(|node| node.file_name()?.to_str());
        names.map(str::to_string).collect()
    }

    fn origin(&self) -> Box<dyn Origin> {
        Box::new(CrashOrigin {
            name: self.name().into(),
            disk: Arc::clone(&self.attached.disk),
            header: self.recording.header().clone(),
            driver: Arc::clone(&self.attached.driver),
            spare: self.attached.within.clone(),
        })
    }

    /// It can't: what serves it is this process.
    fn leave(self: Box<Self>) {}
}
