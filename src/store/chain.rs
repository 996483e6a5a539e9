// SPDX-License-Identifier: GPL-2.0

//! A page that was written to since its record began: all that it held and must still show.

use super::Layer;
use crate::nowait::NoWait;
use kernel::prelude::*;

/// A version of a page: what the log entry with index `entry` wrote there.
// The layer's tag first.
#[repr(C)]
pub(crate) struct Version {
    pub(crate) layer: Layer,
    pub(crate) entry: u32,
}

impl Version {
    /// No sector of anything.
    const fn nothing(entry: u32) -> Self {
        Self {
            entry,
            layer: Layer::NOTHING,
        }
    }
}

/// No log has an entry of that index: it stands for what was written after the record was
/// stopped.
const LIVE: u32 = u32::MAX;

/// The layers of a page, each on top of the one before: the base, which is nothing if the
/// page had never been written to, then the versions, then what is live, if there is that.
pub(crate) struct Chain(Layers);

/// At least one. Two, as a page that was written to once has, take no memory beside them.
enum Layers {
    One([Version; 1]),
    Two([Version; 2]),
    Many(KVVec<Version>),
}

impl Layers {
    const fn one(layer: Version) -> Self {
        Self::One([layer])
    }

    fn as_slice(&self) -> &[Version] {
        match self {
            Self::One(layers) => layers,
            Self::Two(layers) => layers,
            Self::Many(layers) => layers,
        }
    }

    fn as_mut_slice(&mut self) -> &mut [Version] {
        match self {
            Self::One(layers) => layers,
            Self::Two(layers) => layers,
            Self::Many(layers) => layers,
        }
    }

    /// Makes room for one more. On failure nothing has changed.
    fn reserve(&mut self, nowait: NoWait) -> Result {
        match self {
            // Two have room of their own.
            Self::One(_) => (),
            Self::Two(_) => {
                let mut many = KVVec::with_capacity(4, nowait.gfp())?;
                if let Self::Two([first, second]) = self.take() {
                    for layer in [first, second] {
                        // There is room.
                        let _pushed = many.push_within_capacity(layer);
                    }
                }
                *self = Self::Many(many);
            }
            Self::Many(layers) => layers.reserve(1, nowait.gfp())?,
        }
        Ok(())
    }

    /// Adds one on top, for which there is room: if not, [`ENOMEM`].
    fn push(&mut self, layer: Version) -> Result {
        match self {
            Self::One(_) => {
                if let Self::One([first]) = self.take() {
                    *self = Self::Two([first, layer]);
                }
                Ok(())
            }
            Self::Two(_) => Err(ENOMEM),
            Self::Many(layers) => layers.push_within_capacity(layer).map_err(|_| ENOMEM),
        }
    }

    /// Makes room for one, and adds it on top. On failure nothing has changed.
    fn reserve_and_push(&mut self, layer: Version, nowait: NoWait) -> Result {
        if let Self::Many(layers) = self {
            return Ok(layers.push(layer, nowait.gfp())?);
        }
        self.reserve(nowait)?;
        self.push(layer)
    }

    /// Leaves one that is empty.
    fn take(&mut self) -> Self {
        core::mem::replace(self, Self::one(Version::nothing(0)))
    }

    /// Takes the uppermost away; the first one is left empty instead.
    fn pop(&mut self) -> Option<Version> {
        match self.take() {
            Self::One([first]) => Some(first),
            Self::Two([first, second]) => {
                *self = Self::one(first);
                Some(second)
            }
            Self::Many(mut layers) => {
                let last = layers.pop();
                if !layers.is_empty() {
                    *self = Self::Many(layers);
                }
                last
            }
        }
    }
}

impl Chain {
    /// Nothing on top of a base.
    pub(super) fn new(base: Layer) -> Self {
        Self(Layers::one(Version {
            entry: 0,
            layer: base,
        }))
    }

    /// What the page held when the record began; [`None`] if it was never written to.
    pub(super) fn base(&self) -> Option<&Layer> {
        let base = self.0.as_slice().first();
        base.map(|base| &base.layer)
            .filter(|layer| !layer.is_nothing())
    }

    /// What the record wrote, oldest first.
    pub(super) fn versions(&self) -> &[Version] {
        match self.0.as_slice() {
            [_, versions @ .., live] if live.entry == LIVE => versions,
            [_, versions @ ..] => versions,
            [] => &[],
        }
    }

    /// How many of its versions come from entries before `entry`.
    pub(super) fn before(&self, entry: u32) -> usize {
        self.versions()
            .partition_point(|version| version.entry < entry)
    }

    /// All its layers, newest first.
    pub(super) fn layers(&self) -> impl Iterator<Item = &Layer> {
        self.0.as_slice().iter().rev().map(|version| &version.layer)
    }

    /// Makes room for a version. On failure nothing has changed.
    pub(super) fn reserve(&mut self, nowait: NoWait) -> Result {
        self.0.reserve(nowait)
    }

    /// Adds the newest version, for which there is room.
    pub(super) fn push(&mut self, version: Version) -> Result {
        self.0.push(version)
    }

    /// A version on top of a base.
    pub(super) fn of_two(base: Layer, version: Version) -> Self {
        let base = Version {
            entry: 0,
            layer: base,
        };
        Self(Layers::Two([base, version]))
    }

    /// Adds the newest version. On failure nothing has changed.
    pub(super) fn reserve_and_push(&mut self, version: Version, nowait: NoWait) -> Result {
        self.0.reserve_and_push(version, nowait)
    }

    /// What is written on top of a stopped record.
    pub(super) fn live(&mut self) -> Result<&mut Layer> {
        let is_live = matches!(self.0.as_slice(), [_, .., top] if top.entry == LIVE);
        if !is_live {
            self.0.reserve(NoWait(false))?;
            self.0.push(Version::nothing(LIVE))?;
        }
        let live = self.0.as_mut_slice().last_mut();
        live.map(|live| &mut live.layer).ok_or(EINVAL)
    }

    /// What it held when the record began.
    pub(super) fn into_base(mut self) -> Layer {
        let layers = self.0.as_mut_slice();
        let base = layers.first_mut();
        base.map_or(Layer::NOTHING, |base| {
            core::mem::replace(&mut base.layer, Layer::NOTHING)
        })
    }

    /// One layer that shows what it shows now. Needs no memory.
    pub(super) fn into_merged(mut self) -> Layer {
        let mut merged = Layer::NOTHING;
        while matches!(self.0, Layers::Two(_) | Layers::Many(_)) {
            if let Some(version) = self.0.pop() {
                merged = merged.merge(version.layer);
            }
        }
        merged.merge(self.into_base())
    }
}
