// SPDX-License-Identifier: GPL-2.0

//! The recorded disk: bios in, log and versions out.
//!
//! [`life`] has the states of a disk. [`io`] is the way of a bio, [`faults`] what may befall it
//! there, [`in_flight`] is where one waits that is not complete at
//! once, [`cut`] cuts the power and brings it back, [`recording`] starts and ends
//! records and lets others read them. A crash-state disk is one of these, too: it has a crash state
//! of another disk's record [`below`](RecordedDisk::below) its own store, which is
//! therefore a private copy-on-write overlay.
//!
//! A bio is logged as complete under the lock under
//! which it took effect, before its submitter is told: so whoever was told of it comes
//! after it in the log.

mod apply;
mod completion;
mod cut;
mod data;
mod faults;
mod hints;
mod in_flight;
mod in_place;
mod io;
mod life;
mod members;
mod pages;
mod recording;
mod segments;
mod staged;
#[cfg(CONFIG_BLK_DEV_POWERCUT_KUNIT_TEST)]
pub(crate) mod tests;
mod trigger;

pub(crate) use completion::Completion;
pub(crate) use io::Node;
pub(crate) use members::{
    Member,
    Members,
    MEMBER_NAME_LEN, //
};
pub(crate) use staged::Staged;

use crate::{
    block::{
        noio,
        SparePages, //
    },
    crash::CrashState,
    fault::{
        Extent,
        Faults, //
    },
    model,
    store::{
        Found,
        Pieces,
        SectorMask,
        Sink,
        Store,
        Tree,
        SECTOR_SIZE, //
    }, //
};
use hints::{
    Hint,
    Hints, //
};
use in_flight::InFlight;
use kernel::{
    new_mutex,
    page::PAGE_SIZE,
    prelude::*,
    str::{
        CStr,
        CString, //
    },
    sync::{
        Arc,
        Mutex, //
    },
    time::{
        hrtimer::HrTimer,
        Instant,
        Monotonic, //
    },
    workqueue::{
        new_work,
        Work, //
    }, //
};
use life::Life;

/// What a disk is like; fixed while it exists.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Properties {
    /// Its size in sectors of 512 bytes.
    pub(crate) nr_sectors: u64,
    /// Its logical block size in bytes.
    pub(crate) block_size: u32,
    /// Its physical block size in bytes, which changes nothing but what it advertises: with
    /// [`Tear::Rmw`](model::Tear::Rmw) it is the model's.
    pub(crate) physical_block_size: u32,
    /// What never tears, in bytes.
    pub(crate) atomic_unit: u32,
    /// How writes tear.
    pub(crate) tear: model::Tear,
    /// Whether it has a volatile write cache.
    pub(crate) write_cache: bool,
    /// Whether it advertises FUA.
    pub(crate) fua: bool,
    /// Whether it advertises DISCARD.
    pub(crate) discard: bool,
    /// Whether the kernel looks for partitions on it.
    pub(crate) partscan: bool,
}

impl Properties {
    /// What legality depends on.
    fn to_model(self, members: model::Members) -> model::Geometry {
        model::Geometry {
            unit_sectors: self.atomic_unit / SECTOR_SIZE as u32,
            write_cache: self.write_cache,
            tear: self.tear,
            members,
        }
    }

    /// What faults need of it.
    fn to_extent(self) -> Extent {
        Extent {
            nr_sectors: self.nr_sectors,
            block_sectors: u64::from(self.block_size) / SECTOR_SIZE as u64,
        }
    }
}

/// What changes as the disk is used.
struct State {
    store: Store,
    life: Life,
    /// Crash-state disks on the record, which must stay as it is for them.
    nr_views: usize,
    /// Records begun so far.
    nr_records: u64,
    faults: Faults,
}

impl State {
    fn new(properties: Properties) -> Result<Self> {
        Ok(Self {
            store: Store::new()?,
            life: Life::On,
            nr_views: 0,
            nr_records: 0,
            faults: Faults::new(properties.to_extent()),
        })
    }

    /// To be called whenever `life` or `faults` changed: so that bios look, or need not.
    fn update(&mut self, disk: &RecordedDisk) {
        let is_recording = self.life.recording().is_some();
        let is_on = matches!(self.life, Life::On);
        disk.hints.set(&[
            (Hint::Recording, is_recording),
            (
                Hint::OffOrFaulty,
                self.life.off().is_some() || !self.faults.is_empty(),
            ),
            (Hint::Dying, matches!(self.life, Life::Dying { .. })),
        ]);
        // Without a record and without faults, pages that are there are written to in place,
        // without this.
        if is_on && disk.completion.is_inline() && self.faults.is_empty() {
            self.store.open();
        } else {
            self.store.close();
        }
    }
}

/// A disk in memory with a modelled volatile write cache.
#[pin_data]
pub(crate) struct RecordedDisk {
    name: CString,
    properties: Properties,
    members: Members,
    log_limit_bytes: u64,
    completion: Completion,
    /// What discarded sectors hold follows from this; without, they are zeroes.
    garbage: Option<u64>,
    /// Whether the stacks are hashed that writes come from.
    stacks: bool,
    below: Option<Pin<KBox<CrashState>>>,
    /// When it was made.
    began: Instant<Monotonic>,
    /// Change under `state`.
    hints: Hints,
    /// The table of the store in `state`.
    tree: Arc<Tree>,
    #[pin]
    state: Mutex<State>,
    #[pin]
    in_flight: Mutex<InFlight>,
    /// Goes off when the next delayed bio is due.
    #[pin]
    timer: HrTimer<RecordedDisk>,
    /// Completes those that are.
    #[pin]
    work: Work<RecordedDisk>,
    /// Pages for the next writes.
    #[pin]
    spare: Mutex<SparePages>,
}

/// How a disk behaves, beside its properties.
#[derive(Clone, Copy, Default)]
pub(crate) struct Behaviour {
    /// The memory that a record may take in bytes; 0: any.
    pub(crate) log_limit_bytes: u64,
    /// When it completes writes and flushes.
    pub(crate) completion: Completion,
    /// What discarded sectors hold follows from this; without, they are zeroes.
    pub(crate) garbage: Option<u64>,
    /// Whether the stacks are hashed that writes come from.
    pub(crate) stacks: bool,
}

impl RecordedDisk {
    /// An empty disk; or, with a crash state `below`, one that shows that.
    pub(crate) fn new(
        name: CString,
        properties: Properties,
        members: Members,
        behaviour: Behaviour,
        below: Option<Pin<KBox<CrashState>>>,
    ) -> Result<Arc<Self>> {
        let state = State::new(properties)?;
        let disk = Arc::pin_init(
            try_pin_init!(Self {
                name,
                properties,
                members,
                log_limit_bytes: behaviour.log_limit_bytes,
                completion: behaviour.completion,
                garbage: behaviour.garbage,
                stacks: behaviour.stacks,
                below,
                began: Instant::now(),
                hints: Hints::new(),
                tree: state.store.tree(),
                state <- new_mutex!(state),
                in_flight <- new_mutex!(InFlight::new()),
                timer <- HrTimer::new(),
                work <- new_work!("powercut"),
                spare <- new_mutex!(SparePages::new()),
            }),
            GFP_KERNEL,
        )?;
        disk.state.lock().update(&disk);
        Ok(disk)
    }

    /// `NAME` or `NAME.VIEW`.
    pub(crate) fn name(&self) -> &CStr {
        &self.name
    }

    /// What it is like.
    pub(crate) fn properties(&self) -> Properties {
        self.properties
    }

    /// The block devices that it is cut into; none if it is one.
    pub(crate) fn members(&self) -> &Members {
        &self.members
    }

    /// The crash state that it shows where it was not written to.
    pub(crate) fn below(&self) -> Option<&CrashState> {
        self.below.as_deref()
    }

    /// Points it at another crash state, as it shows one: drops all that was written to it.
    /// Nobody may have it open. [`EBUSY`] if it has a record, [`EINVAL`] if `text` is no state.
    /// On failure all stays as it was.
    pub(crate) fn select(&self, text: &[u8]) -> Result {
        let below = self.below().ok_or(EINVAL)?;
        let selection = noio(|| below.parse(text))?;
        // Freed after unlocking.
        let _old;
        let mut state = self.state.lock();
        if state.life.record().is_some() {
            return Err(EBUSY);
        }
        // Every state meets the same faults.
        noio(|| state.faults.rewind())?;
        _old = below.set(selection);
        state.store.clear();
        state.update(self);
        Ok(())
    }

    /// Shows the sectors `wanted` of a page as they are now.
    fn read_page(&self, page: u64, wanted: SectorMask, to: &mut dyn Sink) {
        match self.tree.reader(page, wanted, true) {
            Found::Page(page) => wanted.runs().for_each(|range| to.copy_from(range, &page)),
            Found::Nothing => self.read_below(page, wanted, to),
            Found::Other => {
                let mut pieces = Pieces::new();
                let rest = self.tree.read(page, wanted, &mut pieces);
                pieces.copy_to(to);
                self.read_below(page, rest, to);
            }
        }
    }

    /// Shows sectors that the disk's own store does not have.
    fn read_below(&self, page: u64, wanted: SectorMask, to: &mut dyn Sink) {
        if wanted.is_empty() {
            return;
        }
        match self.below() {
            Some(below) => below.read_page(page, wanted, to),
            None => wanted.runs().for_each(|range| to.zero(range)),
        }
    }

    /// The first page at or after `page` that may hold anything but zeroes.
    pub(crate) fn next_written(&self, page: u64) -> Option<u64> {
        let own = self.state.lock().store.next_written(page);
        let below = self.below().and_then(|below| below.next_written(page));
        pages::earliest(own, below)
    }

    /// A page's worth of the disk as it is now, for tests.
    #[cfg(CONFIG_BLK_DEV_POWERCUT_KUNIT_TEST)]
    pub(crate) fn page(&self, page: u64) -> Result<crate::store::DataPage> {
        let mut data = crate::store::DataPage::new()?;
        self.read_page(page, SectorMask::FULL, &mut data);
        Ok(data)
    }

    /// What discarded sectors hold follows from this; without, they are zeroes.
    pub(crate) fn garbage(&self) -> Option<u64> {
        self.garbage
    }

    /// Whether the stacks are hashed that writes come from.
    pub(crate) fn stacks(&self) -> bool {
        self.stacks
    }

    /// Whether it completes bios before `submit_bio` returns.
    pub(crate) fn is_inline(&self) -> bool {
        self.completion.is_inline()
    }

    /// Since it was made.
    fn now_ns(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(0)
    }
}

const _: () = assert!(PAGE_SIZE == 4096);

// configfs asks for no such bounds of what it shares between threads; we do.
const _: fn() = || {
    fn is_shared<T: Send + Sync>() {}
    is_shared::<RecordedDisk>();
};
