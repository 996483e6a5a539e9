// SPDX-License-Identifier: GPL-2.0

//! KUnit tests of the table of pages: how they are found, and lent.

use super::{
    tests::{
        filled,
        layer,
        mask,
        now,
        push,
        shown,
        walk,
        NONE, //
    },
    tree::new_leaf,
    *, //
};

// The tests' entry points from C are made by the macro; this is not for anything else.
#[allow(unsafe_code)]
#[kunit_tests(powercut_tree)]
mod suite {
    use super::*;

    #[test]
    fn walks_find_every_written_page_across_leaves() -> Result {
        let written = [
            0,
            1,
            LEAF_PAGES - 1,
            LEAF_PAGES,
            5 * LEAF_PAGES + 7,
            1 << 32,
        ];
        let mut store = Store::new()?;
        assert!(walk(&store)?.is_empty());
        for page in written {
            store.write(page, mask(0..1), false, &filled(1)?)?;
        }
        assert!(walk(&store)?.as_slice() == written);
        assert!(store.next_written(2) == Some(LEAF_PAGES - 1));
        assert!(store.next_written((1 << 32) + 1).is_none());
        assert!(store.next_written(u64::MAX).is_none());
        Ok(())
    }

    #[test]
    fn pages_that_are_there_are_written_in_place_while_that_is_open() -> Result {
        let mut store = Store::new()?;
        let tree = store.tree();
        store.write(3, SectorMask::FULL, false, &filled(1)?)?;
        store.write(4, mask(2..5), false, &filled(1)?)?;
        store.write_zeroes(5, SectorMask::FULL, false, false)?;
        let can_write = |page, range| tree.writer(page, mask(range), true).is_some();
        assert!(!can_write(3, 0..8));

        store.open();
        if let Some(page) = tree.writer(3, mask(0..2), true) {
            filled(2)?.copy_to(0..1024, &page);
        }
        assert!(now(&store, 3)? == [2, 2, 1, 1, 1, 1, 1, 1]);
        assert!(can_write(4, 2..5) && can_write(4, 3..4));
        // A sector that is not there, zeroes without a page, an empty page, no leaf.
        assert!(!can_write(4, 1..3) && !can_write(4, 4..6));
        assert!(!can_write(5, 0..8) && !can_write(6, 0..1) && !can_write(1 << 20, 0..1));

        store.close();
        assert!(!can_write(3, 0..8));
        store.open();
        push(&mut store, 3, 0, layer(1..3, 2)?)?;
        assert!(!can_write(3, 0..8));
        Ok(())
    }

    #[test]
    fn readers_take_pages_that_show_all() -> Result {
        let mut store = Store::new()?;
        let tree = store.tree();
        let page = |page, range| matches!(tree.reader(page, mask(range), true), Found::Page(_));
        let nothing = |page| matches!(tree.reader(page, mask(0..1), true), Found::Nothing);
        store.write(3, mask(2..5), false, &filled(1)?)?;
        assert!(page(3, 2..5) && !page(3, 1..3) && !nothing(3));
        assert!(nothing(4) && nothing(1 << 20));
        push(&mut store, 3, 0, layer(3..4, 2)?)?;
        assert!(!page(3, 2..5) && !nothing(3));
        Ok(())
    }

    #[test]
    fn a_page_that_is_lent_keeps_its_leaf_as_it_is() -> Result {
        let mut store = Store::new()?;
        let tree = store.tree();
        store.write(3, SectorMask::FULL, false, &filled(1)?)?;
        store.open();
        let writer = tree.writer(3, SectorMask::FULL, true).ok_or(EINVAL)?;
        let Found::Page(reader) = tree.reader(3, mask(0..1), true) else {
            return Err(EINVAL);
        };
        assert!(tree.nr_lent() == 2);
        // Others read and write that page, too, but who would have to change what is where
        // has to wait: in another leaf that can be done.
        assert!(tree.writer(3, SectorMask::FULL, false).is_some());
        assert!(store.try_put(4, SectorMask::FULL, filled(3)?) == Err(EAGAIN));
        store.write(LEAF_PAGES, SectorMask::FULL, false, &filled(3)?)?;
        filled(2)?.copy_to(0..4096, &writer);
        assert!(now(&store, 3)? == [2; 8] && shown(&reader) == [2; 8]);
        drop(writer);
        assert!(store.try_put(4, SectorMask::FULL, filled(3)?) == Err(EAGAIN));
        drop(reader);
        assert!(tree.nr_lent() == 0);
        assert!(now(&store, 4)? == [NONE; 8]);
        store.try_put(4, SectorMask::FULL, filled(3)?)?;
        assert!(now(&store, 4)? == [3; 8]);
        store.close();
        Ok(())
    }

    #[test]
    fn a_slot_takes_no_more_than_two_versions() {
        assert!(size_of::<Slot>() == 2 * size_of::<Version>());
        assert!(LEAF_PAGES == 126);
    }

    #[test]
    fn locks_that_may_not_wait() -> Result {
        let leaf = new_leaf(NoWait(false))?;
        let locked = leaf.lock();
        assert!(leaf.lock_if(false).is_none() && leaf.lock_mut_if(false).is_none());
        // Nothing to lend: that lets go of it.
        assert!(locked
            .lend(|pages| pages.slot(0)?.whole(SectorMask::FULL))
            .is_none());
        assert!(leaf.lock_if(false).is_some() && leaf.lock_mut_if(false).is_some());
        assert!(leaf.nr_loans() == 0);
        Ok(())
    }

    #[test]
    fn ending_a_record_finds_its_chains_in_all_leaves() -> Result {
        let mut store = Store::new()?;
        let pages = [0, 7, LEAF_PAGES - 1, 3 * LEAF_PAGES, 1 << 32];
        for round in 0..3 {
            // Of the second record nothing is left, of the others the end.
            for (entry, page) in (0..).zip(pages) {
                push(&mut store, page, entry, layer(0..8, round)?)?;
                push(&mut store, page, entry + 10, layer(0..4, round + 10)?)?;
            }
            assert!(pages.iter().all(|page| store.is_chained(*page)));
            match round {
                1 => store.reset(),
                _ => store.settle(),
            }
            assert!(pages.iter().all(|page| !store.is_chained(*page)));
            let [upper, lower] = [[10, 0], [10, 0], [12, 2]][usize::from(round)];
            let expected = [upper, upper, upper, upper, lower, lower, lower, lower];
            for page in pages {
                assert!(now(&store, page)? == expected);
            }
        }
        Ok(())
    }
}
