// SPDX-License-Identifier: GPL-2.0

//! Examples: each is part of the documentation of what it is about, and is run by KUnit.

mod disk;
mod lending;
mod noio;
mod page;
mod static_mutex;

use kernel::prelude::*;

#[kunit_tests(powercut_examples)]
mod suite {
    use super::*;

    #[test]
    fn a_disk() -> Result {
        let disk = disk::zeroes()?;
        // It goes as it came.
        drop(disk);
        Ok(())
    }

    #[test]
    fn what_is_lent() -> Result {
        assert!(lending::sum_of_the_first()? == 3);
        Ok(())
    }

    #[test]
    fn a_scope_without_io() {
        assert!(noio::page_for_a_bio().is_ok());
    }

    #[test]
    fn a_page() -> Result {
        assert!(page::greeting()? == *b"hello");
        Ok(())
    }

    #[test]
    fn a_static() -> Result {
        let first = static_mutex::next()?;
        assert!(static_mutex::next()? == first + 1);
        Ok(())
    }
}
