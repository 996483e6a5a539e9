// SPDX-License-Identifier: GPL-2.0

//! A disk's directory.

use super::{
    attribute::show,
    fault::fault_attributes,
    members::Shown,
    record,
    settings::{
        Setting,
        Settings, //
    },
    view::ViewGroup, //
};
use crate::{
    device::Power,
    disk::RecordedDisk,
    model::Tear,
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
    sync::{
        Arc,
        Mutex, //
    }, //
};

struct Inner {
    settings: Settings,
    /// There while the power is on.
    device: Option<Power>,
}

/// What the attributes of a disk act on.
#[pin_data]
pub(crate) struct DiskGroup {
    name: CString,
    #[pin]
    inner: Mutex<Inner>,
}

impl DiskGroup {
    pub(super) fn new(name: &CStr) -> Result<impl PinInit<configfs::Group<Self>, Error>> {
        let item_type = configfs_attrs! {
            container: configfs::Group<DiskGroup>,
            data: DiskGroup,
            child: ViewGroup,
            attributes: [
                power: 0,
                size: 1,
                blocksize: 2,
                atomic_unit: 3,
                write_cache: 4,
                fua: 5,
                discard: 6,
                log_limit_mib: 7,
                record: 8,
                mark: 9,
                completion: 10,
                cut: 11,
                restore: 12,
                physical_blocksize: 13,
                faults: 14,
                badblocks: 15,
                badblocks_once: 16,
                badblocks_mode: 17,
                badblocks_hits: 18,
                discard_content: 19,
                disks: 20,
                tear: 21,
            ],
        };

        let group_name: CString = name.try_into()?;
        let name: CString = name.try_into()?;
        Ok(configfs::Group::new(
            group_name,
            item_type,
            try_pin_init!(Self {
                name,
                inner <- new_mutex!(Inner {
                    settings: Settings::default(),
                    device: None,
                }),
            }),
        ))
    }

    fn switch_on(&self) -> Result {
        let mut inner = self.inner.lock();
        if inner.device.is_none() {
            let name = CString::try_from_fmt(fmt!("{}", &*self.name))?;
            let geometry = inner.settings.geometry()?;
            let members = *inner.settings.members();
            let behaviour = inner.settings.behaviour();
            let disk = RecordedDisk::new(name, geometry, members, behaviour, None)?;
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

    /// The disk, which must be powered.
    fn disk(&self) -> Result<Arc<RecordedDisk>> {
        match &self.inner.lock().device {
            Some(device) => Ok(device.disk().clone()),
            None => Err(ENODEV),
        }
    }

    fn set(&self, setting: Setting, text: &[u8]) -> Result {
        let mut inner = self.inner.lock();
        if inner.device.is_some() {
            return Err(EBUSY);
        }
        inner.settings.set(setting, line(text))
    }
}

#[vtable]
impl configfs::GroupOperations for DiskGroup {
    type Child = ViewGroup;

    fn make_group(&self, name: &CStr) -> Result<impl PinInit<configfs::Group<ViewGroup>, Error>> {
        ViewGroup::new(&self.name, name)
    }
}

#[vtable]
impl configfs::AttributeOperations<0> for DiskGroup {
    type Data = DiskGroup;

    fn show(this: &DiskGroup, page: &mut [u8; PAGE_SIZE]) -> Result<usize> {
        let is_on = this.inner.lock().device.is_some();
        show(page, fmt!("{}\n", u8::from(is_on)))
    }

    fn store(this: &DiskGroup, text: &[u8]) -> Result {
        match parse_bool(line(text))? {
            true => this.switch_on(),
            false => this.switch_off(),
        }
    }
}

/// An attribute that is one of the settings.
macro_rules! setting {
    ($id:literal, $setting:ident) => {
        #[vtable]
        impl configfs::AttributeOperations<$id> for DiskGroup {
            type Data = DiskGroup;

            fn show(this: &DiskGroup, page: &mut [u8; PAGE_SIZE]) -> Result<usize> {
                let value = this.inner.lock().settings.get(Setting::$setting);
                show(page, fmt!("{}\n", value))
            }

            fn store(this: &DiskGroup, text: &[u8]) -> Result {
                this.set(Setting::$setting, text)
            }
        }
    };
}

setting!(1, Size);
setting!(2, BlockSize);
setting!(3, AtomicUnit);
setting!(4, WriteCache);
setting!(5, Fua);
setting!(6, Discard);
setting!(7, LogLimit);
setting!(13, PhysicalBlockSize);

#[vtable]
impl configfs::AttributeOperations<8> for DiskGroup {
    type Data = DiskGroup;

    fn show(this: &DiskGroup, page: &mut [u8; PAGE_SIZE]) -> Result<usize> {
        record::show_status(this.inner.lock().device.as_ref(), page)
    }

    fn store(this: &DiskGroup, text: &[u8]) -> Result {
        record::store(this.inner.lock().device.as_ref(), line(text))
    }
}

#[vtable]
impl configfs::AttributeOperations<9> for DiskGroup {
    type Data = DiskGroup;

    fn show(this: &DiskGroup, page: &mut [u8; PAGE_SIZE]) -> Result<usize> {
        record::show_marks(this.inner.lock().device.as_ref(), page)
    }

    fn store(this: &DiskGroup, text: &[u8]) -> Result {
        record::store_marks(&*this.disk()?, line(text))
    }
}

#[vtable]
impl configfs::AttributeOperations<10> for DiskGroup {
    type Data = DiskGroup;

    fn show(this: &DiskGroup, page: &mut [u8; PAGE_SIZE]) -> Result<usize> {
        let completion = this.inner.lock().settings.completion();
        show(page, fmt!("{}\n", completion))
    }

    fn store(this: &DiskGroup, text: &[u8]) -> Result {
        let mut inner = this.inner.lock();
        if inner.device.is_some() {
            return Err(EBUSY);
        }
        inner.settings.set_completion(line(text))
    }
}

#[vtable]
impl configfs::AttributeOperations<11> for DiskGroup {
    type Data = DiskGroup;

    fn show(this: &DiskGroup, page: &mut [u8; PAGE_SIZE]) -> Result<usize> {
        match this.disk() {
            Ok(disk) => disk.show_cut(|text| show(page, text)),
            Err(_) => show(page, fmt!("off\n")),
        }
    }

    fn store(this: &DiskGroup, text: &[u8]) -> Result {
        this.disk()?.set_cut(line(text))
    }
}

#[vtable]
impl configfs::AttributeOperations<12> for DiskGroup {
    type Data = DiskGroup;

    fn show(_this: &DiskGroup, _page: &mut [u8; PAGE_SIZE]) -> Result<usize> {
        Err(EPERM)
    }

    fn store(this: &DiskGroup, text: &[u8]) -> Result {
        let inner = this.inner.lock();
        inner.device.as_ref().ok_or(ENODEV)?.restore(line(text))
    }
}

#[vtable]
impl configfs::AttributeOperations<19> for DiskGroup {
    type Data = DiskGroup;

    fn show(this: &DiskGroup, page: &mut [u8; PAGE_SIZE]) -> Result<usize> {
        match this.inner.lock().settings.garbage() {
            None => show(page, fmt!("zeroes\n")),
            Some(seed) => show(page, fmt!("garbage:{}\n", seed)),
        }
    }

    fn store(this: &DiskGroup, text: &[u8]) -> Result {
        let mut inner = this.inner.lock();
        if inner.device.is_some() {
            return Err(EBUSY);
        }
        inner.settings.set_discard_content(line(text))
    }
}

#[vtable]
impl configfs::AttributeOperations<20> for DiskGroup {
    type Data = DiskGroup;

    fn show(this: &DiskGroup, page: &mut [u8; PAGE_SIZE]) -> Result<usize> {
        let inner = this.inner.lock();
        show(page, fmt!("{}\n", Shown(inner.settings.members())))
    }

    fn store(this: &DiskGroup, text: &[u8]) -> Result {
        let mut inner = this.inner.lock();
        if inner.device.is_some() {
            return Err(EBUSY);
        }
        let name_len = this.name.to_bytes().len();
        inner.settings.set_members(line(text), name_len)
    }
}

#[vtable]
impl configfs::AttributeOperations<21> for DiskGroup {
    type Data = DiskGroup;

    fn show(this: &DiskGroup, page: &mut [u8; PAGE_SIZE]) -> Result<usize> {
        let text = match this.inner.lock().settings.tear() {
            Tear::Any => "any",
            Tear::Prefix => "prefix",
        };
        show(page, fmt!("{}\n", text))
    }

    fn store(this: &DiskGroup, text: &[u8]) -> Result {
        let mut inner = this.inner.lock();
        if inner.device.is_some() {
            return Err(EBUSY);
        }
        inner.settings.set_tear(line(text))
    }
}

fault_attributes!(DiskGroup, 14: Rules, 15: BadBlocks, 16: Once, 17: Mode, 18: Hits);

// configfs asks for no such bounds of what it shares between threads; we do.
const _: fn() = || {
    fn is_shared<T: Send + Sync>() {}
    is_shared::<DiskGroup>();
};
