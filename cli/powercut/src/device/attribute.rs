// SPDX-License-Identifier: GPL-2.0

//! Attributes and directories of configfs.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::{errno, DeviceError, Name, Nodes};
use crate::pause::Pause;

/// How long a node may take to appear, and its last user to go.
pub const PATIENCE: Duration = Duration::from_secs(5);

pub fn get(dir: &Path, attribute: &str) -> Result<String, DeviceError> {
    let path = dir.join(attribute);
    fs::read_to_string(&path)
        .map(|text| text.trim_end().to_string())
        .map_err(DeviceError::io(format!("cannot read {}", path.display())))
}

/// Configfs wants a value in one write.
pub fn write(path: &Path, value: &str) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).open(path)?;
    file.write_all(format!("{value}\n").as_bytes())
}

pub fn subdirectories(dir: &Path) -> Result<Vec<Name>, DeviceError> {
    let failed = || DeviceError::io(format!("cannot list {}", dir.display()));
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed())? {
        let entry = entry.map_err(failed())?;
        if entry.file_type().is_ok_and(|t| t.is_dir()) {
            names.extend(entry.file_name().to_str().and_then(|n| n.parse().ok()));
        }
    }
    names.sort();
    Ok(names)
}

pub fn wait_for(nodes: &Nodes) -> Result<(), DeviceError> {
    nodes.all().try_for_each(wait_for_one)
}

fn wait_for_one(node: &Path) -> Result<(), DeviceError> {
    let until = Instant::now() + PATIENCE;
    let mut pause = Pause::default();
    while !node.exists() {
        if Instant::now() >= until {
            return Err(DeviceError::NoNode { node: node.into() });
        }
        pause.sleep();
    }
    Ok(())
}

/// A device's last close may lag behind its last user.
pub fn retry_busy(mut attempt: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    let until = Instant::now() + PATIENCE;
    let mut pause = Pause::default();
    loop {
        match attempt() {
            Err(e) if errno(&e) == Some(Errno::BUSY) && Instant::now() < until => pause.sleep(),
            other => return other,
        }
    }
}
