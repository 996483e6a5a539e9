// SPDX-License-Identifier: GPL-2.0

//! Here nobody is kept waiting.

#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct NoWait(pub(crate) bool);
