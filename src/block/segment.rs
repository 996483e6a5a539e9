// SPDX-License-Identifier: GPL-2.0

//! The data of a bio, segment by segment.
//!
//! C header: [`include/linux/bvec.h`](srctree/include/linux/bvec.h)

use super::{
    shim,
    Bio, //
};
use core::{
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    bindings,
    page::PAGE_SIZE, //
};

/// Bytes in a sector, the block layer's unit of address whatever the block size.
const SECTOR_SIZE: usize = 512;

/// The segments of a bio, first to last. See [`Bio::segments`].
///
/// # Invariants
///
/// `bio` is valid for `'a`, and `iter` lies within its data.
pub(crate) struct Segments<'a> {
    iter: bindings::bvec_iter,
    bio: NonNull<bindings::bio>,
    _bio: PhantomData<&'a mut Bio>,
}

impl Segments<'_> {
    /// The data of `bio` that `iter` says.
    ///
    /// # Safety
    ///
    /// `bio` must be valid as long as the result lives, and `iter` lie within its data.
    pub(super) unsafe fn new(bio: NonNull<bindings::bio>, iter: bindings::bvec_iter) -> Self {
        // INVARIANT: By the function's requirements.
        Self {
            iter,
            bio,
            _bio: PhantomData,
        }
    }
}

impl<'a> Iterator for Segments<'a> {
    type Item = Segment<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.iter.bi_size == 0 {
            return None;
        }

        let sector = self.iter.bi_sector;
        // SAFETY: By the type invariants, `bio` is valid and `iter` within its data, of which
        // there is some, as `bi_size` is not 0.
        let mut vec = unsafe { shim::powercut_bio_iter_iovec(self.bio.as_ptr(), &self.iter) };

        // No truncation: at most a page.
        let room = (PAGE_SIZE - offset_bytes(sector)) as u32;
        vec.bv_len = vec.bv_len.min(room);

        // INVARIANT: It moves on by no more than is left.
        if vec.bv_len == self.iter.bi_size {
            self.iter.bi_size = 0;
        } else {
            let iter = &mut self.iter;
            // SAFETY: By the type invariants, `bio` is valid and `iter` within its data; `bv_len`
            // is no more than is left of the current one of its pieces.
            unsafe {
                shim::powercut_bio_advance_iter_single(self.bio.as_ptr(), iter, vec.bv_len);
            }
        }

        // INVARIANT: It is a part of the borrowed bio's data, and within one page of memory;
        // `room` sees to the page of the disk.
        Some(Segment {
            vec,
            sector,
            _bio: PhantomData,
        })
    }
}

/// How far into its page of the disk a sector lies, in bytes.
fn offset_bytes(sector: u64) -> usize {
    let page_sectors = (PAGE_SIZE / SECTOR_SIZE) as u64;
    // No truncation: less than a page.
    (sector % page_sectors) as usize * SECTOR_SIZE
}

/// A piece of a bio's data.
///
/// Other parties may write to this memory meanwhile (user space does, under
/// direct I/O), so it is only ever copied, by C.
///
/// # Invariants
///
/// - `vec` is a part of the data of a bio that lives for `'a`, within one page of memory, which
///   the bio keeps.
/// - What it is for lies within one page of the disk, too: from the offset of `sector` in
///   that on there is room for `bv_len` bytes.
pub(crate) struct Segment<'a> {
    vec: bindings::bio_vec,
    sector: u64,
    _bio: PhantomData<&'a mut Bio>,
}

impl Segment<'_> {
    /// Its first sector on the disk.
    pub(crate) fn sector(&self) -> u64 {
        self.sector
    }

    /// Its length in bytes.
    pub(crate) fn len_bytes(&self) -> usize {
        self.vec.bv_len as usize
    }

    /// How far into its page of the disk it starts, in bytes.
    pub(crate) fn offset_bytes(&self) -> usize {
        offset_bytes(self.sector)
    }

    /// Copies it to its place in a page.
    ///
    /// # Safety
    ///
    /// `page` must be valid for writes of a page.
    pub(super) unsafe fn copy_to_page(&self, page: *mut u8) {
        let to = page.wrapping_add(self.offset_bytes());
        // SAFETY: By the type invariants, `vec` is there to be read, and there is room for it
        // from its offset in a page on, which by the function's requirements is what `page` is.
        unsafe { shim::powercut_memcpy_from_bvec(to.cast(), self.vec) };
    }

    /// Copies it from its place in a page.
    ///
    /// # Safety
    ///
    /// `page` must be valid for reads of a page.
    pub(super) unsafe fn copy_from_page(&mut self, page: *const u8) {
        let from = page.wrapping_add(self.offset_bytes());
        // SAFETY: By the type invariants, `vec` is there to be written to, and as much is in a
        // page, from its offset on; by the function's requirements, `page` is one.
        unsafe { shim::powercut_memcpy_to_bvec(self.vec, from.cast()) };
    }

    /// The `len_bytes` bytes of it from `offset_bytes` on, cut to what is there.
    fn cut(&self, offset_bytes: usize, len_bytes: usize) -> bindings::bio_vec {
        let offset = offset_bytes.min(self.len_bytes());
        let len = len_bytes.min(self.len_bytes() - offset);

        // No truncation: both are at most `bv_len`.
        bindings::bio_vec {
            bv_page: self.vec.bv_page,
            bv_offset: self.vec.bv_offset + offset as u32,
            bv_len: len as u32,
        }
    }

    /// Copies the bytes from `offset_bytes` on to `to`, `len_bytes` of them or what
    /// there is.
    ///
    /// # Safety
    ///
    /// `to` must be valid for writes of `len_bytes` bytes.
    pub(super) unsafe fn copy_to_raw(&self, offset_bytes: usize, to: *mut u8, len_bytes: usize) {
        let part = self.cut(offset_bytes, len_bytes);
        // SAFETY: By the type invariants, `part` is there to be read, as a part of `vec`; by the
        // function's requirements, there is room for it.
        unsafe { shim::powercut_memcpy_from_bvec(to.cast(), part) };
    }

    /// Copies `from` to the bytes from `offset_bytes` on, `len_bytes` of them or what there is
    /// room for.
    ///
    /// # Safety
    ///
    /// `from` must be valid for reads of `len_bytes` bytes.
    pub(super) unsafe fn copy_from_raw(
        &mut self,
        offset_bytes: usize,
        from: *const u8,
        len_bytes: usize,
    ) {
        let part = self.cut(offset_bytes, len_bytes);
        // SAFETY: By the type invariants, `part` is there to be written to, as a part of `vec`; by
        // the function's requirements, `from` has as much.
        unsafe { shim::powercut_memcpy_to_bvec(part, from.cast()) };
    }

    /// Writes zeroes to the `len_bytes` bytes from `offset_bytes` on.
    pub(crate) fn zero(&mut self, offset_bytes: usize, len_bytes: usize) {
        let part = self.cut(offset_bytes, len_bytes);
        // SAFETY: By the type invariants, `part` is there to be written to, as a part of `vec`.
        unsafe { shim::powercut_memzero_bvec(part) };
    }
}
