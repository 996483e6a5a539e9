// SPDX-License-Identifier: GPL-2.0

//! A disk: a `gendisk` whose bios come to us.
//!
//! To drive one, implement [`Operations`] on its data and call [`Disk::new`].
//! The disk is live until the [`Disk`] is dropped. Bios are served in the
//! context of whoever submits them, and may sleep.
//!
//! C header: [`include/linux/blkdev.h`](srctree/include/linux/blkdev.h)

#[cfg(CONFIG_BLK_DEV_POWERCUT_KUNIT_TEST)]
mod tests;

use super::{
    shim,
    wait_var::{
        wait_var_event,
        wake_up_var, //
    },
    Bio,
    Limits, //
};
use core::{
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    bindings,
    error::{
        from_err_ptr,
        to_result, //
    },
    fmt::Write as _,
    module::this_module,
    prelude::*,
    str::{
        CStr,
        NullTerminatedFormatter, //
    },
    sync::{
        atomic::{
            Atomic,
            Relaxed,
            Release, //
        },
        static_lock_class, //
    },
    types::ScopeGuard,
};

/// What a disk does.
#[vtable]
pub(crate) trait Operations: Send + Sync + 'static {
    /// Serves a bio: ends it before returning, or keeps it until it does.
    fn submit_bio(&self, bio: Bio);

    /// Whether somebody may open the disk. Called with its `open_mutex` held.
    fn open(&self) -> Result {
        Ok(())
    }
}

/// Counts what the module's exit waits for.
struct Count(Atomic<i32>);

impl Count {
    const fn new() -> Self {
        Self(Atomic::new(0))
    }

    fn add(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    fn remove(&self) {
        if self.0.fetch_sub(1, Release) == 1 {
            wake_up_var(&raw const self.0);
        }
    }

    /// Waits until there is none, and until whoever removed the last one is past that.
    fn wait_for_none(&self) {
        wait_var_event(&self.0, 0);
        // Who did may have been preempted before it returned from `free_disk`, whose text goes
        // next. It is past that once it has slept, or is in user space.
        // SAFETY: It has no preconditions but that it may sleep, as all of a module's exit may.
        unsafe { shim::powercut_synchronize_rcu_tasks() };
    }
}

/// The `gendisk`s of this module, removed but still open ones included.
static GENDISKS: Count = Count::new();

/// Waits until the last `gendisk` is gone; for the module's exit.
///
/// An opener pins the module through `fops->owner`, but on the last close the
/// block layer lets go of the module just before it frees the disk, and reads
/// `fops`, which lies in the module, once more in between.
pub(crate) fn wait_for_released_disks() {
    GENDISKS.wait_for_none();
}

/// A live disk.
///
/// Dropping it removes the disk: bios under way are waited for, later ones fail
/// without reaching the driver. If it is open then, it goes as a pulled cable
/// does: filesystems on it are told that it is dead, not asked to sync.
///
/// # Examples
///
/// ```
#[doc = include_str!("examples/disk.rs")]
/// ```
///
/// # Invariants
///
/// - `disk` is a `gendisk` that was added, is not yet deleted, and on which we
///   own a reference.
/// - Its `private_data` is a `T` from [`KBox::into_raw`], freed by none but our [`Drop`].
pub(crate) struct Disk<T: Operations> {
    disk: NonNull<bindings::gendisk>,
    _private: PhantomData<KBox<T>>,
}

// SAFETY: A `gendisk` may be removed by any thread, and `T` is `Send`.
unsafe impl<T: Operations> Send for Disk<T> {}
// SAFETY: What takes a `&Disk` uses functions of the block layer that take the locks they need,
// and `T` is `Sync`.
unsafe impl<T: Operations> Sync for Disk<T> {}

impl<T: Operations> Disk<T> {
    /// Creates the disk `name` (a `!` in it is a `/` under `/dev`) and makes it
    /// live. Its partitions are looked for before this returns, so `data` must
    /// be ready to serve bios.
    pub(crate) fn new(name: &CStr, nr_sectors: u64, limits: Limits, data: T) -> Result<Self> {
        let private = KBox::new(data, GFP_KERNEL)?;

        let mut raw_limits = limits.to_raw();
        let lock_class = static_lock_class!();
        // SAFETY: `raw_limits` is valid for the call, which copies it; `lock_class` is static.
        let disk = from_err_ptr(unsafe {
            bindings::__blk_alloc_disk(&mut raw_limits, bindings::NUMA_NO_NODE, lock_class.as_ptr())
        })?;
        // SAFETY: `disk` is our own reference, and the disk was not added.
        let unput = ScopeGuard::new(move || unsafe { bindings::put_disk(disk) });

        // SAFETY: `disk` is valid, and nobody else knows of it before it is added.
        let disk_name = unsafe { &mut (*disk).disk_name };
        NullTerminatedFormatter::new(disk_name)
            .ok_or(EINVAL)?
            .write_fmt(fmt!("{}", name))?;

        let private = KBox::into_raw(private);
        let private = ScopeGuard::new_with_data(private, |private| {
            // SAFETY: `private` came from `into_raw`; when this runs, no `Disk` was made and the
            // failed `device_add_disk` left no way to reach it.
            drop(unsafe { KBox::from_raw(private) });
        });

        // SAFETY: `disk` is valid, and nobody else knows of it before it is added.
        unsafe { (*disk).fops = &OpsVTable::<T>::FOPS };
        let private_data = (*private).cast();
        // SAFETY: `disk` is valid, and nobody else knows of it before it is added.
        unsafe { (*disk).private_data = private_data };
        // So that user space is told of another content. No truncation: both are bits.
        // SAFETY: `disk` is valid, and nobody else knows of it before it is added.
        unsafe { (*disk).events = bindings::DISK_EVENT_MEDIA_CHANGE as u16 };
        // SAFETY: `disk` is valid, and nobody else knows of it before it is added.
        unsafe { (*disk).event_flags = bindings::DISK_EVENT_FLAG_UEVENT as u16 };
        if !limits.partscan {
            // No truncation: it is a bit.
            // SAFETY: `disk` is valid, and nobody else knows of it before it is added.
            unsafe { (*disk).flags |= bindings::GENHD_FL_NO_PART as c_int };
        }
        // SAFETY: `disk` is valid; it takes the lock that it needs.
        unsafe { bindings::set_capacity(disk, nr_sectors) };

        GENDISKS.add();
        // SAFETY: `disk` is initialised, `private` too, and it was not added before.
        let added = to_result(unsafe {
            bindings::device_add_disk(core::ptr::null_mut(), disk, core::ptr::null_mut())
        });
        if let Err(error) = added {
            // `free_disk` is not called for a disk that was never added.
            GENDISKS.remove();
            return Err(error);
        }

        private.dismiss();
        unput.dismiss();
        // INVARIANT: The disk was added, its reference and `private_data` are now ours.
        Ok(Self {
            disk: NonNull::new(disk).ok_or(EINVAL)?,
            _private: PhantomData,
        })
    }

    /// Keeps the disk closed, its page cache empty, as long as the result lives. [`EBUSY`] if
    /// somebody has it, or a partition of it, open, or is just opening or closing it.
    ///
    /// Never waits: whoever opens or closes a disk holds `open_mutex` while it reads the
    /// partition table or writes dirty pages back, which takes as long as these bios do.
    ///
    /// Nobody may submit bios to it meanwhile.
    pub(crate) fn close(&self) -> Result<Closed<'_, T>> {
        let disk = self.disk.as_ptr();

        // SAFETY: A disk that was added has an initialised `open_mutex`.
        if unsafe { bindings::mutex_trylock(self.open_mutex()) } == 0 {
            return Err(EBUSY);
        }
        // INVARIANT: Locked just above, by us.
        let closed = Closed { disk: self };

        // SAFETY: By the type invariants, `disk` is valid.
        if unsafe { shim::powercut_disk_openers(disk) } != 0 {
            return Err(EBUSY);
        }
        // SAFETY: By the type invariants, `disk` is valid.
        let part0 = unsafe { (*disk).part0 };
        // SAFETY: `part0` is valid as long as `disk` is.
        unsafe { bindings::invalidate_bdev(part0) };
        Ok(closed)
    }

    fn open_mutex(&self) -> *mut bindings::mutex {
        // SAFETY: By the type invariants, `disk` is valid.
        unsafe { &raw mut (*self.disk.as_ptr()).open_mutex }
    }
}

/// A disk that is closed and can't be opened. See [`Disk::close`].
///
/// # Invariants
///
/// The `open_mutex` of `disk` is locked, by us.
pub(crate) struct Closed<'a, T: Operations> {
    disk: &'a Disk<T>,
}

impl<T: Operations> Closed<'_, T> {
    /// Its content is another now: gives it a new sequence number, tells user space, and has the
    /// next opener look for partitions anew (`disk_force_media_change`).
    pub(crate) fn content_changed(&self) {
        let disk = self.disk.disk.as_ptr();
        // SAFETY: By the invariants of `Disk`, `disk` is valid and added; as it is closed, nobody
        // holds what is told that the old content is gone.
        unsafe { bindings::disk_force_media_change(disk) };
        // SAFETY: By the invariants of `Disk`, `disk` is valid.
        unsafe { shim::powercut_disk_need_part_scan(disk) };
    }
}

impl<T: Operations> Drop for Closed<'_, T> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants, it is locked, by us.
        unsafe { bindings::mutex_unlock(self.disk.open_mutex()) };
    }
}

impl<T: Operations> Drop for Disk<T> {
    fn drop(&mut self) {
        let disk = self.disk.as_ptr();
        // SAFETY: By the type invariants, `disk` is valid.
        let private: *mut T = unsafe { (*disk).private_data.cast() };

        // SAFETY: By the type invariants, `disk` is valid.
        if unsafe { shim::powercut_disk_openers(disk) } != 0 {
            // SAFETY: By the type invariants, the disk is added and not deleted.
            unsafe { bindings::blk_mark_disk_dead(disk) };
        }
        // SAFETY: By the type invariants, the disk is added and not deleted.
        unsafe { bindings::del_gendisk(disk) };
        // SAFETY: By the type invariants, we own a reference, which is not used any more.
        unsafe { bindings::put_disk(disk) };
        // SAFETY: By the type invariants, `private` came from `KBox::into_raw`. After `del_gendisk`
        // no callback that reads it runs any more: bios are refused before they reach us,
        // opening fails before it calls `open`. So it has no other user.
        drop(unsafe { KBox::from_raw(private) });
    }
}

/// The callbacks of a disk with data of type `T`.
struct OpsVTable<T>(PhantomData<T>);

impl<T: Operations> OpsVTable<T> {
    const FOPS: bindings::block_device_operations = bindings::block_device_operations {
        submit_bio: Some(Self::submit_bio),
        open: if T::HAS_OPEN { Some(Self::open) } else { None },
        free_disk: Some(Self::free_disk),
        owner: this_module::<T::OwnerModule>().as_ptr(),
        ..pin_init::zeroed()
    };

    /// The data of a disk.
    ///
    /// # Safety
    ///
    /// `disk` must be a live disk made by [`Disk::new`] for `T`, and stay so for `'a`.
    unsafe fn private<'a>(disk: *mut bindings::gendisk) -> &'a T {
        // SAFETY: By the function's requirements, `disk` is valid.
        let private: *mut T = unsafe { (*disk).private_data.cast() };
        // SAFETY: By the function's requirements and the invariants of `Disk`, it is a `T`, which
        // stays as long as the disk is live, and which nobody has to change.
        unsafe { &*private }
    }

    /// # Safety
    ///
    /// `bio` must be a bio submitted to a live disk made by [`Disk::new`] for `T`.
    unsafe extern "C" fn submit_bio(bio: *mut bindings::bio) {
        // SAFETY: By the function's requirements, `bio` is valid.
        let bdev = unsafe { (*bio).bi_bdev };
        // SAFETY: A bio that is submitted has a block device, which stays until the bio has ended.
        let disk = unsafe { (*bdev).bd_disk };
        // SAFETY: By the function's requirements, `disk` is live. It stays so until this returns:
        // `del_gendisk` waits for that.
        let private: &T = unsafe { Self::private(disk) };

        if let Some(bio) = NonNull::new(bio) {
            // SAFETY: The block layer passes the bio to us and does not use it further.
            private.submit_bio(unsafe { Bio::from_raw(bio) });
        }
    }

    /// # Safety
    ///
    /// `disk` must be a live disk made by [`Disk::new`] for `T`, its `open_mutex` held.
    unsafe extern "C" fn open(disk: *mut bindings::gendisk, _mode: bindings::blk_mode_t) -> c_int {
        // SAFETY: By the function's requirements, `disk` is live, and `del_gendisk` does not get
        // past `open_mutex`, which is held, before this returns.
        let private: &T = unsafe { Self::private(disk) };

        match private.open() {
            Ok(()) => 0,
            Err(error) => error.to_errno(),
        }
    }

    /// # Safety
    ///
    /// To be called by the block layer alone, once, when the last reference to a disk goes.
    unsafe extern "C" fn free_disk(_disk: *mut bindings::gendisk) {
        GENDISKS.remove();
    }
}
