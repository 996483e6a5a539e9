// SPDX-License-Identifier: GPL-2.0

//! KUnit tests of the store, and what other suites look at pages with.

use super::*;
use core::cell::Cell;
use core::ops::Range;

/// What a sector reads as that the store does not have.
pub(crate) const NONE: u8 = 0xee;

/// A page of one byte.
pub(crate) fn filled(byte: u8) -> Result<DataPage> {
    let page = DataPage::new()?;
    for sector in 0..PAGE_SECTORS {
        page.write(sector * SECTOR_SIZE, &[byte; SECTOR_SIZE]);
    }
    Ok(page)
}

/// The byte that each sector of a page consists of; 255 if it is of several.
pub(crate) fn shown(page: &DataPage) -> [u8; PAGE_SECTORS] {
    let mut bytes = [u8::MAX; PAGE_SECTORS];
    for (index, byte) in bytes.iter_mut().enumerate() {
        let mut sector = [0; SECTOR_SIZE];
        page.read(index * SECTOR_SIZE, &mut sector);
        match sector.first() {
            Some(first) if sector.iter().all(|other| other == first) => *byte = *first,
            _ => (),
        }
    }
    bytes
}

pub(super) fn mask(range: Range<usize>) -> SectorMask {
    SectorMask::from_range(range)
}

/// A layer of one byte.
pub(super) fn layer(range: Range<usize>, byte: u8) -> Result<Layer> {
    Ok(Layer::data(mask(range), filled(byte)?))
}

/// What a store shows of a page now.
pub(super) fn now(store: &Store, page: u64) -> Result<[u8; PAGE_SECTORS]> {
    let mut to = filled(NONE)?;
    let _rest = store.read(page, SectorMask::FULL, &mut to);
    Ok(shown(&to))
}

/// What a store shows of a page after a crash that only some entries survived.
fn crashed(store: &Store, page: u64, end: u32, kept: &[u32]) -> Result<[u8; PAGE_SECTORS]> {
    let mut to = filled(NONE)?;
    let kept = Kept {
        end,
        entries: kept,
        late: None,
    };
    let _rest = store.read_crashed(page, SectorMask::FULL, &kept, &mut to);
    Ok(shown(&to))
}

/// A crash that only some entries survived.
struct Kept<'a> {
    end: u32,
    entries: &'a [u32],
    /// This one took its place last of all.
    late: Option<u32>,
}

impl Survival for Kept<'_> {
    fn unordered(&self) -> (u32, u32) {
        let first = self.late.map_or(self.end, |_| 0);
        (first, self.end)
    }

    fn arrival(&self, entry: u32) -> u64 {
        match self.late {
            Some(late) if late == entry => u64::MAX,
            _ => entry.into(),
        }
    }

    fn shown(&self, entry: u32, _page: u64, there: SectorMask) -> SectorMask {
        if self.entries.contains(&entry) {
            there
        } else {
            SectorMask::EMPTY
        }
    }

    fn lost(&self, _page: u64) -> SectorMask {
        SectorMask::EMPTY
    }
}

/// A crash that no entry survived, and how often it was asked whether one did.
struct Counted {
    nr_versions: u32,
    nr_asked: Cell<u32>,
}

impl Survival for Counted {
    fn unordered(&self) -> (u32, u32) {
        (0, self.nr_versions)
    }

    fn arrival(&self, entry: u32) -> u64 {
        entry.into()
    }

    fn shown(&self, entry: u32, _page: u64, there: SectorMask) -> SectorMask {
        self.nr_asked.set(self.nr_asked.get() + 1);
        // The first one shows what is left.
        if entry == 0 {
            there
        } else {
            SectorMask::EMPTY
        }
    }

    fn lost(&self, _page: u64) -> SectorMask {
        SectorMask::EMPTY
    }
}

/// Adds a version to a page.
pub(super) fn push(store: &mut Store, page: u64, entry: u32, layer: Layer) -> Result {
    store.push_versions(
        entry,
        page..page + 1,
        core::iter::once(layer),
        NoWait(false),
    )
}

/// Page 3: a base in sectors 0 to 5, then versions 0 (1 to 2), 4 (2 to 4), and 9 (all).
fn chain() -> Result<Store> {
    let mut store = Store::new()?;
    store.write(3, mask(0..6), false, &filled(1)?)?;
    push(&mut store, 3, 0, layer(1..3, 2)?)?;
    push(&mut store, 3, 4, layer(2..5, 3)?)?;
    push(&mut store, 3, 9, Layer::zeroes(SectorMask::FULL))?;
    Ok(store)
}

/// Sectors and their byte.
type Part = (Range<usize>, u8);

/// Two layers, and what the one on the other shows: `(sectors, byte)`, newer first; the
/// byte 0 stands for a layer of zeroes.
const MERGES: &[(Part, Part, [u8; PAGE_SECTORS])] = &[
    ((0..8, 1), (0..8, 2), [1; 8]),
    ((0..0, 1), (0..8, 2), [2; 8]),
    ((2..4, 1), (0..8, 2), [2, 2, 1, 1, 2, 2, 2, 2]),
    (
        (2..4, 1),
        (3..5, 2),
        [NONE, NONE, 1, 1, 2, NONE, NONE, NONE],
    ),
    (
        (2..4, 0),
        (3..5, 2),
        [NONE, NONE, 0, 0, 2, NONE, NONE, NONE],
    ),
    (
        (2..4, 1),
        (3..5, 0),
        [NONE, NONE, 1, 1, 0, NONE, NONE, NONE],
    ),
    (
        (2..4, 0),
        (3..5, 0),
        [NONE, NONE, 0, 0, 0, NONE, NONE, NONE],
    ),
    ((0..8, 0), (3..5, 2), [0; 8]),
    (
        (7..8, 0),
        (0..1, 2),
        [2, NONE, NONE, NONE, NONE, NONE, NONE, 0],
    ),
];

fn layer_or_zeroes((range, byte): &Part) -> Result<Layer> {
    match *byte {
        0 => Ok(Layer::zeroes(mask(range.clone()))),
        byte => layer(range.clone(), byte),
    }
}

fn merged(newer: &Part, older: &Part) -> Result<[u8; PAGE_SECTORS]> {
    let merged = layer_or_zeroes(newer)?.merge(layer_or_zeroes(older)?);
    let mut to = filled(NONE)?;
    let _found = merged.read(SectorMask::FULL, &mut to);
    Ok(shown(&to))
}

/// The pages that a walk over a store comes to.
pub(super) fn walk(store: &Store) -> Result<KVVec<u64>> {
    let mut pages = KVVec::new();
    let mut from = 0;
    while let Some(page) = store.next_written(from) {
        pages.push(page, GFP_KERNEL)?;
        from = page + 1;
    }
    Ok(pages)
}

// The tests' entry points from C are made by the macro; this is not for anything else.
#[allow(unsafe_code)]
#[kunit_tests(powercut_store)]
mod suite {
    use super::*;

    #[test]
    fn a_late_version_lies_above_newer_ones() -> Result {
        let store = chain()?;
        let shown_with = |late, entries| -> Result<[u8; PAGE_SECTORS]> {
            let kept = Kept {
                end: 10,
                entries,
                late,
            };
            let mut to = filled(NONE)?;
            let _rest = store.read_crashed(3, SectorMask::FULL, &kept, &mut to);
            Ok(shown(&to))
        };
        let n = NONE;
        for (late, entries, shown) in [
            (None, &[0, 4][..], [1, 2, 3, 3, 3, 1, n, n]),
            (Some(0), &[0, 4], [1, 2, 2, 3, 3, 1, n, n]),
            (Some(4), &[0, 4], [1, 2, 3, 3, 3, 1, n, n]),
            (Some(0), &[4], [1, 1, 3, 3, 3, 1, n, n]),
            (Some(4), &[0, 4, 9], [0, 0, 3, 3, 3, 0, 0, 0]),
        ] {
            assert!(shown_with(late, entries)? == shown);
        }
        Ok(())
    }

    #[test]
    fn a_crash_can_become_the_only_content() -> Result {
        let mut store = chain()?;
        let kept = Kept {
            end: 9,
            entries: &[4],
            late: None,
        };
        let _content = store.survive(&kept)?;
        let n = NONE;
        assert!(now(&store, 3)? == [1, 1, 3, 3, 3, 1, n, n]);
        assert!(!store.is_chained(3));
        Ok(())
    }

    #[test]
    fn masks_hold_the_sectors_of_one_page() {
        assert!(mask(0..8) == SectorMask::FULL);
        assert!(mask(0..9) == SectorMask::FULL);
        assert!(mask(3..3).is_empty());
        assert!(SectorMask::of_page(2, 16, 8) == SectorMask::FULL);
        assert!(SectorMask::of_page(2, 0, 1 << 40) == SectorMask::FULL);
        assert!(SectorMask::of_page(2, 0, u64::MAX) == SectorMask::FULL);
        assert!(SectorMask::of_page(2, 15, 2) == mask(0..1));
        assert!(SectorMask::of_page(2, 23, 2) == mask(7..8));
        assert!(SectorMask::of_page(2, 24, 8).is_empty());
        assert!(SectorMask::of_page(2, 8, 8).is_empty());
        assert!(SectorMask::of_page(2, 16, 0).is_empty());
        assert!(SectorMask::of_page(u64::MAX / 8, u64::MAX, 1).is_empty());
        assert!(mask(0..4).or(mask(2..6)) == mask(0..6));
        assert!(mask(0..4).and(mask(2..6)) == mask(2..4));
        assert!(mask(0..4).without(mask(2..6)) == mask(0..2));
        assert!(mask(0..4).contains(mask(1..3)));
        assert!(!mask(0..4).contains(mask(1..5)));
    }

    #[test]
    fn masks_fall_into_runs() {
        assert!(SectorMask::FULL.runs().eq(core::iter::once(0..4096)));
        assert!(SectorMask::EMPTY.runs().next().is_none());
        assert!(mask(7..8).runs().eq(core::iter::once(3584..4096)));
        let holes = mask(0..1).or(mask(2..4)).or(mask(6..8));
        assert!(holes.runs().eq([0..512, 1024..2048, 3072..4096]));
    }

    #[test]
    fn pages_of_a_range_of_sectors() {
        assert!(pages(0, 8) == (0..1));
        assert!(pages(7, 2) == (0..2));
        assert!(pages(8, 0).is_empty());
        assert!(pages(u64::MAX, 1).end >= pages(u64::MAX, 1).start);
    }

    #[test]
    fn merging_shows_the_newer_on_the_older() -> Result {
        for (newer, older, expected) in MERGES {
            assert!(merged(newer, older)? == *expected);
        }
        Ok(())
    }

    #[test]
    fn layers_are_written_in_place() -> Result {
        let mut store = Store::new()?;
        assert!(now(&store, 3)? == [NONE; 8]);

        store.write(3, mask(2..4), false, &filled(1)?)?;
        store.write(3, mask(3..5), false, &filled(2)?)?;
        assert!(now(&store, 3)? == [NONE, NONE, 1, 2, 2, NONE, NONE, NONE]);
        store.write_zeroes(3, mask(0..3), false, false)?;
        assert!(now(&store, 3)? == [0, 0, 0, 2, 2, NONE, NONE, NONE]);
        store.write_zeroes(3, mask(3..5), false, false)?;
        assert!(now(&store, 3)? == [0, 0, 0, 0, 0, NONE, NONE, NONE]);
        Ok(())
    }

    #[test]
    fn zeroes_at_the_bottom_take_no_memory() -> Result {
        let mut store = Store::new()?;
        store.write_zeroes(3, SectorMask::FULL, false, true)?;
        assert!(store.next_written(0).is_none());

        store.write(3, SectorMask::FULL, false, &filled(1)?)?;
        store.write_zeroes(3, mask(0..4), false, true)?;
        assert!(now(&store, 3)? == [0, 0, 0, 0, 1, 1, 1, 1]);
        store.write_zeroes(3, SectorMask::FULL, false, true)?;
        assert!(store.next_written(0).is_none());

        // Above another disk, they hide what shines through.
        store.write_zeroes(3, mask(0..1), false, false)?;
        assert!(store.next_written(0) == Some(3));
        Ok(())
    }

    #[test]
    fn chains_show_the_newest_version() -> Result {
        let store = chain()?;
        assert!(now(&store, 3)? == [0; 8]);
        assert!(store
            .version(3, 4)
            .is_some_and(|layer| layer.valid() == mask(2..5)));
        assert!(store.version(3, 5).is_none());
        assert!(store.version(2, 4).is_none());
        assert!(store
            .base(3)
            .is_some_and(|layer| layer.valid() == mask(0..6)));
        assert!(store.base(2).is_none());
        Ok(())
    }

    #[test]
    fn crashes_show_what_survived() -> Result {
        let store = chain()?;
        let base = [1, 1, 1, 1, 1, 1, NONE, NONE];

        assert!(crashed(&store, 3, 0, &[0, 4, 9])? == base);
        assert!(crashed(&store, 3, 10, &[])? == base);
        assert!(crashed(&store, 3, 10, &[0])? == [1, 2, 2, 1, 1, 1, NONE, NONE]);
        assert!(crashed(&store, 3, 10, &[4])? == [1, 1, 3, 3, 3, 1, NONE, NONE]);
        assert!(crashed(&store, 3, 10, &[0, 4])? == [1, 2, 3, 3, 3, 1, NONE, NONE]);
        assert!(crashed(&store, 3, 9, &[0, 4, 9])? == [1, 2, 3, 3, 3, 1, NONE, NONE]);
        assert!(crashed(&store, 3, 4, &[0, 4, 9])? == [1, 2, 2, 1, 1, 1, NONE, NONE]);
        assert!(crashed(&store, 3, 10, &[0, 4, 9])? == [0; 8]);
        assert!(crashed(&store, 2, 10, &[0])? == [NONE; 8]);
        Ok(())
    }

    #[test]
    fn reset_returns_the_base() -> Result {
        let mut store = chain()?;
        push(&mut store, 5, 10, layer(0..8, 7)?)?;
        store.reset();
        assert!(now(&store, 3)? == [1, 1, 1, 1, 1, 1, NONE, NONE]);
        assert!(now(&store, 5)? == [NONE; 8]);
        assert!(walk(&store)?.as_slice() == [3]);
        Ok(())
    }

    #[test]
    fn settling_keeps_what_is_there() -> Result {
        let mut store = Store::new()?;
        store.write(3, mask(0..6), false, &filled(1)?)?;
        push(&mut store, 3, 0, layer(1..3, 2)?)?;
        push(&mut store, 3, 1, Layer::zeroes(mask(2..4)))?;
        push(&mut store, 4, 2, layer(7..8, 3)?)?;
        store.settle();
        assert!(now(&store, 3)? == [1, 2, 0, 0, 1, 1, NONE, NONE]);
        assert!(now(&store, 4)? == [NONE, NONE, NONE, NONE, NONE, NONE, NONE, 3]);
        // That is the next record's base.
        assert!(crashed(&store, 3, 10, &[])? == [1, 2, 0, 0, 1, 1, NONE, NONE]);
        store.reset();
        assert!(now(&store, 3)? == [1, 2, 0, 0, 1, 1, NONE, NONE]);
        Ok(())
    }

    #[test]
    fn a_stopped_record_is_not_written_to() -> Result {
        let mut store = chain()?;
        store.write(3, mask(5..7), true, &filled(7)?)?;
        store.write(8, mask(0..8), true, &filled(8)?)?;
        store.write_zeroes(3, mask(6..8), true, true)?;
        assert!(now(&store, 3)? == [0, 0, 0, 0, 0, 7, 0, 0]);
        assert!(now(&store, 8)? == [8; 8]);
        assert!(crashed(&store, 3, 10, &[0])? == [1, 2, 2, 1, 1, 1, NONE, NONE]);
        assert!(crashed(&store, 8, 10, &[0])? == [NONE; 8]);
        store.reset();
        assert!(now(&store, 3)? == [1, 1, 1, 1, 1, 1, NONE, NONE]);
        assert!(now(&store, 8)? == [NONE; 8]);
        Ok(())
    }

    #[test]
    fn clearing_and_replacing_leave_nothing_behind() -> Result {
        let mut store = chain()?;
        store.write(1 << 30, mask(0..1), false, &filled(1)?)?;
        store.clear();
        assert!(walk(&store)?.is_empty());
        store.reset();

        store.write(9, SectorMask::FULL, false, &filled(9)?)?;
        store.replace(chain()?)?;
        assert!(walk(&store)?.as_slice() == [3]);
        assert!(crashed(&store, 3, 10, &[0])? == [1, 2, 2, 1, 1, 1, NONE, NONE]);
        store.reset();
        assert!(now(&store, 3)? == [1, 1, 1, 1, 1, 1, NONE, NONE]);
        Ok(())
    }

    #[test]
    fn versions_that_overlapped_are_gone_through_once_for_each_sector() -> Result {
        const NR_VERSIONS: u32 = 2000;
        let mut store = Store::new()?;
        for entry in 0..NR_VERSIONS {
            push(&mut store, 3, entry, layer(0..8, 1)?)?;
        }
        let counted = Counted {
            nr_versions: NR_VERSIONS,
            nr_asked: Cell::new(0),
        };
        let mut to = filled(NONE)?;
        let rest = store.read_crashed(3, SectorMask::FULL, &counted, &mut to);
        assert!(rest.is_empty() && shown(&to) == [1; PAGE_SECTORS]);
        assert!(counted.nr_asked.get() <= NR_VERSIONS * (PAGE_SECTORS as u32 + 1));
        Ok(())
    }

    #[test]
    fn pages_taken_over_go_where_nothing_was() -> Result {
        let mut store = Store::new()?;
        store.put(3, mask(2..4), false, filled(1)?)?;
        assert!(now(&store, 3)? == [NONE, NONE, 1, 1, NONE, NONE, NONE, NONE]);
        store.put(3, mask(3..6), false, filled(2)?)?;
        assert!(now(&store, 3)? == [NONE, NONE, 1, 2, 2, 2, NONE, NONE]);
        store.put(3, mask(5..7), true, filled(3)?)?;
        assert!(now(&store, 3)? == [NONE, NONE, 1, 2, 2, 3, 3, NONE]);
        store.reset();
        assert!(now(&store, 3)? == [NONE, NONE, 1, 2, 2, 2, NONE, NONE]);
        assert!(store.put(1 << 40, mask(0..1), false, filled(1)?).is_err());
        Ok(())
    }
}
