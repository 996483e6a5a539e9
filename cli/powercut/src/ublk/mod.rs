// SPDX-License-Identifier: GPL-2.0

//! Crash states without the module, by the kernel's ublk: requests come by io_uring, and no socket is in between.
//!
//! Data is copied by reads and writes of the device's own file (UBLK_F_USER_COPY, Linux 6.5). So no memory
//! of the command is ever lent to the kernel, which libublk would leave to its callers to get right.

mod device;
mod server;

use anyhow::{bail, Result};
use libublk::ctrl::UblkCtrl;
use libublk::sys::UBLK_F_USER_COPY;
use powercut_engine::abi::Header;

use crate::crash_disk::{Device, Driver, Part};
use crate::device::DeviceError;
use crate::modprobe;
use device::{remove_stale, UblkDevice};

/// The kernel's ublk.
#[derive(Debug)]
pub struct UblkDriver(());

impl UblkDriver {
    pub fn open() -> Result<Self> {
        if !rustix::process::geteuid().is_root() {
            return Err(DeviceError::NotRoot.into());
        }
        if !is_there() {
            bail!(
                "the kernel has no ublk, or one older than Linux 6.5, which --backend ublk needs \
                 (CONFIG_BLK_DEV_UBLK; `modprobe ublk_drv`)"
            );
        }
        remove_stale();
        Ok(Self(()))
    }
}

impl Driver for UblkDriver {
    fn attach(&self, part: &Part, header: &Header) -> Result<Box<dyn Device>, DeviceError> {
        Ok(Box::new(UblkDevice::attach(part, header)?))
    }
}

/// Whether the kernel has ublk as it is needed here.
pub fn is_there() -> bool {
    if !std::path::Path::new("/dev/ublk-control").exists() {
        modprobe::load("ublk_drv");
    }
    let is_there = std::path::Path::new("/dev/ublk-control").exists();
    is_there && UblkCtrl::get_features().is_some_and(|has| has & u64::from(UBLK_F_USER_COPY) != 0)
}
