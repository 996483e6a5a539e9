// SPDX-License-Identifier: GPL-2.0

//! The driver: disks and views in configfs, bulk through the control device.

mod attribute;
mod configfs;
mod control;
mod cut;
mod fault;
mod mark;
mod name;
mod nodes;
mod selection;
mod settings;
mod tree;
mod view;

use std::io;
use std::path::PathBuf;

use powercut_engine::reads::Reads;
use thiserror::Error;

use crate::faults::Rule;

pub use configfs::{Disk, DiskInfo, RecordStatus, Root};
pub use control::{when_closed, Control};
pub use cut::{CutMode, CutRequest, Trigger, TriggerError};
pub use fault::{why_refused, FaultDir, FaultStatus, RuleStatus};
pub use mark::{MarkError, MarkText};
pub use name::{Name, NameError, MAX as NAME_MAX};
pub use nodes::{variable, Nodes};
pub use selection::Selection;
pub use settings::{Completion, DiscardContent, Settings};
pub use tree::{name_of, remove_tree, Removed};
pub use view::{View, ViewOrigin};

const NODES: &str = "/dev/powercut";
const CONTROL: &str = "/dev/powercut-control";

#[derive(Debug, Error)]
pub enum DeviceError {
    #[error(
        "only root may make, mount and drive block devices: run this as root. What reads recordings takes none: \
         log, count and lint with --report, report, merge, import, export --format"
    )]
    NotRoot,
    #[error("the powercut module is not loaded: `modprobe powercut`, or `insmod powercut.ko`")]
    NotLoaded,
    #[error("configfs is not mounted: `mount -t configfs none /sys/kernel/config`")]
    NoConfigfs,
    #[error("there is no disk {0}: `powercut list` shows those there are")]
    NoDisk(String),
    #[error("there is no view {0}: `powercut list` shows those there are")]
    NoView(String),
    #[error("a disk named {0} exists: choose another name, or `powercut remove {0}` first")]
    DiskTaken(String),
    #[error("{0} is in use (mounted, or open in some process): end that first")]
    Busy(String),
    #[error("{node} did not appear: is devtmpfs mounted at /dev?")]
    NoNode { node: PathBuf },
    #[error("the driver refused {what}: {why}")]
    Refused { what: String, why: String },
    #[error("{name} is not served any more, so no state can be told: {why}")]
    Unserved { name: String, why: String },
    #[error("{what}: {source}")]
    Io { what: String, source: io::Error },
}

impl DeviceError {
    fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}

/// A block device, or a group of them, that shows any crash state of a recorded disk.
pub trait Show {
    /// Points it at a state.
    fn show(&mut self, selection: &Selection) -> Result<(), DeviceError>;
    /// Its block devices.
    fn nodes(&self) -> &Nodes;
    /// What was read of the state; none if that is not known.
    fn reads(&self) -> Result<Option<Reads>, DeviceError> {
        Ok(None)
    }
    /// An error if what serves it failed: then nothing that was read of it says anything of the state.
    fn is_served(&self) -> Result<(), DeviceError> {
        Ok(())
    }
    /// Has it do these things wrong, from each state's start on.
    fn add_faults(&mut self, _rules: &[Rule]) -> Result<(), DeviceError> {
        Ok(())
    }
}

/// The number of the error, for messages that depend on it.
fn errno(e: &io::Error) -> Option<rustix::io::Errno> {
    rustix::io::Errno::from_io_error(e)
}
