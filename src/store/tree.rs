// SPDX-License-Identifier: GPL-2.0

//! The table of a disk's pages: a radix tree of leaves, each with a lock of its own.
//!
//! Data is not copied under a leaf's lock but for a page's first writes: whoever finds
//! a page has it lent ([`Lending`]), and lets go of the lock.
//!
//! # Why finding a leaf needs no lock
//!
//! *Publication.* A child is made as a whole, and [`SetOnce`] then stores with Release that it
//! is there. Who looks for it loads that with Acquire: either it sees that, and with it all of the
//! child, or it finds none, as if it had come earlier. Children are added by one thread at a
//! time, whoever owns the [`Store`](super::Store): of two that are made for one place, one would
//! be lost.
//!
//! *Lifetime.* What was published stays where it is, as long as the tree is there: arrays of
//! children have their full length from the start, leaves are in boxes, nothing is ever taken
//! out. So references borrow from the tree, and there is nothing to count or to retire.
//!
//! # Why [`Tree::close`] waits for all who write in place
//!
//! [`Tree::writer`] looks whether the tree is open and has the page lent, both under the leaf's
//! lock; it copies without it. [`Tree::close`] first says that the tree is closed; then, leaf by
//! leaf, it takes the lock once and waits until nothing is lent. The lock orders the two:
//!
//! - the writer had it first: `close` sees the loan, waits for its end, and with that sees all
//!   that was copied;
//! - `close` had it first: the writer sees that the tree is closed, and goes the long way.
//!
//! So where the flag is stored and loaded, Relaxed is enough. Leaves that
//! are not there yet when `close` looks for them are made by the store's owner, who is in
//! `close`. [`Tree::open`] needs no order: who does not see it yet goes the long way, which is
//! always right. It follows that from `close` on, no page changes that a version or the
//! base of a record has.
//!
//! What is read may be written to in place meanwhile. That is a race for the bytes of some
//! sectors, as on any disk ([`DataPage`]): nothing but these bytes depends on it.
//!
//! `scripts/kcsan` tries all of this on a kernel with KCSAN.

use super::{
    SectorMask,
    Sink,
    Slot, //
};
use crate::{
    block::{
        DataPage,
        Lending,
        Lent, //
    },
    nowait::NoWait, //
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        SetOnce, //
    }, //
};

/// Pages in a leaf, about half a MiB of disk: with what else it has, it just fits a page of memory.
pub(super) const LEAF_PAGES: u64 = ((PAGE_SIZE - 64) / size_of::<Slot>()) as u64;
const NODE_BITS: u32 = 9;
const NODE_LEN: usize = 1 << NODE_BITS;
/// Pages that the tree has room for: more than 60 TiB of disk.
const NR_PAGES: u64 = LEAF_PAGES << (3 * NODE_BITS);

/// Children, made as they are needed.
struct Node<T>(KVVec<SetOnce<T>>);

impl<T> Node<T> {
    fn new(nowait: NoWait) -> Result<Self> {
        let mut children = KVVec::with_capacity(NODE_LEN, nowait.gfp())?;
        while children.len() < NODE_LEN {
            children
                .push_within_capacity(SetOnce::new())
                .map_err(|_| ENOMEM)?;
        }
        Ok(Self(children))
    }

    fn get(&self, index: usize) -> Option<&T> {
        self.0.get(index)?.as_ref()
    }

    fn get_or_make(&self, index: usize, make: impl FnOnce() -> Result<T>) -> Result<&T> {
        let child = self.0.get(index).ok_or(ERANGE)?;
        if let Some(child) = child.as_ref() {
            return Ok(child);
        }
        child.populate(make()?);
        child.as_ref().ok_or(ENOMEM)
    }

    /// Its children from `first` on, with their indices.
    fn children(&self, first: usize) -> impl Iterator<Item = (usize, &T)> {
        let children = self.0.iter().enumerate().skip(first);
        children.filter_map(|(index, child)| Some((index, child.as_ref()?)))
    }
}

type Bottom = Node<Pin<KBox<Leaf>>>;
type Middle = Node<Bottom>;

/// Neighbouring pages.
pub(super) struct Pages {
    pub(super) slots: [Slot; LEAF_PAGES as usize],
    /// Whether the leaf is on the store's list of those where there may be chains.
    pub(super) is_listed: bool,
}

pub(super) type Leaf = Lending<Pages>;

// Unless debugging makes its lock larger.
#[cfg(not(any(CONFIG_DEBUG_MUTEXES, CONFIG_DEBUG_LOCK_ALLOC)))]
const _: () = assert!(size_of::<Leaf>() <= PAGE_SIZE);

// Slots and masks of sectors are made for pages of this size. Kconfig says so, too.
const _: () = assert!(PAGE_SIZE == 4096, "powercut needs pages of 4 KiB");

pub(super) fn new_leaf(nowait: NoWait) -> Result<Pin<KBox<Leaf>>> {
    // In its place: it is too large for the stack.
    let pages = pin_init::init!(Pages {
        slots <- pin_init::init_array_from_fn(|_| Slot::Empty),
        is_listed: false,
    });
    KBox::pin_init(Leaf::new(pages), nowait.gfp())
}

impl Pages {
    /// The slot of a page, which must be one of this leaf.
    pub(super) fn slot(&self, page: u64) -> Option<&Slot> {
        self.slots.get(place(page))
    }

    /// Likewise, to change it.
    pub(super) fn slot_mut(&mut self, page: u64) -> Option<&mut Slot> {
        self.slots.get_mut(place(page))
    }
}

/// Where the slot of a page is in its leaf. No truncation: less than `LEAF_PAGES`.
fn place(page: u64) -> usize {
    (page % LEAF_PAGES) as usize
}

/// See the module's documentation.
pub(crate) struct Tree {
    /// Of the first 126 GiB.
    low: Middle,
    /// Of the rest, the first one unused.
    high: SetOnce<Node<Middle>>,
    /// Whether pages are written to in place by [`Self::writer`]. Changes while the
    /// owner of the store has it, is read under a leaf's lock.
    is_open: Atomic<bool>,
}

/// What [`Tree::reader`] finds.
pub(crate) enum Found<'a> {
    /// The page shows all sectors in question.
    Page(Lent<'a, DataPage>),
    /// None of them was ever written to.
    Nothing,
    /// It takes a closer look.
    Other,
}

impl Tree {
    pub(super) fn new() -> Result<Self> {
        Ok(Self {
            low: Node::new(NoWait(false))?,
            high: SetOnce::new(),
            is_open: Atomic::new(false),
        })
    }

    /// The indices on the way to a page's leaf. The first one is out of range for
    /// pages that the tree has no room for.
    fn way(page: u64) -> [usize; 3] {
        let leaf = page / LEAF_PAGES;
        let index = |level: u32| (leaf >> (level * NODE_BITS)) as usize;
        [index(2), index(1) % NODE_LEN, index(0) % NODE_LEN]
    }

    #[inline]
    pub(super) fn leaf(&self, page: u64) -> Option<&Leaf> {
        let [top, middle, bottom] = Self::way(page);
        let middles = match top {
            0 => &self.low,
            _ => self.high.as_ref()?.get(top)?,
        };
        Some(middles.get(middle)?.get(bottom)?)
    }

    /// The leaf of a page, made if need be. Not to be called by two at a time.
    pub(super) fn leaf_or_new(&self, page: u64, nowait: NoWait) -> Result<&Leaf> {
        let [top, middle, bottom] = Self::way(page);
        let middles = match top {
            0 => &self.low,
            _ => {
                if self.high.as_ref().is_none() {
                    self.high.populate(Node::new(nowait)?);
                }
                let high = self.high.as_ref().ok_or(ENOMEM)?;
                high.get_or_make(top, || Node::new(nowait))?
            }
        };
        let bottoms = middles.get_or_make(middle, || Node::new(nowait))?;
        Ok(bottoms.get_or_make(bottom, || new_leaf(nowait))?)
    }

    /// The first leaf at or after that of `page`, and the first page of it that counts.
    pub(super) fn next_leaf(&self, page: u64) -> Option<(u64, &Leaf)> {
        if page >= NR_PAGES {
            return None;
        }
        let mut from = Self::way(page);
        let [first_top, first_middle, _] = from;
        let low = (first_top == 0).then_some((0, &self.low));
        let high = self.high.as_ref().map(|high| high.children(first_top));
        for (top, middles) in Iterator::chain(low.into_iter(), high.into_iter().flatten()) {
            if top != first_top {
                from = [top, 0, 0];
            }
            for (middle, bottoms) in middles.children(from[1]) {
                if (top, middle) != (first_top, first_middle) {
                    from[2] = 0;
                }
                if let Some((bottom, leaf)) = bottoms.children(from[2]).next() {
                    let number = ((top << NODE_BITS | middle) << NODE_BITS) | bottom;
                    let first = number as u64 * LEAF_PAGES;
                    return Some((first.max(page), leaf));
                }
            }
        }
        None
    }

    /// All leaves, in order, each with the number of its first page.
    pub(super) fn leaves(&self) -> impl Iterator<Item = (u64, &Leaf)> {
        let mut from = 0;
        core::iter::from_fn(move || {
            let (first, leaf) = self.next_leaf(from)?;
            from = first + LEAF_PAGES;
            Some((first, leaf))
        })
    }

    /// What shows the sectors `wanted` of a page now: [`Found::Other`], too, if it may not
    /// wait to find out.
    #[inline(always)]
    pub(crate) fn reader(&self, page: u64, wanted: SectorMask, may_wait: bool) -> Found<'_> {
        let Some(leaf) = self.leaf(page) else {
            return Found::Nothing;
        };
        let Some(pages) = leaf.lock_if(may_wait) else {
            return Found::Other;
        };
        if pages.slot(page).is_some_and(Slot::is_empty) {
            return Found::Nothing;
        }
        let lent = pages.lend(|pages| pages.slot(page)?.whole(wanted));
        lent.map_or(Found::Other, Found::Page)
    }

    /// Copies those of the sectors `wanted` of a page that it has, as they are now, and
    /// returns the others.
    pub(crate) fn read(&self, page: u64, wanted: SectorMask, to: &mut dyn Sink) -> SectorMask {
        let Some(leaf) = self.leaf(page) else {
            return wanted;
        };
        let pages = leaf.lock();
        pages
            .slot(page)
            .map_or(wanted, |slot| slot.read(wanted, to))
    }

    /// As [`Self::read`]; [`None`] if it would have to wait.
    pub(crate) fn try_read(
        &self,
        page: u64,
        wanted: SectorMask,
        to: &mut dyn Sink,
    ) -> Option<SectorMask> {
        let Some(leaf) = self.leaf(page) else {
            return Some(wanted);
        };
        let pages = leaf.lock_if(false)?;
        Some(pages.slot(page)?.read(wanted, to))
    }

    /// As [`Self::read`], but as they were before the newest write to one of them, where
    /// that is known: it is, too, if something lies `below`.
    pub(crate) fn read_older(
        &self,
        page: u64,
        wanted: SectorMask,
        below: bool,
        to: &mut dyn Sink,
    ) -> SectorMask {
        let Some(leaf) = self.leaf(page) else {
            return wanted;
        };
        let pages = leaf.lock();
        pages
            .slot(page)
            .map_or(wanted, |slot| slot.read_older(wanted, below, to))
    }

    /// The page to write the sectors `mask` of to, in place; [`None`] if it takes more than
    /// that.
    #[inline(always)]
    pub(crate) fn writer(
        &self,
        page: u64,
        mask: SectorMask,
        may_wait: bool,
    ) -> Option<Lent<'_, DataPage>> {
        let pages = self.leaf(page)?.lock_if(may_wait)?;
        if !self.is_open.load(Relaxed) {
            return None;
        }
        pages.lend(|pages| pages.slot(page)?.whole(mask))
    }

    /// Pages that are being copied from or to, for tests.
    #[cfg(CONFIG_BLK_DEV_POWERCUT_KUNIT_TEST)]
    pub(super) fn nr_lent(&self) -> i32 {
        self.leaves().map(|(_, leaf)| leaf.nr_loans()).sum()
    }

    /// Lets pages be written to in place.
    pub(super) fn open(&self) {
        self.is_open.store(true, Relaxed);
    }

    /// Lets pages be written to in place no more, and waits until none is.
    pub(super) fn close(&self) {
        if !self.is_open.load(Relaxed) {
            return;
        }
        self.is_open.store(false, Relaxed);
        for (_, leaf) in self.leaves() {
            // Who locks it after us knows; what was lent before is returned.
            drop(leaf.lock_mut());
        }
    }
}
