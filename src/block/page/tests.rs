// SPDX-License-Identifier: GPL-2.0

//! KUnit tests of pages of memory.

use super::*;
use core::mem::ManuallyDrop;

/// Where a page may be on some machine, and on this one.
const ADDRESSES: [usize; 5] = [
    PAGE_SIZE,
    // User-mode Linux has its memory there: the upper half is 0.
    0x6000_0000,
    1 << 32,
    0xffff_8880_0123_4000,
    usize::MAX & !(PAGE_SIZE - 1),
];

/// The byte that each of the parts of a page consists of; [`None`] if they are not the same.
fn bytes<const N: usize>(page: &DataPage, parts: [Range<usize>; N]) -> Option<[u8; N]> {
    let mut data = [0; 64];
    let mut found = [0; N];
    for (range, found) in parts.into_iter().zip(&mut found) {
        let part = data.get_mut(..range.len())?;
        page.read(range.start, part);
        *found = *part.first()?;
        if part.iter().any(|byte| byte != found) {
            return None;
        }
    }
    Some(found)
}

#[kunit_tests(powercut_pages)]
mod suite {
    use super::*;

    #[test]
    fn a_page_keeps_all_of_its_address() -> Result {
        for number in ADDRESSES {
            let address = NonNull::new(core::ptr::without_provenance_mut(number)).ok_or(EINVAL)?;
            // It is neither used nor given up: it is no page.
            let page = ManuallyDrop::new(DataPage { address });
            assert!(page.address().addr() == number);
        }
        Ok(())
    }

    #[test]
    fn a_page_stays_until_its_last_clone_is_dropped() -> Result {
        let first = DataPage::new()?;
        first.write(0, &[7; 64]);
        let second = first.clone();
        let third = second.clone();
        drop(first);
        drop(second);
        // What is freed is found and overwritten by the next.
        let other = DataPage::new()?;
        other.write(0, &[9; 64]);
        assert!(bytes(&third, [0..32, 32..64]) == Some([7, 7]));
        Ok(())
    }

    #[test]
    fn copies_stay_within_the_page() -> Result {
        // Mostly neighbours.
        let mut spare = SparePages::new();
        let before = spare.take(false)?;
        let page = spare.take(false)?;
        let after = spare.take(false)?;
        let source = DataPage::new()?;
        for page in [&before, &page, &after] {
            for offset_bytes in (0..PAGE_SIZE).step_by(64) {
                page.write(offset_bytes, &[1; 64]);
            }
        }

        page.write(PAGE_SIZE - 16, &[2; 64]);
        assert!(bytes(&page, [4032..4080, 4080..4096]) == Some([1, 2]));
        page.zero(PAGE_SIZE - 8..PAGE_SIZE + 8);
        assert!(bytes(&page, [4080..4088, 4088..4096]) == Some([2, 0]));
        source.write(PAGE_SIZE - 4, &[3; 4]);
        source.copy_to(PAGE_SIZE - 4..2 * PAGE_SIZE, &page);
        assert!(bytes(&page, [4088..4092, 4092..4096]) == Some([0, 3]));
        page.write(PAGE_SIZE, &[4; 64]);
        page.write(usize::MAX, &[4; 64]);
        page.zero(PAGE_SIZE + 1..PAGE_SIZE + 2);
        // What lies outside is not read: the buffer stays as it is.
        let mut buffer = [5; 8];
        page.read(PAGE_SIZE - 4, &mut buffer);
        assert!(buffer == [3, 3, 3, 3, 5, 5, 5, 5]);

        for neighbour in [&before, &after] {
            assert!(bytes(neighbour, [0..64, 4032..4096]) == Some([1, 1]));
        }
        assert!(bytes(&page, [0..32, 32..64]) == Some([1, 1]));
        Ok(())
    }
}
