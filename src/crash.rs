// SPDX-License-Identifier: GPL-2.0

//! A crash state: a cut of a disk's record, and the pieces that survived it.
//!
//! Nothing is copied to make one. [`Selection`] is the state, checked by the model
//! when it is made; [`CrashState`] is its place below a crash-state disk, where it
//! can be exchanged for another.

mod reads;
#[cfg(CONFIG_BLK_DEV_POWERCUT_KUNIT_TEST)]
mod tests;

pub(crate) use reads::ReadSet;

use crate::{
    block::noio,
    disk::RecordedDisk,
    model::{
        self,
        Cut,
        History,
        Piece,
        Tear, //
    },
    record::Record,
    store::{
        SectorMask,
        Sink,
        Survival,
        PAGE_SECTORS, //
    },
    text::{
        fields,
        parse_u64, //
    }, //
};
use kernel::{
    fmt,
    new_mutex,
    prelude::*,
    rbtree::RBTree,
    sync::{
        Arc,
        Mutex, //
    }, //
};

/// Consecutive units of one write.
#[derive(Clone, Copy)]
struct Kept {
    /// The index of the write's log entry.
    entry: u32,
    /// Its submit event, as selections name it.
    submit: u64,
    first_unit: u64,
    last_unit: u64,
}

enum Survivors {
    All,
    /// In ascending order.
    Pieces(KVVec<Kept>),
}

/// A legal crash state of a record.
///
/// # Invariants
///
/// Each kept piece may be kept at the cut, by [`model::check_piece`].
pub(crate) struct Selection {
    cut: Cut,
    survivors: Survivors,
    /// The sectors that writes cost their neighbours, by page.
    lost: RBTree<u64, SectorMask>,
}

impl Selection {
    /// The base: what the disk held when the record began.
    fn base(record: &Record) -> Result<Self> {
        Ok(Self {
            cut: Cut::new(record, 0).map_err(|_| EINVAL)?,
            survivors: Survivors::Pieces(KVVec::new()),
            lost: RBTree::new(),
        })
    }

    /// Parses `cut=K keep=LIST` (docs/abi.md). [`EINVAL`] if it is malformed, or not a
    /// legal state of `record`.
    pub(crate) fn parse(text: &[u8], record: &Record) -> Result<Self> {
        let mut words = fields(text, b' ');
        let cut = words.next().and_then(|word| word.strip_prefix(b"cut="));
        let keep = words.next().and_then(|word| word.strip_prefix(b"keep="));
        let (Some(cut), Some(keep), None) = (cut, keep, words.next()) else {
            return Err(EINVAL);
        };

        let cut = Cut::new(record, parse_u64(cut)?).map_err(|_| EINVAL)?;
        let survivors = match keep {
            b"all" => Survivors::All,
            b"none" => Survivors::Pieces(KVVec::new()),
            list => Survivors::Pieces(parse_pieces(list, record, &cut)?),
        };
        let lost = match &survivors {
            Survivors::All => RBTree::new(),
            Survivors::Pieces(kept) => lost(kept, record, &cut)?,
        };
        // INVARIANT: `parse_pieces` has checked each piece; `All` names none, and
        // keeps what may be kept.
        Ok(Self {
            cut,
            survivors,
            lost,
        })
    }

    /// The event that the power was cut after.
    pub(crate) fn event(&self) -> u64 {
        self.cut.event
    }

    /// As the store asks for it.
    pub(crate) fn over<'a>(&'a self, record: &'a Record) -> Survived<'a> {
        Survived {
            selection: self,
            record,
        }
    }
}

/// A legal crash state, and the record that it is of.
pub(crate) struct Survived<'a> {
    selection: &'a Selection,
    record: &'a Record,
}

impl Survived<'_> {
    fn entry(&self, entry: u32) -> Option<model::Entry> {
        self.record.entry(entry as usize)
    }
}

impl Survival for Survived<'_> {
    fn unordered(&self) -> (u32, u32) {
        let window = self.selection.cut.window();
        let first = if self.record.has_overlaps() {
            window.start
        } else {
            // One after the other, they lie by index throughout.
            window.end
        };
        // No truncation: the log has no more entries than that.
        (first as u32, window.end as u32)
    }

    fn arrival(&self, entry: u32) -> u64 {
        let write = self.entry(entry);
        write.map_or(0, |write| self.selection.cut.arrival(&write))
    }

    fn shown(&self, entry: u32, page: u64, there: SectorMask) -> SectorMask {
        let cut = &self.selection.cut;
        let Some(write) = self.entry(entry) else {
            return SectorMask::EMPTY;
        };
        if cut.is_stable(&write) {
            return there;
        }
        if !cut.is_pending(&write) {
            return SectorMask::EMPTY;
        }
        match &self.selection.survivors {
            Survivors::All => there,
            Survivors::Pieces(kept) => {
                let unit_sectors = u64::from(cut.geometry().unit_sectors);
                let first = kept.partition_point(|kept| kept.entry < entry);
                kept.iter()
                    .skip(first)
                    .take_while(|kept| kept.entry == entry)
                    .map(|kept| {
                        let sector = kept.first_unit.saturating_mul(unit_sectors);
                        let end = kept
                            .last_unit
                            .saturating_add(1)
                            .saturating_mul(unit_sectors);
                        SectorMask::of_page(page, sector, end - sector)
                    })
                    .fold(SectorMask::EMPTY, SectorMask::or)
                    .and(there)
            }
        }
    }

    fn lost(&self, page: u64) -> SectorMask {
        let lost = self.selection.lost.get(&page);
        lost.copied().unwrap_or(SectorMask::EMPTY)
    }
}

/// Parses `WRITE:UNIT` and `WRITE:FIRST-LAST`, joined by commas.
fn parse_pieces(list: &[u8], record: &Record, cut: &Cut) -> Result<KVVec<Kept>> {
    let mut pieces: KVVec<Kept> = KVVec::new();
    let mut previous = None;
    for word in fields(list, b',') {
        let mut halves = fields(word, b':');
        let (Some(write), Some(range), None) = (halves.next(), halves.next(), halves.next()) else {
            return Err(EINVAL);
        };
        let mut ends = fields(range, b'-');
        let (Some(first), last, None) = (ends.next(), ends.next(), ends.next()) else {
            return Err(EINVAL);
        };
        let submit = parse_u64(write)?;
        let first_unit = parse_u64(first)?;
        let last_unit = last.map_or(Ok(first_unit), parse_u64)?;
        let entry = model::find_write(record, submit).map_err(|_| EINVAL)?;

        let units = first_unit..=last_unit;
        model::check_pieces(record, cut, entry, units, previous).map_err(|_| EINVAL)?;
        previous = Some(Piece {
            entry,
            unit: last_unit,
        });
        let kept = Kept {
            entry: u32::try_from(entry)?,
            submit,
            first_unit,
            last_unit,
        };
        pieces.push(kept, GFP_KERNEL)?;
    }
    Ok(pieces)
}

/// What the pieces that the writes do not touch stand for: units that these cost.
fn lost(kept: &[Kept], record: &Record, cut: &Cut) -> Result<RBTree<u64, SectorMask>> {
    let mut lost: RBTree<u64, SectorMask> = RBTree::new();
    let geometry = cut.geometry();
    if geometry.tear != Tear::Rmw {
        return Ok(lost);
    }
    let unit_sectors = u64::from(geometry.unit_sectors);
    for kept in kept {
        let entry = record.entry(kept.entry as usize).ok_or(EINVAL)?;
        for units in model::neighbours(geometry, &entry) {
            let first = kept.first_unit.max(units.start);
            let end = kept.last_unit.saturating_add(1).min(units.end);
            if first >= end {
                continue;
            }
            // A page, as a physical block is, so that they are all in one.
            let (sector, nr_sectors) = (first * unit_sectors, (end - first) * unit_sectors);
            let page = sector / PAGE_SECTORS as u64;
            let sectors = SectorMask::of_page(page, sector, nr_sectors);
            if let Some(all) = lost.get_mut(&page) {
                *all = all.or(sectors);
            } else {
                lost.try_create_and_insert(page, sectors, GFP_KERNEL)?;
            }
        }
    }
    Ok(lost)
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cut={} keep=", self.cut.event)?;
        match &self.survivors {
            Survivors::All => f.write_str("all"),
            Survivors::Pieces(kept) if kept.is_empty() => f.write_str("none"),
            Survivors::Pieces(kept) => {
                for (index, kept) in kept.iter().enumerate() {
                    let comma = if index == 0 { "" } else { "," };
                    write!(f, "{comma}{}:{}", kept.submit, kept.first_unit)?;
                    if kept.last_unit != kept.first_unit {
                        write!(f, "-{}", kept.last_unit)?;
                    }
                }
                Ok(())
            }
        }
    }
}

/// A crash state of a disk's record, as another disk shows it.
#[pin_data]
pub(crate) struct CrashState {
    origin: Viewed,
    #[pin]
    selection: Mutex<Arc<Selection>>,
    /// What was read of the record since `selection` was set.
    #[pin]
    reads: Mutex<ReadSet>,
}

impl CrashState {
    /// The base of the record of `origin`. [`ENODATA`] if that has none.
    pub(crate) fn new(origin: Arc<RecordedDisk>) -> Result<Pin<KBox<Self>>> {
        let origin = Viewed::new(origin)?;
        let base = origin.0.with_record(|record, _| Selection::base(record))?;
        let base = Arc::new(base, GFP_KERNEL)?;
        KBox::pin_init(
            try_pin_init!(Self {
                origin,
                selection <- new_mutex!(base),
                reads <- new_mutex!(ReadSet::new()),
            }),
            GFP_KERNEL,
        )
    }

    /// A state of the record. [`EINVAL`] if `text` is none.
    pub(crate) fn parse(&self, text: &[u8]) -> Result<Arc<Selection>> {
        let selection = self
            .origin
            .0
            .with_record(|record, _| Selection::parse(text, record))?;
        Ok(Arc::new(selection, GFP_KERNEL)?)
    }

    /// Points it at another state, of which nothing was read yet. Returns what to free.
    pub(crate) fn set(&self, selection: Arc<Selection>) -> impl Sized {
        let selection = core::mem::replace(&mut *self.selection.lock(), selection);
        let reads = core::mem::replace(&mut *self.reads.lock(), ReadSet::new());
        (selection, reads)
    }

    /// Points it at the state that `text` says, for tests.
    #[cfg(CONFIG_BLK_DEV_POWERCUT_KUNIT_TEST)]
    pub(crate) fn select(&self, text: &[u8]) -> Result {
        let _old = self.set(self.parse(text)?);
        Ok(())
    }

    /// Shows `f` what was read of it since it was pointed at its state.
    pub(crate) fn with_reads<R>(&self, f: impl FnOnce(&ReadSet) -> R) -> R {
        // Bios take this lock, too.
        noio(|| f(&self.reads.lock()))
    }

    /// The state it is pointed at.
    pub(crate) fn selection(&self) -> Arc<Selection> {
        self.selection.lock().clone()
    }

    /// Shows the sectors `wanted` of a page.
    pub(crate) fn read_page(&self, page: u64, wanted: SectorMask, to: &mut dyn Sink) {
        let selection = self.selection();
        if self.origin.0.read_crashed(&selection, page, wanted, to) {
            self.reads.lock().add(page, wanted);
        }
    }

    /// As [`Self::read_page`], for somebody whose reads are not asked for.
    pub(crate) fn peek_page(&self, page: u64, wanted: SectorMask, to: &mut dyn Sink) {
        let selection = self.selection();
        let _is_recorded = self.origin.0.read_crashed(&selection, page, wanted, to);
    }

    /// The first page at or after `page` that may hold anything but zeroes.
    pub(crate) fn next_written(&self, page: u64) -> Option<u64> {
        self.origin.0.next_written(page)
    }
}

/// A disk that has a crash-state disk on its record: the record stays meanwhile.
struct Viewed(Arc<RecordedDisk>);

impl Viewed {
    fn new(disk: Arc<RecordedDisk>) -> Result<Self> {
        disk.add_view()?;
        Ok(Self(disk))
    }
}

impl Drop for Viewed {
    fn drop(&mut self) {
        self.0.remove_view();
    }
}
