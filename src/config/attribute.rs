// SPDX-License-Identifier: GPL-2.0

//! What an attribute is, and what all of them have in common.
//!
//! A directory lists its attributes once, with [`attributes!`], each by its name and what it is.
//! What an [`Attribute`] is shown and set by knows nothing of configfs.

use super::{
    settings::{
        Setting,
        Settings, //
    },
    show::{
        put,
        Text, //
    }, //
};
use crate::{
    block::noio,
    device::Power,
    disk::RecordedDisk,
    text::{
        line,
        parse_bool, //
    }, //
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*,
    str::Formatter,
    sync::{
        Arc,
        Mutex, //
    }, //
};

/// What configfs hands over of one write(), at most, in bytes: the rest comes as another.
const WRITE_MAX_BYTES: usize = PAGE_SIZE - 1;

/// What an attribute of a directory is.
pub(super) enum Attribute {
    /// Whether the power is on.
    Power,
    /// Something that can't change while it is.
    Setting(Setting),
    /// Something that what it is on for does, or is like; [`None`]: it is off.
    Device {
        show: fn(Option<&Power>, &mut Text<'_>) -> Result,
        store: fn(Option<&Power>, &[u8]) -> Result,
    },
}

/// A directory of a disk or of a view.
pub(super) trait Directory {
    /// Its attributes.
    const ATTRIBUTES: &'static [Attribute];

    /// There while the power is on.
    fn device(&self) -> &Mutex<Option<Power>>;

    /// What can be set.
    fn settings(&self) -> Option<&Mutex<Settings>>;

    /// What the power is to be switched on for.
    fn make_disk(&self) -> Result<Arc<RecordedDisk>>;
}

/// Shows the attribute of that number. [`EOVERFLOW`] if its text is longer than a page: whoever
/// needs it whole reads it from the control device.
pub(super) fn show<D: Directory>(
    directory: &D,
    id: u64,
    page: &mut [u8; PAGE_SIZE],
) -> Result<usize> {
    let mut to = Formatter::new(page);
    // Others wait for the locks that are taken: so no I/O may be waited for.
    noio(|| match find::<D>(id)? {
        Attribute::Power => {
            let is_on = directory.device().lock().is_some();
            put(&mut to, fmt!("{}\n", u8::from(is_on)))
        }
        Attribute::Setting(setting) => {
            let settings = directory.settings().ok_or(EINVAL)?.lock();
            (setting.show)(&settings, &mut to)
        }
        Attribute::Device { show, .. } => show(directory.device().lock().as_ref(), &mut to),
    })?;
    Ok(to.bytes_written())
}

/// Takes what was written to the attribute of that number. [`E2BIG`] if that is as much
/// as configfs hands over: then it may be the beginning of a longer text, and stand for
/// something else than the whole. The control device takes longer states.
pub(super) fn store<D: Directory>(directory: &D, id: u64, text: &[u8]) -> Result {
    if text.len() >= WRITE_MAX_BYTES {
        return Err(E2BIG);
    }
    let text = line(text);
    // As in `show`.
    noio(|| match find::<D>(id)? {
        Attribute::Power => switch(directory, parse_bool(text)?),
        Attribute::Setting(setting) => {
            let device = directory.device().lock();
            if device.is_some() {
                return Err(EBUSY);
            }
            (setting.set)(&mut directory.settings().ok_or(EINVAL)?.lock(), text)
        }
        Attribute::Device { store, .. } => store(directory.device().lock().as_ref(), text),
    })
}

fn find<D: Directory>(id: u64) -> Result<&'static Attribute> {
    D::ATTRIBUTES.get(usize::try_from(id)?).ok_or(ENOENT)
}

fn switch<D: Directory>(directory: &D, is_on: bool) -> Result {
    let mut device = directory.device().lock();
    match &*device {
        None if is_on => *device = Some(Power::on(directory.make_disk()?)?),
        Some(power) if !is_on => {
            power.claim()?;
            *device = None;
        }
        _ => (),
    }
    Ok(())
}

/// Lists the attributes of a directory, from 0 on: a number, which configfs wants, a name, and what
/// it is.
macro_rules! attributes {
    ($data:ident, $child:ty: $($id:literal $name:ident: $attribute:expr,)+) => {
        /// The names of the attributes.
        pub(super) const NAMES: &[&str] = &[$(stringify!($name)),+];

        const ATTRIBUTES: &[Attribute] = &[$($attribute),+];

        /// What configfs knows the directory by. To be called from one place.
        fn item_type() -> &'static configfs::ItemType<configfs::Group<$data>, $data> {
            configfs_attrs! {
                container: configfs::Group<$data>,
                data: $data,
                child: $child,
                attributes: [$($name: $id),+],
            }
        }

        #[vtable]
        impl<const ID: u64> configfs::AttributeOperations<ID> for $data {
            type Data = $data;

            fn show(this: &$data, page: &mut [u8; PAGE_SIZE]) -> Result<usize> {
                $crate::config::attribute::show(this, ID, page)
            }

            fn store(this: &$data, text: &[u8]) -> Result {
                $crate::config::attribute::store(this, ID, text)
            }
        }

        // configfs asks for no such bounds of what it shares between threads; we do.
        const _: fn() = || {
            fn is_shared<T: Send + Sync>() {}
            is_shared::<$data>();
        };
    };
}
pub(super) use attributes;
