// SPDX-License-Identifier: GPL-2.0

//! Crash states without the module: the command serves them itself, to the kernel's NBD client.
//!
//! [`crate::crash_disk::CrashDisk`] has what is served, `protocol` serves it, `netlink` tells the kernel of that.

mod device;
mod netlink;
mod protocol;
#[cfg(test)]
mod tests;

use anyhow::{Context, Result};
use powercut_engine::abi::Header;

use crate::crash_disk::{Device, Driver, Part};
use crate::device::DeviceError;
use crate::modprobe;
use device::{remove_stale, NbdDevice};

/// The kernel's NBD client.
#[derive(Debug)]
pub struct NbdDriver(());

impl NbdDriver {
    pub fn open() -> Result<Self> {
        if !rustix::process::geteuid().is_root() {
            return Err(DeviceError::NotRoot.into());
        }
        load_client();
        let mut kernel = netlink::Nbd::open().context(
            "the kernel has no NBD, which --backend nbd needs (CONFIG_BLK_DEV_NBD; `modprobe nbd`)",
        )?;
        remove_stale(&mut kernel);
        Ok(Self(()))
    }
}

impl Driver for NbdDriver {
    fn attach(&self, part: &Part, header: &Header) -> Result<Box<dyn Device>, DeviceError> {
        Ok(Box::new(NbdDevice::attach(part, header)?))
    }
}

/// The kernel's client is a module, and mostly not loaded. Whether it is there is seen afterwards.
fn load_client() {
    if !std::path::Path::new("/sys/module/nbd").is_dir() {
        modprobe::load("nbd");
    }
}
