// SPDX-License-Identifier: GPL-2.0

//! A disk's directory.

use super::{
    attribute::{
        attributes,
        Attribute,
        Directory, //
    },
    cut,
    fault,
    record,
    settings::{
        self,
        Settings, //
    },
    view::ViewGroup, //
};
use crate::{
    device::Power,
    disk::RecordedDisk, //
};
use kernel::{
    configfs,
    configfs_attrs,
    new_mutex,
    page::PAGE_SIZE,
    prelude::*,
    str::{
        CStr,
        CString, //
    },
    sync::{
        Arc,
        Mutex, //
    }, //
};

/// What the attributes of a disk act on.
#[pin_data]
pub(crate) struct DiskGroup {
    name: CString,
    #[pin]
    device: Mutex<Option<Power>>,
    #[pin]
    settings: Mutex<Settings>,
}

attributes! {
    DiskGroup, ViewGroup:
    0 power: Attribute::Power,
    1 size: Attribute::Setting(settings::SIZE),
    2 disks: Attribute::Setting(settings::DISKS),
    3 blocksize: Attribute::Setting(settings::BLOCKSIZE),
    4 physical_blocksize: Attribute::Setting(settings::PHYSICAL_BLOCKSIZE),
    5 atomic_unit: Attribute::Setting(settings::ATOMIC_UNIT),
    6 tear: Attribute::Setting(settings::TEAR),
    7 write_cache: Attribute::Setting(settings::WRITE_CACHE),
    8 fua: Attribute::Setting(settings::FUA),
    9 discard: Attribute::Setting(settings::DISCARD),
    10 discard_content: Attribute::Setting(settings::DISCARD_CONTENT),
    11 completion: Attribute::Setting(settings::COMPLETION),
    12 partscan: Attribute::Setting(settings::PARTSCAN),
    13 stacks: Attribute::Setting(settings::STACKS),
    14 log_limit_mib: Attribute::Setting(settings::LOG_LIMIT_MIB),
    15 record: record::RECORD,
    16 mark: record::MARK,
    17 cut: cut::CUT,
    18 restore: cut::RESTORE,
    19 faults: fault::FAULTS,
    20 badblocks: fault::BADBLOCKS,
    21 badblocks_once: fault::BADBLOCKS_ONCE,
    22 badblocks_mode: fault::BADBLOCKS_MODE,
    23 badblocks_hits: fault::BADBLOCKS_HITS,
}

impl DiskGroup {
    pub(super) fn new(name: &CStr) -> Result<impl PinInit<configfs::Group<Self>, Error>> {
        let group_name: CString = name.try_into()?;
        let settings = Settings::new(name.to_bytes().len());
        let name: CString = name.try_into()?;
        Ok(configfs::Group::new(
            group_name,
            item_type(),
            try_pin_init!(Self {
                name,
                device <- new_mutex!(None),
                settings <- new_mutex!(settings),
            }),
        ))
    }
}

impl Directory for DiskGroup {
    const ATTRIBUTES: &'static [Attribute] = ATTRIBUTES;

    fn device(&self) -> &Mutex<Option<Power>> {
        &self.device
    }

    fn settings(&self) -> Option<&Mutex<Settings>> {
        Some(&self.settings)
    }

    fn make_disk(&self) -> Result<Arc<RecordedDisk>> {
        let settings = *self.settings.lock();
        let name = CString::try_from_fmt(fmt!("{}", &*self.name))?;
        let properties = settings.properties()?;
        RecordedDisk::new(
            name,
            properties,
            *settings.members(),
            settings.behaviour(),
            None,
        )
    }
}

#[vtable]
impl configfs::GroupOperations for DiskGroup {
    type Child = ViewGroup;

    fn make_group(&self, name: &CStr) -> Result<impl PinInit<configfs::Group<ViewGroup>, Error>> {
        ViewGroup::new(&self.name, name)
    }
}
