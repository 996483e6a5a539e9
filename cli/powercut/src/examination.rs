// SPDX-License-Identifier: GPL-2.0

//! How states are examined: as it was asked for, and as reports keep it.

use std::sync::Arc;
use std::time::Duration;

use powercut_engine::truths::Truths;
use serde::{Deserialize, Serialize};

use crate::device::Settings;
use crate::fs::MountSpec;
use crate::output::say;

/// What to do with a state to know whether it is consistent. Kept in reports,
/// so that a replay does the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Examination {
    /// The user's check; exit 0 consistent, 125 can't tell, else a violation. With `truths`, what
    /// prints what the software holds.
    pub check: String,
    /// The check is started once, is told of each state in a line, and answers in one.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub resident: bool,
    /// What `check` printed at each moment of the workload; of a state it is to print the same as at
    /// one of the moments around the cut.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub truths: Option<Arc<Truths>>,
    /// Run before the mount; what its exit status says is in its manual.
    pub fsck: Option<String>,
    /// None: the check gets the device alone.
    pub mount: Option<MountSpec>,
    /// Run after the check, whatever that said: to stop what it started. What it says itself
    /// does not count.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cleanup: Option<String>,
    /// What the disk that a state is examined on does wrong.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub view_faults: Vec<String>,
    /// How long the check may take.
    pub timeout_ms: u64,
    /// How long a mount or an unmount may take.
    #[serde(default = "default_mount_timeout_ms")]
    pub mount_timeout_ms: u64,
}

/// Of reports that were written before it could be set, and of what is not told otherwise.
pub fn default_mount_timeout_ms() -> u64 {
    60_000
}

impl Examination {
    /// How long the check may take.
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    /// How long a mount or an unmount may take.
    pub fn mount_timeout(&self) -> Duration {
        Duration::from_millis(self.mount_timeout_ms)
    }

    /// Whether all that is done to a state is known before any of it is done: what comes next does not depend on what a
    /// command says, and the mount needs nothing but mount().
    pub fn is_one_step(&self) -> bool {
        let mount = self.mount.as_ref();
        self.fsck.is_none()
            && self.cleanup.is_none()
            && !mount.is_some_and(MountSpec::is_known_by_id)
    }

    /// Tells of a filesystem that does not recover when it is mounted, if nothing else has it
    /// recover.
    pub fn say_advice(&self) {
        let Some(spec) = self.mount.as_ref().filter(|_| self.fsck.is_none()) else {
            return;
        };
        if let Some(checker) = spec.recovered_by() {
            say(format_args!(
                "warning: {} does not recover when it is mounted: without --fsck '{checker} \
                 $POWERCUT_DEV' states are mounted as the power cut left them, if they can be",
                spec.fs
            ));
        }
    }

    /// How to make a disk whose states are examined like this. One that is mounted as a whole has no
    /// partitions: looking for them in each state takes time, and counts as reading.
    pub fn disk(&self, settings: Settings) -> Settings {
        let is_whole = self.mount.is_some() && settings.members.is_empty();
        Settings {
            partscan: settings.partscan && !is_whole,
            ..settings
        }
    }
}
