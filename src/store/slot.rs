// SPDX-License-Identifier: GPL-2.0

//! All that one page of a disk ever held and must still show.

use super::{
    chain::{
        Chain,
        Version, //
    },
    DataPage,
    Layer,
    SectorMask,
    Sink,
    Source, //
};
use crate::nowait::NoWait;
use kernel::prelude::*;

/// The content of a page. Sectors that no layer has are zeroes, or what a disk
/// below shows.
#[derive(Default)]
pub(crate) enum Slot {
    /// Never written to.
    #[default]
    Empty,
    /// One layer, written in place. If there is a record, it is the base.
    Plain(Layer),
    /// Written to since the record began.
    Chain(Chain),
}

impl Slot {
    /// Whether nothing was ever written here.
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    /// Whether it was written to since the record began.
    pub(crate) fn is_chain(&self) -> bool {
        matches!(self, Self::Chain(_))
    }

    /// The page that shows all of the sectors `wanted`, if there is one and no record.
    pub(super) fn whole(&self, wanted: SectorMask) -> Option<&DataPage> {
        match self {
            Self::Plain(layer) if layer.valid().contains(wanted) => layer.page(),
            _ => None,
        }
    }

    /// Copies those of the sectors `wanted` that are here, as they are now, and
    /// returns the others.
    pub(crate) fn read(&self, wanted: SectorMask, to: &mut dyn Sink) -> SectorMask {
        match self {
            Self::Empty => wanted,
            Self::Plain(layer) => wanted.without(layer.read(wanted, to)),
            Self::Chain(chain) => read_layers(chain.layers(), wanted, to),
        }
    }

    /// As [`Self::read`], but as they were before the newest write to one of them, if
    /// that is known: with nothing older and nothing `below`, as they are.
    pub(crate) fn read_older(
        &self,
        wanted: SectorMask,
        below: bool,
        to: &mut dyn Sink,
    ) -> SectorMask {
        match self {
            Self::Plain(_) if below => wanted,
            Self::Chain(chain) => {
                let mut layers = chain.layers().peekable();
                let has = |layer: &Layer| !layer.valid().and(wanted).is_empty();
                while layers.next_if(|layer| !has(layer)).is_some() {}
                // The base is older than the record: what was before it is not known.
                let is_base = |layer: &&Layer| {
                    let base = chain.base();
                    base.is_some_and(|base| core::ptr::eq(*layer, base))
                };
                let _newest = layers.next_if(|layer| below || !is_base(layer));
                read_layers(layers, wanted, to)
            }
            _ => self.read(wanted, to),
        }
    }

    /// As [`Self::read`], but as a crash left them: of the versions only what
    /// `survival` lets through, newest first, below what it lost.
    pub(crate) fn read_crashed(
        &self,
        page: u64,
        wanted: SectorMask,
        survival: &dyn Survival,
        to: &mut dyn Sink,
    ) -> SectorMask {
        let Self::Chain(chain) = self else {
            return self.read(wanted, to);
        };

        let lost = Layer::zeroes(survival.lost(page));
        let mut rest = wanted.without(lost.read(wanted, to));
        let (first, end) = survival.unordered();
        let first = chain.before(first);
        let versions = chain.versions();
        let unordered = versions.get(first..chain.before(end)).unwrap_or_default();
        // These took their places in another order than they were submitted in. Each pass over
        // them shows one sector at least, so there are no more passes than sectors in a page.
        while let Some((version, shown)) = highest(unordered, survival, page, rest) {
            rest = rest.without(version.layer.read(shown, to));
        }
        for version in versions.iter().take(first).rev() {
            if rest.is_empty() {
                return rest;
            }
            let there = rest.and(version.layer.valid());
            if !there.is_empty() {
                let shown = survival.shown(version.entry, page, there);
                rest = rest.without(version.layer.read(shown, to));
            }
        }
        match chain.base() {
            Some(base) => rest.without(base.read(rest, to)),
            None => rest,
        }
    }

    /// What a crash left, as [`Self::read_crashed`] shows it, as the only content.
    pub(super) fn crashed(&self, page: u64, survival: &dyn Survival) -> Result<Self> {
        let mut data = DataPage::new_stale()?;
        let rest = self.read_crashed(page, SectorMask::FULL, survival, &mut data);
        let there = SectorMask::FULL.without(rest);
        Ok(if there.is_empty() {
            Self::Empty
        } else {
            Self::Plain(Layer::data(there, data))
        })
    }

    /// The chain of a page that is written to while there is a record, made if need
    /// be.
    pub(crate) fn chain_mut(&mut self) -> Result<&mut Chain> {
        if !self.is_chain() {
            let base = match core::mem::take(self) {
                Self::Plain(layer) => layer,
                _ => Layer::NOTHING,
            };
            *self = Self::Chain(Chain::new(base));
        }
        match self {
            Self::Chain(chain) => Ok(chain),
            // Made just above.
            _ => Err(EINVAL),
        }
    }

    /// Adds the newest version to a page that is written to while there is a record. On failure
    /// nothing has changed.
    pub(super) fn push_version(&mut self, version: Version, nowait: NoWait) -> Result {
        if let Self::Chain(chain) = self {
            return chain.reserve_and_push(version, nowait);
        }
        let base = match core::mem::take(self) {
            Self::Plain(layer) => layer,
            _ => Layer::NOTHING,
        };
        *self = Self::Chain(Chain::of_two(base, version));
        Ok(())
    }

    /// Writes the sectors `mask` in place, no record being kept.
    pub(crate) fn write_plain(&mut self, mask: SectorMask, from: &dyn Source) -> Result {
        match self {
            Self::Plain(layer) => layer.write(mask, from),
            Self::Chain(chain) => chain.live()?.write(mask, from),
            Self::Empty => {
                let mut layer = Layer::zeroes(SectorMask::EMPTY);
                layer.write(mask, from)?;
                *self = Self::Plain(layer);
                Ok(())
            }
        }
    }

    /// Likewise, from a page that is taken over where nothing was before.
    pub(crate) fn put_plain(&mut self, mask: SectorMask, data: DataPage) -> Result {
        match self {
            Self::Empty => {
                *self = Self::Plain(Layer::data(mask, data));
                Ok(())
            }
            _ => self.write_plain(mask, &data),
        }
    }

    /// Zeroes the sectors `mask` in place, no record being kept. With nothing
    /// below that could shine through (`bottom`), a page of zeroes is an empty one.
    pub(crate) fn zero_plain(&mut self, mask: SectorMask, bottom: bool) -> Result {
        match self {
            Self::Plain(layer) => layer.write_zeroes(mask),
            Self::Chain(chain) => chain.live()?.write_zeroes(mask),
            Self::Empty => *self = Self::Plain(Layer::zeroes(mask)),
        }
        if bottom && matches!(self, Self::Plain(layer) if layer.page().is_none()) {
            *self = Self::Empty;
        }
        Ok(())
    }

    /// Drops what was written since the record began.
    pub(crate) fn reset(&mut self) {
        self.end(Chain::into_base);
    }

    /// Keeps what is there now and forgets what was before.
    pub(crate) fn settle(&mut self) {
        self.end(Chain::into_merged);
    }

    /// Makes what `into_layer` makes of a chain the only content.
    fn end(&mut self, into_layer: fn(Chain) -> Layer) {
        *self = match core::mem::take(self) {
            Self::Chain(chain) => match into_layer(chain) {
                layer if layer.is_nothing() => Self::Empty,
                layer => Self::Plain(layer),
            },
            other => other,
        };
    }

    /// What the entry with that index wrote here.
    pub(crate) fn version(&self, entry: u32) -> Option<&Layer> {
        let Self::Chain(chain) = self else {
            return None;
        };
        chain
            .versions()
            .get(chain.before(entry))
            .filter(|version| version.entry == entry)
            .map(|version| &version.layer)
    }

    /// What was here when the record began.
    pub(crate) fn base(&self) -> Option<&Layer> {
        match self {
            Self::Empty => None,
            Self::Plain(layer) => Some(layer),
            Self::Chain(chain) => chain.base(),
        }
    }
}

/// Copies those of the sectors `wanted` that layers have, newest first, and returns the
/// others.
fn read_layers<'a>(
    layers: impl Iterator<Item = &'a Layer>,
    wanted: SectorMask,
    to: &mut dyn Sink,
) -> SectorMask {
    let mut rest = wanted;
    for layer in layers {
        if rest.is_empty() {
            break;
        }
        rest = rest.without(layer.read(rest, to));
    }
    rest
}

/// Which versions a crash left, and in which order they lie.
pub(crate) trait Survival {
    /// The entries from the first of these up to the second lie by [`Self::arrival`];
    /// those before them lie below, by index; those from the second on are not seen.
    fn unordered(&self) -> (u32, u32);

    /// When an entry took its place: of two, the later one lies above.
    fn arrival(&self, entry: u32) -> u64;

    /// Which of the sectors `there`, that the entry wrote to a page, are seen of it.
    fn shown(&self, entry: u32, page: u64, there: SectorMask) -> SectorMask;

    /// The sectors of a page that was written to which are gone: they read as zeroes.
    fn lost(&self, page: u64) -> SectorMask;
}

/// The highest of some versions that shows any of the sectors `wanted` of a page, and which.
fn highest<'a>(
    versions: &'a [Version],
    survival: &dyn Survival,
    page: u64,
    wanted: SectorMask,
) -> Option<(&'a Version, SectorMask)> {
    let showing = versions.iter().filter_map(|version| {
        let there = wanted.and(version.layer.valid());
        if there.is_empty() {
            return None;
        }
        let shown = survival.shown(version.entry, page, there);
        (!shown.is_empty()).then_some((version, shown))
    });
    // By their index, those that took their places at the same time.
    showing.max_by_key(|(version, _)| (survival.arrival(version.entry), version.entry))
}
