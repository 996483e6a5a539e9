// SPDX-License-Identifier: GPL-2.0

//! A view's directory, in that of its disk, or of the view that it is a view of.

use super::{
    attribute::show,
    check_name,
    fault::fault_attributes,
    record, //
};
use crate::{
    block::registry,
    crash::CrashState,
    device::Power,
    disk::{
        Behaviour,
        RecordedDisk, //
    },
    text::{
        line,
        parse_bool, //
    }, //
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
    sync::Mutex, //
};

/// How many views may lie on each other. Reads go through all of them, on the kernel's
/// stack.
const DEPTH_MAX: usize = 3;

struct Inner {
    /// There while the power is on.
    device: Option<Power>,
}

/// What the attributes of a view act on.
#[pin_data]
pub(crate) struct ViewGroup {
    /// `NAME`, of what it is a view of.
    origin: CString,
    /// `NAME.VIEW`.
    name: CString,
    #[pin]
    inner: Mutex<Inner>,
}

impl ViewGroup {
    pub(super) fn new(
        origin: &CStr,
        name: &CStr,
    ) -> Result<impl PinInit<configfs::Group<Self>, Error>> {
        let item_type = configfs_attrs! {
            container: configfs::Group<ViewGroup>,
            data: ViewGroup,
            child: ViewGroup,
            attributes: [
                power: 0,
                state: 1,
                record: 2,
                mark: 3,
                faults: 4,
                badblocks: 5,
                badblocks_once: 6,
                badblocks_mode: 7,
                badblocks_hits: 8,
            ],
        };

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
            item_type,
            try_pin_init!(Self {
                origin,
                name: full_name,
                inner <- new_mutex!(Inner { device: None }),
            }),
        ))
    }

    fn switch_on(&self) -> Result {
        let mut inner = self.inner.lock();
        if inner.device.is_none() {
            let origin = registry::find(self.origin.to_bytes()).map_err(|_| ENODEV)?;
            let name = CString::try_from_fmt(fmt!("{}", &*self.name))?;
            let geometry = origin.disk().geometry();
            let below = CrashState::new(origin.disk().clone())?;
            let members = *origin.disk().members();
            let behaviour = Behaviour {
                garbage: origin.disk().garbage(),
                ..Behaviour::default()
            };
            let disk = RecordedDisk::new(name, geometry, members, behaviour, Some(below))?;
            inner.device = Some(Power::on(disk)?);
        }
        Ok(())
    }

    fn switch_off(&self) -> Result {
        let mut inner = self.inner.lock();
        if let Some(device) = &inner.device {
            device.claim()?;
            inner.device = None;
        }
        Ok(())
    }
}

#[vtable]
impl configfs::AttributeOperations<0> for ViewGroup {
    type Data = ViewGroup;

    fn show(this: &ViewGroup, page: &mut [u8; PAGE_SIZE]) -> Result<usize> {
        let is_on = this.inner.lock().device.is_some();
        show(page, fmt!("{}\n", u8::from(is_on)))
    }

    fn store(this: &ViewGroup, text: &[u8]) -> Result {
        match parse_bool(line(text))? {
            true => this.switch_on(),
            false => this.switch_off(),
        }
    }
}

#[vtable]
impl configfs::AttributeOperations<1> for ViewGroup {
    type Data = ViewGroup;

    fn show(this: &ViewGroup, page: &mut [u8; PAGE_SIZE]) -> Result<usize> {
        let inner = this.inner.lock();
        let device = inner.device.as_ref().ok_or(ENODEV)?;
        let below = device.disk().below().ok_or(ENODATA)?;
        show(page, fmt!("{}\n", *below.selection()))
    }

    fn store(this: &ViewGroup, text: &[u8]) -> Result {
        let inner = this.inner.lock();
        inner.device.as_ref().ok_or(ENODEV)?.select(line(text))
    }
}

#[vtable]
impl configfs::AttributeOperations<2> for ViewGroup {
    type Data = ViewGroup;

    fn show(this: &ViewGroup, page: &mut [u8; PAGE_SIZE]) -> Result<usize> {
        record::show_status(this.inner.lock().device.as_ref(), page)
    }

    fn store(this: &ViewGroup, text: &[u8]) -> Result {
        record::store(this.inner.lock().device.as_ref(), line(text))
    }
}

#[vtable]
impl configfs::AttributeOperations<3> for ViewGroup {
    type Data = ViewGroup;

    fn show(this: &ViewGroup, page: &mut [u8; PAGE_SIZE]) -> Result<usize> {
        record::show_marks(this.inner.lock().device.as_ref(), page)
    }

    fn store(this: &ViewGroup, text: &[u8]) -> Result {
        let inner = this.inner.lock();
        let device = inner.device.as_ref().ok_or(ENODEV)?;
        record::store_marks(device.disk(), line(text))
    }
}

#[vtable]
impl configfs::GroupOperations for ViewGroup {
    type Child = ViewGroup;

    fn make_group(&self, name: &CStr) -> Result<impl PinInit<configfs::Group<ViewGroup>, Error>> {
        ViewGroup::new(&self.name, name)
    }
}

fault_attributes!(ViewGroup, 4: Rules, 5: BadBlocks, 6: Once, 7: Mode, 8: Hits);

// configfs asks for no such bounds of what it shares between threads; we do.
const _: fn() = || {
    fn is_shared<T: Send + Sync>() {}
    is_shared::<ViewGroup>();
};
