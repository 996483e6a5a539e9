// SPDX-License-Identifier: GPL-2.0

//! The recorded disk: bios in, log and versions out.
//!
//! [`io`] is the way of a bio, [`faults`] what may befall it there, [`in_flight`] is where one waits that is not complete at
//! once, [`power`] cuts the power and brings it back, [`recording`] starts and ends
//! records and lets others read them. A crash-state disk is one of these, too: it has a crash state
//! of another disk's record [`below`](RecordedDisk::below) its own store, which is
//! therefore a private copy-on-write overlay.
//!
//! Lock order: a disk's `open_mutex`, then its `state`. No two disks' `state` are
//! ever held at a time: what is not found in a disk's own store is looked up in the
//! one below after unlocking. A bio is logged as complete under the lock under
//! which it took effect, before its submitter is told: so whoever was told of it comes
//! after it in the log.

mod apply;
mod completion;
mod faults;
mod in_flight;
mod in_place;
mod io;
mod members;
mod power;
mod recording;
mod segments;
mod staged;
#[cfg(CONFIG_BLK_DEV_POWERCUT_KUNIT_TEST)]
pub(crate) mod tests;

pub(crate) use completion::Completion;
pub(crate) use members::{
    Member,
    Members,
    MEMBER_NAME_LEN, //
};
pub(crate) use staged::Staged;

use crate::{
    block::SparePages,
    crash::CrashState,
    fault::{
        Extent,
        Faults, //
    },
    model,
    record::Record,
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
        atomic::{
            Atomic,
            Relaxed, //
        },
        lock::{
            mutex::MutexBackend,
            Guard, //
        },
        Arc,
        Mutex, //
    },
    time::{
        Instant,
        Monotonic, //
    }, //
};
use power::Supply;

/// What a disk is like; fixed while it exists.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Geometry {
    /// Its size in sectors of 512 bytes.
    pub(crate) nr_sectors: u64,
    /// Its logical block size in bytes.
    pub(crate) block_size: u32,
    /// Its physical block size in bytes, which changes nothing but what it advertises.
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
}

impl Geometry {
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
    record: Option<Record>,
    /// Crash-state disks on the record, which must stay as it is for them.
    nr_views: usize,
    /// The disk is going: no crash-state disk may come.
    is_retired: bool,
    /// It is being pointed at another state: no record may begin.
    is_pointing: bool,
    /// Records begun so far.
    nr_records: u64,
    supply: Supply,
    faults: Faults,
}

impl State {
    fn new(geometry: Geometry) -> Result<Self> {
        Ok(Self {
            store: Store::new()?,
            record: None,
            nr_views: 0,
            is_retired: false,
            is_pointing: false,
            nr_records: 0,
            supply: Supply::On,
            faults: Faults::new(geometry.to_extent()),
        })
    }

    /// Without a record and without faults, pages that are there are written to in place,
    /// without this: to be called when one of these comes or goes.
    fn update_store(&mut self, completion: Completion) {
        if self.record.is_none() && completion.is_inline() && self.faults.is_empty() {
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
    geometry: Geometry,
    members: Members,
    log_limit_bytes: u64,
    completion: Completion,
    /// What discarded sectors hold follows from this; without, they are zeroes.
    garbage: Option<u64>,
    below: Option<Pin<KBox<CrashState>>>,
    /// When it was made.
    began: Instant<Monotonic>,
    /// Whether writes go to a log. Changes under `state`; read without it as a hint.
    is_recording: Atomic<bool>,
    /// Whether bios need a closer look, as the power was cut or they may meet faults,
    /// likewise.
    is_odd: Atomic<bool>,
    /// The table of the store in `state`.
    tree: Arc<Tree>,
    #[pin]
    state: Mutex<State>,
    #[pin]
    in_flight: Mutex<InFlight>,
    /// Pages for the next writes.
    #[pin]
    spare: Mutex<SparePages>,
}

type InFlightGuard<'a> = Guard<'a, InFlight, MutexBackend>;

/// How a disk behaves, beside its geometry.
#[derive(Clone, Copy, Default)]
pub(crate) struct Behaviour {
    /// The memory that a record may take in bytes; 0: any.
    pub(crate) log_limit_bytes: u64,
    /// When it completes writes and flushes.
    pub(crate) completion: Completion,
    /// What discarded sectors hold follows from this; without, they are zeroes.
    pub(crate) garbage: Option<u64>,
}

impl RecordedDisk {
    /// An empty disk; or, with a crash state `below`, one that shows that.
    pub(crate) fn new(
        name: CString,
        geometry: Geometry,
        members: Members,
        behaviour: Behaviour,
        below: Option<Pin<KBox<CrashState>>>,
    ) -> Result<Arc<Self>> {
        let mut state = State::new(geometry)?;
        state.update_store(behaviour.completion);
        Arc::pin_init(
            try_pin_init!(Self {
                name,
                geometry,
                members,
                log_limit_bytes: behaviour.log_limit_bytes,
                completion: behaviour.completion,
                garbage: behaviour.garbage,
                below,
                began: Instant::now(),
                is_recording: Atomic::new(false),
                is_odd: Atomic::new(false),
                tree: state.store.tree(),
                state <- new_mutex!(state),
                in_flight <- new_mutex!(InFlight::new(behaviour.completion)),
                spare <- new_mutex!(SparePages::new()),
            }),
            GFP_KERNEL,
        )
    }

    /// `NAME` or `NAME.VIEW`.
    pub(crate) fn name(&self) -> &CStr {
        &self.name
    }

    /// What it is like.
    pub(crate) fn geometry(&self) -> Geometry {
        self.geometry
    }

    /// The block devices that it is cut into; none if it is one.
    pub(crate) fn members(&self) -> &Members {
        &self.members
    }

    /// The crash state that it shows where it was not written to.
    pub(crate) fn below(&self) -> Option<&CrashState> {
        self.below.as_deref()
    }

    /// Drops all that was written to it and has it show what `point` changes below.
    /// Nobody may have it open. [`EBUSY`] if it has a record.
    pub(crate) fn clear(&self, point: impl FnOnce() -> Result) -> Result {
        let mut state = self.state.lock();
        if state.record.is_some() {
            return Err(EBUSY);
        }
        state.is_pointing = true;
        // What lies below has a lock of the same kind.
        drop(state);
        let pointed = point();

        let mut state = self.state.lock();
        state.is_pointing = false;
        if pointed.is_ok() {
            state.store.clear();
            // Every state meets the same faults.
            state.faults.rewind()?;
            state.update(self);
        }
        pointed
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
        io::earliest(own, below)
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

    /// Whether it completes bios before `submit_bio` returns.
    pub(crate) fn is_inline(&self) -> bool {
        self.completion.is_inline()
    }

    /// Since it was made.
    fn now_ns(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(0)
    }

    fn recording_hint(&self) -> bool {
        self.is_recording.load(Relaxed)
    }
}

const _: () = assert!(PAGE_SIZE == 4096);

// configfs asks for no such bounds of what it shares between threads; we do.
const _: fn() = || {
    fn is_shared<T: Send + Sync>() {}
    is_shared::<RecordedDisk>();
};
