// SPDX-License-Identifier: GPL-2.0

//! Bios that need nothing but pages that are there: no memory, no log, no lock of the disk's.

use super::{
    hints::Hint,
    segments::place,
    RecordedDisk, //
};
use crate::{
    block::{
        Bio,
        ReqOp, //
    },
    store::{Found, Pieces, Sink}, //
};
use kernel::prelude::*;

impl RecordedDisk {
    /// Serves a bio of that kind.
    /// [`None`] if it is another one; then it may have been served in part.
    #[inline]
    pub(super) fn serve_in_place(&self, bio: &mut Bio) -> Option<Result> {
        if !self.is_in_blocks(bio) {
            return None;
        }
        let may_wait = !bio.is_nowait();
        match bio.op() {
            ReqOp::Read if !self.hints.has(Hint::OffOrFaulty) => {
                for mut segment in bio.segments() {
                    let (page, mask) = place(&segment)?;
                    match self.tree.reader(page, mask, may_wait) {
                        Found::Page(page) => page.read_whole(&mut segment),
                        Found::Nothing if self.below().is_none() => {
                            let len_bytes = segment.len_bytes();
                            segment.zero(0, len_bytes);
                        }
                        Found::Other if !may_wait && self.below().is_none() => {
                            let mut pieces = Pieces::new();
                            let rest = self.tree.try_read(page, mask, &mut pieces)?;
                            pieces.copy_to(&mut segment);
                            rest.runs()
                                .for_each(|range| Sink::zero(&mut segment, range));
                        }
                        _ => return None,
                    }
                }
            }
            ReqOp::Write if bio.len_bytes() != 0 && !self.hints.has(Hint::Recording) => {
                // What has to be atomic is looked at more closely.
                if bio.is_atomic() {
                    return None;
                }
                for segment in bio.segments() {
                    let (page, mask) = place(&segment)?;
                    let to = self.tree.writer(page, mask, may_wait)?;
                    to.write_whole(&segment);
                }
            }
            _ => return None,
        }
        Some(Ok(()))
    }
}
