// SPDX-License-Identifier: GPL-2.0

use crate::block::{
    Bio,
    Disk,
    Limits,
    Operations,
    ReqOp, //
};
use kernel::prelude::*;

/// A disk that reads as zeroes, whatever is written to it.
pub(super) struct Zeroes;

#[vtable]
impl Operations for Zeroes {
    fn submit_bio(&self, mut bio: Bio) {
        if bio.op() == ReqOp::Read {
            for mut segment in bio.segments() {
                let len_bytes = segment.len_bytes();
                segment.zero(0, len_bytes);
            }
        }
        bio.end(Ok(()));
    }
}

/// One of 1 MiB, `/dev/powercut/example`: there until it is dropped.
pub(super) fn zeroes() -> Result<Disk<Zeroes>> {
    let limits = Limits {
        block_size: 512,
        physical_block_size: 4096,
        atomic_unit: 4096,
        write_cache: false,
        fua: false,
        discard: false,
        synchronous: true,
        partscan: true,
    };
    Disk::new(c"powercut!example", 2048, limits, Zeroes)
}
