// SPDX-License-Identifier: GPL-2.0

//! Pages of memory for the data of disks.
//!
//! C header: [`include/linux/mm.h`](srctree/include/linux/mm.h)

#[cfg(CONFIG_BLK_DEV_POWERCUT_KUNIT_TEST)]
mod tests;

use super::{
    shim,
    Segment, //
};
use core::{
    ops::Range,
    ptr::NonNull, //
};
use kernel::{
    bindings,
    page::PAGE_SIZE,
    prelude::*, //
};

/// A page of memory that holds the data of a page of a disk. Clones share it.
///
/// Whoever has one may write to it while others read it: then these find the old or
/// the new bytes, as with any disk that is read while it is written to. So it is only
/// ever copied from and to, by C, and there are no references to what is in it.
///
/// # Examples
///
/// ```
#[doc = include_str!("examples/page.rs")]
/// ```
///
/// # Invariants
///
/// `address` is that of a page in the kernel's linear mapping, which was allocated here and
/// on which this owns a reference.
// Packed, or all that holds one would be padded to 8 bytes.
#[repr(C, packed(4))]
pub(crate) struct DataPage {
    address: NonNull<u8>,
}

// SAFETY: It is memory, which any thread may copy from and to, and drop.
unsafe impl Send for DataPage {}
// SAFETY: It is memory that is only ever copied from and to, by C, and it does not matter which
// bytes are found of those that are written meanwhile.
unsafe impl Sync for DataPage {}

impl DataPage {
    /// Allocates a page of zeroes.
    pub(crate) fn new() -> Result<Self> {
        let address = allocate(bindings::GFP_KERNEL | bindings::__GFP_ZERO, 0)?;
        // INVARIANT: It was just allocated, with a reference that is ours.
        Ok(Self { address })
    }

    /// Allocates a page of anything: what is not written to it must never be shown.
    pub(crate) fn new_stale() -> Result<Self> {
        Self::new_stale_with(false)
    }

    /// Likewise; `nowait`: without waiting for memory.
    pub(crate) fn new_stale_with(nowait: bool) -> Result<Self> {
        let address = allocate(gfp(nowait), 0)?;
        // INVARIANT: It was just allocated, with a reference that is ours.
        Ok(Self { address })
    }

    fn address(&self) -> *mut u8 {
        // Copied: no reference to a field of a packed structure is made.
        { self.address }.as_ptr()
    }

    /// Where `range` begins, and how long it is, cut to what is in the page.
    fn part(&self, range: Range<usize>) -> (*mut u8, usize) {
        let end = range.end.min(PAGE_SIZE);
        let start = range.start.min(end);
        (self.address().wrapping_add(start), end - start)
    }

    /// Copies bytes of it, from `offset_bytes` on, to `to`.
    pub(crate) fn read(&self, offset_bytes: usize, to: &mut [u8]) {
        let (from, len) = self.part(offset_bytes..offset_bytes.saturating_add(to.len()));
        // SAFETY: By the type invariants and `part`, `from` is valid for reads of `len` bytes, no
        // more than the length of `to`.
        unsafe { shim::powercut_memcpy(to.as_mut_ptr().cast(), from.cast(), len) };
    }

    /// Copies `from` to it, from `offset_bytes` on.
    pub(crate) fn write(&self, offset_bytes: usize, from: &[u8]) {
        let (to, len) = self.part(offset_bytes..offset_bytes.saturating_add(from.len()));
        // SAFETY: By the type invariants and `part`, `to` is valid for writes of `len` bytes, no
        // more than the length of `from`.
        unsafe { shim::powercut_memcpy(to.cast(), from.as_ptr().cast(), len) };
    }

    /// Copies the bytes `range` of it to the same place in `to`.
    pub(crate) fn copy_to(&self, range: Range<usize>, to: &Self) {
        let (from, len) = self.part(range.clone());
        let (to, _) = to.part(range);
        // SAFETY: By the type invariants and `part`, both are valid for `len` bytes. Two
        // parts of the same page are the same.
        unsafe { shim::powercut_memmove(to.cast(), from.cast(), len) };
    }

    /// Writes zeroes to the bytes `range` of it.
    pub(crate) fn zero(&self, range: Range<usize>) {
        let (to, len) = self.part(range);
        // SAFETY: By the type invariants and `part`, `to` is valid for writes of `len` bytes.
        unsafe { shim::powercut_memzero(to.cast(), len) };
    }

    /// Copies a segment to its place in it.
    pub(crate) fn write_whole(&self, from: &Segment<'_>) {
        // SAFETY: By the type invariants, it is a page, which is valid for writes.
        unsafe { from.copy_to_page(self.address()) };
    }

    /// Copies a segment from its place in it.
    pub(crate) fn read_whole(&self, to: &mut Segment<'_>) {
        // SAFETY: By the type invariants, it is a page, which is valid for reads.
        unsafe { to.copy_from_page(self.address()) };
    }

    /// Copies the bytes of a segment from `from_bytes` on to the bytes `range` of it.
    pub(crate) fn write_segment(&self, range: Range<usize>, from: &Segment<'_>, from_bytes: usize) {
        let (to, len) = self.part(range);
        // SAFETY: By the type invariants and `part`, `to` is valid for writes of `len` bytes.
        unsafe { from.copy_to_raw(from_bytes, to, len) };
    }

    /// Copies the bytes `range` of it to those of a segment from `to_bytes` on.
    pub(crate) fn read_segment(&self, range: Range<usize>, to: &mut Segment<'_>, to_bytes: usize) {
        let (from, len) = self.part(range);
        // SAFETY: By the type invariants and `part`, `from` is valid for reads of `len` bytes.
        unsafe { to.copy_from_raw(to_bytes, from, len) };
    }
}

impl Clone for DataPage {
    fn clone(&self) -> Self {
        // SAFETY: By the type invariants, it is a page, and there is a reference on it.
        unsafe { shim::powercut_page_get(self.address().cast()) };
        // INVARIANT: The reference just taken is the clone's.
        Self {
            address: self.address,
        }
    }
}

impl Drop for DataPage {
    fn drop(&mut self) {
        // SAFETY: By the type invariants, there is a reference on the page that is ours
        // to give up.
        unsafe { shim::powercut_page_put(self.address().cast()) };
    }
}

const _: () = assert!(size_of::<Option<DataPage>>() == 8 && align_of::<DataPage>() == 4);

fn gfp(nowait: bool) -> bindings::gfp_t {
    if nowait {
        bindings::GFP_NOWAIT
    } else {
        bindings::GFP_KERNEL
    }
}

/// Allocates 2^`order` pages.
fn allocate(gfp: bindings::gfp_t, order: u32) -> Result<NonNull<u8>> {
    let gfp = gfp | bindings::__GFP_NOWARN;
    // SAFETY: May be called in any context that `gfp` is right for; all of this driver
    // may sleep.
    let address = unsafe { shim::powercut_pages_alloc(gfp, order) };
    NonNull::new(address.cast()).ok_or(ENOMEM)
}

/// A store of pages that were allocated together: that takes much less time than one by
/// one.
///
/// # Invariants
///
/// There are `nr_left` pages from `next` on, with a reference on each that is ours.
pub(crate) struct SparePages {
    next: *mut u8,
    nr_left: u32,
}

// SAFETY: It owns these pages, and any thread may use and drop a page.
unsafe impl Send for SparePages {}

/// So many at a time: 2^4.
const SPARE_ORDER: u32 = 4;

impl SparePages {
    pub(crate) const fn new() -> Self {
        // INVARIANT: There are none.
        Self {
            next: core::ptr::null_mut(),
            nr_left: 0,
        }
    }

    /// A page, as [`DataPage::new_stale`]; `nowait`: without waiting for memory.
    pub(crate) fn take(&mut self, nowait: bool) -> Result<DataPage> {
        if self.nr_left == 0 {
            // A plain page will do where so many in a row are hard to find.
            let gfp = gfp(nowait) | shim::POWERCUT_GFP_NORETRY;
            let Ok(first) = allocate(gfp, SPARE_ORDER) else {
                return DataPage::new_stale_with(nowait);
            };
            // SAFETY: That many were just allocated there, and nobody else knows of them.
            unsafe { shim::powercut_page_split(first.as_ptr().cast(), SPARE_ORDER) };
            // INVARIANT: Each of them has a reference now, which is ours.
            self.next = first.as_ptr();
            self.nr_left = 1 << SPARE_ORDER;
        }
        let address = NonNull::new(self.next).ok_or(ENOMEM)?;
        // INVARIANT: The reference on this one is the `DataPage`'s from now on.
        self.next = self.next.wrapping_add(PAGE_SIZE);
        self.nr_left -= 1;
        Ok(DataPage { address })
    }
}

impl Drop for SparePages {
    fn drop(&mut self) {
        while self.nr_left > 0 {
            // This gives it up.
            let _page = self.take(false);
        }
    }
}
