// SPDX-License-Identifier: GPL-2.0

//! What bios have: their flags, and who issued them.

#[path = "../../../src/block/op.rs"]
mod op;

pub(crate) use op::Flags;

pub(crate) mod task {
    pub(crate) const COMM_LEN: usize = 16;

    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
    pub(crate) struct TaskId {
        pub(crate) pid: u32,
        pub(crate) comm: [u8; COMM_LEN],
    }
}
