// SPDX-License-Identifier: GPL-2.0

//! Crash states without the module: the command serves them itself, to the kernel's NBD client.
//!
//! [`Contents`] has the data of a recording, [`Image`] a state that can be written to, `protocol` serves it,
//! `netlink` tells the kernel of that.

mod contents;
mod image;
mod netlink;
mod protocol;
#[cfg(test)]
mod tests;
mod view;

use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::Arc;

use anyhow::{bail, Context, Result};
use powercut_engine::recording::Recording;

use crate::device::DeviceError;
use crate::report::Saved;
use crate::server::{ServedView, Server};

pub use contents::Contents;
pub use image::Image;

use view::{remove_stale, NbdView};

/// A server of the states of a recording that is in a report, or in a file.
#[derive(Debug)]
pub struct NbdServer {
    saved: Saved,
    recording: Arc<Recording>,
    contents: Arc<Contents>,
}

impl NbdServer {
    pub fn new(saved: &Saved, recording: Arc<Recording>) -> Result<Self> {
        if !rustix::process::geteuid().is_root() {
            return Err(DeviceError::NotRoot.into());
        }
        if !recording.members().is_empty() {
            bail!(
                "--backend nbd shows one disk, and the recording is of a group: --backend module \
                 shows groups"
            );
        }
        load_client();
        let mut kernel = netlink::Nbd::open().context(
            "the kernel has no NBD, which --backend nbd needs (CONFIG_BLK_DEV_NBD; `modprobe nbd`)",
        )?;
        remove_stale(&mut kernel);
        Ok(Self {
            saved: saved.clone(),
            contents: Arc::new(Contents::spill(saved.stream()?)?),
            recording,
        })
    }
}

/// The kernel's client is a module, and mostly not loaded. Whether it is there is seen afterwards.
fn load_client() {
    if std::path::Path::new("/sys/module/nbd").is_dir() {
        return;
    }
    let _ = Command::new("modprobe")
        .arg("nbd")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
}

impl Server for NbdServer {
    fn recording(&self) -> Result<Arc<Recording>> {
        Ok(Arc::clone(&self.recording))
    }

    fn export(&self) -> Result<Box<dyn Read + '_>> {
        Ok(Box::new(self.saved.stream()?))
    }

    fn view(&self) -> Result<ServedView> {
        let view = NbdView::new(&self.recording, &self.contents)?;
        Ok(ServedView(Box::new(view)))
    }

    fn is_group(&self) -> bool {
        false
    }
}
