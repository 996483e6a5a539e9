// SPDX-License-Identifier: GPL-2.0

//! configfs: `/sys/kernel/config/powercut`, where disks live and die.
//!
//! Here is the top, `mkdir` in which makes a [`disk::DiskGroup`]; `mkdir` in that
//! makes a [`view::ViewGroup`]. Attributes are described in docs/abi.md.

mod attribute;
mod cut;
mod disk;
mod fault;
mod members;
mod record;
mod settings;
mod show;
mod view;

use kernel::{
    configfs,
    configfs_attrs,
    page::PAGE_SIZE,
    prelude::*,
    str::{
        CStr,
        Formatter, //
    }, //
};
use show::put;

/// The top of the hierarchy.
#[pin_data]
pub(crate) struct Top {}

/// Registers the hierarchy; to be the last step of the module's init, as user space
/// can come in from here on.
pub(crate) fn subsystem() -> impl PinInit<configfs::Subsystem<Top>, Error> {
    let item_type = configfs_attrs! {
        container: configfs::Subsystem<Top>,
        data: Top,
        child: disk::DiskGroup,
        attributes: [
            features: 0,
        ],
    };

    configfs::Subsystem::new(c"powercut", item_type, try_pin_init!(Top {}))
}

#[vtable]
impl configfs::AttributeOperations<0> for Top {
    type Data = Top;

    fn show(_this: &Top, page: &mut [u8; PAGE_SIZE]) -> Result<usize> {
        let mut to = Formatter::new(page);
        let names = || [disk::NAMES, view::NAMES].into_iter().flatten();
        let mut last = "";
        // In the order of the alphabet, each once.
        while let Some(name) = names().filter(|name| **name > last).min() {
            let comma = if last.is_empty() { "" } else { "," };
            put(&mut to, fmt!("{comma}{name}"))?;
            last = name;
        }
        put(&mut to, fmt!("\n"))?;
        Ok(to.bytes_written())
    }
}

#[vtable]
impl configfs::GroupOperations for Top {
    type Child = disk::DiskGroup;

    fn make_group(
        &self,
        name: &CStr,
    ) -> Result<impl PinInit<configfs::Group<disk::DiskGroup>, Error>> {
        check_name(name.to_bytes(), 0)?;
        disk::DiskGroup::new(name)
    }
}

/// The longest `NAME` or `NAME.VIEW`: with `powercut!` before it and a NUL behind, it
/// must fit the kernel's limit on names of disks.
const NAME_MAX_BYTES: usize = crate::block::DISK_NAME_LEN - "powercut!".len() - 1;

/// Whether `name` may stand in a name that has `others` bytes besides.
fn check_name(name: &[u8], others: usize) -> Result {
    let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');

    if name.is_empty() || !name.iter().all(is_allowed) {
        Err(EINVAL)
    } else if name.len() + others > NAME_MAX_BYTES {
        Err(ENAMETOOLONG)
    } else {
        Ok(())
    }
}
