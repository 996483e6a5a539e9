// SPDX-License-Identifier: GPL-2.0

//! A view's directory, in that of its disk, or of the view that it is a view of.

use super::{
    attribute::{
        attributes,
        Attribute,
        Directory, //
    },
    check_name,
    fault,
    record,
    settings::Settings,
    show::put, //
};
use crate::{
    crash::CrashState,
    device::Power,
    disk::{
        Behaviour,
        RecordedDisk, //
    }, //
    registry,
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

/// How many views may lie on each other. Reads go through all of them, on the kernel's
/// stack.
const DEPTH_MAX: usize = 3;

/// What the attributes of a view act on.
#[pin_data]
pub(crate) struct ViewGroup {
    /// `NAME`, of what it is a view of.
    origin: CString,
    /// `NAME.VIEW`.
    name: CString,
    #[pin]
    device: Mutex<Option<Power>>,
}

attributes! {
    ViewGroup, ViewGroup:
    0 power: Attribute::Power,
    1 state: STATE,
    2 record: record::RECORD,
    3 mark: record::MARK,
    4 faults: fault::FAULTS,
    5 badblocks: fault::BADBLOCKS,
    6 badblocks_once: fault::BADBLOCKS_ONCE,
    7 badblocks_mode: fault::BADBLOCKS_MODE,
    8 badblocks_hits: fault::BADBLOCKS_HITS,
}

/// The state that is shown.
const STATE: Attribute = Attribute::Device {
    show: |power, to| {
        let below = power.ok_or(ENODEV)?.disk().below().ok_or(ENODATA)?;
        put(to, fmt!("{}\n", *below.selection()))
    },
    store: |power, text| power.ok_or(ENODEV)?.select(text),
};

impl ViewGroup {
    pub(super) fn new(
        origin: &CStr,
        name: &CStr,
    ) -> Result<impl PinInit<configfs::Group<Self>, Error>> {
        let origin_bytes = origin.to_bytes();
        check_name(name.to_bytes(), origin_bytes.len() + ".".len())?;
        if origin_bytes.iter().filter(|byte| **byte == b'.').count() >= DEPTH_MAX {
            return Err(EMLINK);
        }

        let group_name: CString = name.try_into()?;
        let full_name = CString::try_from_fmt(fmt!("{}.{}", origin, name))?;
        let origin: CString = origin.try_into()?;
        Ok(configfs::Group::new(
            group_name,
            item_type(),
            try_pin_init!(Self {
                origin,
                name: full_name,
                device <- new_mutex!(None),
            }),
        ))
    }
}

impl Directory for ViewGroup {
    const ATTRIBUTES: &'static [Attribute] = ATTRIBUTES;

    fn device(&self) -> &Mutex<Option<Power>> {
        &self.device
    }

    fn settings(&self) -> Option<&Mutex<Settings>> {
        // They are its disk's.
        None
    }

    fn make_disk(&self) -> Result<Arc<RecordedDisk>> {
        let origin = registry::find(self.origin.to_bytes()).map_err(|_| ENODEV)?;
        let name = CString::try_from_fmt(fmt!("{}", &*self.name))?;
        let properties = origin.disk().properties();
        let below = CrashState::new(origin.disk().clone())?;
        let members = *origin.disk().members();
        let behaviour = Behaviour {
            garbage: origin.disk().garbage(),
            stacks: origin.disk().stacks(),
            ..Behaviour::default()
        };
        RecordedDisk::new(name, properties, members, behaviour, Some(below))
    }
}

#[vtable]
impl configfs::GroupOperations for ViewGroup {
    type Child = ViewGroup;

    fn make_group(&self, name: &CStr) -> Result<impl PinInit<configfs::Group<ViewGroup>, Error>> {
        ViewGroup::new(&self.name, name)
    }
}
