// SPDX-License-Identifier: GPL-2.0

//! What makes a crash disk a block device: a driver of the kernel that asks a server in user space.

use powercut_engine::abi::Header;
use std::fmt::Debug;

use super::Part;
use crate::device::DeviceError;

/// A driver of the kernel.
pub trait Driver: Debug + Send + Sync {
    /// Serves a part of a disk that has this header, until the device is dropped.
    fn attach(&self, part: &Part, header: &Header) -> Result<Box<dyn Device>, DeviceError>;
}

/// A block device that a part of a crash disk is served as.
pub trait Device: Debug + Send + Sync {
    /// As sysfs and the kernel's messages have it, and /dev.
    fn name(&self) -> &str;
}
