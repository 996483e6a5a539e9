// SPDX-License-Identifier: GPL-2.0

//! The table of a disk's pages: a radix tree of leaves, each with a lock of its own.
//!
//! Data is not copied under a leaf's lock but for a page's first writes: whoever finds
//! a page takes a share of it and lets go of the lock.
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
//! [`Tree::writer`] looks whether the tree is open, takes a share of the page and counts itself,
//! all under the leaf's lock; it copies without it, and is no longer counted afterwards (Release).
//! [`Tree::close`] first says that the tree is closed; then, leaf by leaf, it takes the lock once
//! and waits until the count is 0 (Acquire). The lock orders the two:
//!
//! - the writer had it first: `close` sees that it is counted, and waits. The 0 that it reads
//!   at last is of a subtraction that comes after those of all others, so it sees, too,
//!   all that they copied;
//! - `close` had it first: the writer sees that the tree is closed, and goes the long way.
//!
//! So where the flag is stored and loaded and where the count goes up, Relaxed is enough. Leaves that
//! are not there yet when `close` looks for them are made by the store's owner, who is in
//! `close`. [`Tree::open`] needs no order: who does not see it yet goes the long way, which is
//! always right. It follows that from `close` on, no page changes that a version or the
//! base of a record has.
//!
//! What is read may be written to in place meanwhile. That is a race for the bytes of some
//! sectors, as on any disk ([`DataPage`]): nothing but these bytes depends on it.

use super::{
    SectorMask,
    Sink,
    Slot, //
};
use crate::{
    block::DataPage,
    patience::Patience, //
};
use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Relaxed,
            Release, //
        },
        lock::{
            mutex::MutexBackend,
            Guard, //
        },
        Mutex,
        SetOnce, //
    },
    time::{
        delay::fsleep,
        Delta, //
    }, //
};

/// Pages in a leaf: 256 KiB of disk.
pub(super) const LEAF_PAGES: u64 = 1 << LEAF_BITS;
const LEAF_BITS: u32 = 6;
const NODE_BITS: u32 = 9;
const NODE_LEN: usize = 1 << NODE_BITS;
/// Pages that the tree has room for: 32 TiB of disk.
const NR_PAGES: u64 = 1 << (LEAF_BITS + 3 * NODE_BITS);

/// Children, made as they are needed.
struct Node<T>(KVVec<SetOnce<T>>);

impl<T> Node<T> {
    fn new(patience: Patience) -> Result<Self> {
        let mut children = KVVec::with_capacity(NODE_LEN, patience.gfp())?;
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
        if child.as_ref().is_none() {
            child.populate(make()?);
        }
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
#[pin_data]
pub(super) struct Leaf {
    /// Writes to its pages that go on without its lock.
    nr_writers: Atomic<i32>,
    #[pin]
    slots: Mutex<[Slot; LEAF_PAGES as usize]>,
}

/// A locked leaf.
pub(super) type Slots<'a> = Guard<'a, [Slot; LEAF_PAGES as usize], MutexBackend>;

impl Leaf {
    fn new(patience: Patience) -> Result<Pin<KBox<Self>>> {
        KBox::pin_init(
            try_pin_init!(Self {
                nr_writers: Atomic::new(0),
                // In its place: it is too large for the stack.
                slots <- new_mutex!(pin_init::init_array_from_fn(|_| Slot::Empty)),
            }),
            patience.gfp(),
        )
    }

    pub(super) fn lock(&self) -> Slots<'_> {
        self.slots.lock()
    }

    /// [`None`] if it may not wait and would have to.
    pub(super) fn lock_if(&self, may_wait: bool) -> Option<Slots<'_>> {
        if may_wait {
            Some(self.slots.lock())
        } else {
            self.slots.try_lock()
        }
    }
}

/// See the module's documentation.
pub(crate) struct Tree {
    /// Of the first 64 GiB.
    low: Middle,
    /// Of the rest, the first one unused.
    high: SetOnce<Node<Middle>>,
    /// Whether pages are written to in place by [`Self::writer`]. Changes while the
    /// owner of the store has it, is read under a leaf's lock.
    is_open: Atomic<bool>,
}

/// What [`Tree::reader`] finds.
pub(crate) enum Found {
    /// The page shows all sectors in question.
    Page(DataPage),
    /// None of them was ever written to.
    Nothing,
    /// It takes a closer look.
    Other,
}

/// A page that may be written to in place, as long as this lives.
pub(crate) struct Writer<'a> {
    page: DataPage,
    leaf: &'a Leaf,
}

impl Writer<'_> {
    /// The page.
    pub(crate) fn page(&self) -> &DataPage {
        &self.page
    }
}

impl Drop for Writer<'_> {
    fn drop(&mut self) {
        self.leaf.nr_writers.fetch_sub(1, Release);
    }
}

/// Where the slot of a page is in its leaf. No truncation: less than `LEAF_PAGES`.
pub(super) fn place(page: u64) -> usize {
    (page % LEAF_PAGES) as usize
}

impl Tree {
    pub(super) fn new() -> Result<Self> {
        Ok(Self {
            low: Node::new(Patience::Wait)?,
            high: SetOnce::new(),
            is_open: Atomic::new(false),
        })
    }

    /// The indices on the way to a page's leaf. The first one is out of range for
    /// pages that the tree has no room for.
    fn way(page: u64) -> [usize; 3] {
        let leaf = page >> LEAF_BITS;
        let index = |level: u32| (leaf >> (level * NODE_BITS)) as usize;
        [index(2), index(1) % NODE_LEN, index(0) % NODE_LEN]
    }

    pub(super) fn leaf(&self, page: u64) -> Option<&Leaf> {
        let [top, middle, bottom] = Self::way(page);
        let middles = match top {
            0 => &self.low,
            _ => self.high.as_ref()?.get(top)?,
        };
        Some(middles.get(middle)?.get(bottom)?)
    }

    /// The leaf of a page, made if need be. Not to be called by two at a time.
    pub(super) fn leaf_or_new(&self, page: u64, patience: Patience) -> Result<&Leaf> {
        let [top, middle, bottom] = Self::way(page);
        let middles = match top {
            0 => &self.low,
            _ => {
                if self.high.as_ref().is_none() {
                    self.high.populate(Node::new(patience)?);
                }
                let high = self.high.as_ref().ok_or(ENOMEM)?;
                high.get_or_make(top, || Node::new(patience))?
            }
        };
        let bottoms = middles.get_or_make(middle, || Node::new(patience))?;
        Ok(bottoms.get_or_make(bottom, || Leaf::new(patience))?)
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
                    let first = (number as u64) << LEAF_BITS;
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
    pub(crate) fn reader(&self, page: u64, wanted: SectorMask, may_wait: bool) -> Found {
        let Some(leaf) = self.leaf(page) else {
            return Found::Nothing;
        };
        let Some(slots) = leaf.lock_if(may_wait) else {
            return Found::Other;
        };
        match slots.get(place(page)) {
            Some(Slot::Plain(layer)) if layer.valid().contains(wanted) => match layer.page() {
                Some(page) => Found::Page(page.clone()),
                None => Found::Other,
            },
            Some(Slot::Empty) => Found::Nothing,
            _ => Found::Other,
        }
    }

    /// Copies those of the sectors `wanted` of a page that it has, as they are now, and
    /// returns the others.
    pub(crate) fn read(&self, page: u64, wanted: SectorMask, to: &mut dyn Sink) -> SectorMask {
        let Some(leaf) = self.leaf(page) else {
            return wanted;
        };
        let slots = leaf.lock();
        slots
            .get(place(page))
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
        let slots = leaf.lock_if(false)?;
        let slot = slots.get(place(page))?;
        Some(slot.read(wanted, to))
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
        let slots = leaf.lock();
        slots
            .get(place(page))
            .map_or(wanted, |slot| slot.read_older(wanted, below, to))
    }

    /// The page to write the sectors `mask` of to, in place; [`None`] if it takes more than
    /// that.
    pub(crate) fn writer(&self, page: u64, mask: SectorMask, may_wait: bool) -> Option<Writer<'_>> {
        let leaf = self.leaf(page)?;
        let slots = leaf.lock_if(may_wait)?;
        if !self.is_open.load(Relaxed) {
            return None;
        }
        match slots.get(place(page)) {
            Some(Slot::Plain(layer)) if layer.valid().contains(mask) => {
                let page = layer.page()?.clone();
                leaf.nr_writers.fetch_add(1, Relaxed);
                Some(Writer { page, leaf })
            }
            _ => None,
        }
    }

    /// Writes that go on in place, for tests.
    #[cfg(CONFIG_BLK_DEV_POWERCUT_KUNIT_TEST)]
    pub(super) fn nr_writers(&self) -> i32 {
        let leaves = self.leaves();
        leaves.map(|(_, leaf)| leaf.nr_writers.load(Acquire)).sum()
    }

    /// Lets pages be written to in place.
    pub(super) fn open(&self) {
        self.is_open.store(true, Relaxed);
    }

    /// Lets pages be written to in place no more, and waits until none is.
    pub(super) fn close(&self) {
        self.is_open.store(false, Relaxed);
        for (_, leaf) in self.leaves() {
            // Who locks it after us knows; who did before us is counted.
            drop(leaf.lock());
            while leaf.nr_writers.load(Acquire) != 0 {
                fsleep(Delta::from_micros(10));
            }
        }
    }
}
