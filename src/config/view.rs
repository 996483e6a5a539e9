// SPDX-License-Identifier: GPL-2.0

//! A view's directory, in that of its disk.

use super::attribute::show;
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

struct Inner {
    /// There while the power is on.
    device: Option<Power>,
}

/// What the attributes of a view act on.
#[pin_data]
pub(crate) struct ViewGroup {
    /// The disk's name.
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
            attributes: [
                power: 0,
                state: 1,
            ],
        };

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
            let disk = RecordedDisk::new(name, geometry, Behaviour::default(), Some(below))?;
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

// configfs asks for no such bounds of what it shares between threads; we do.
const _: fn() = || {
    fn is_shared<T: Send + Sync>() {}
    is_shared::<ViewGroup>();
};
