// SPDX-License-Identifier: GPL-2.0

//! KUnit tests of a page's chain, as it grows and shrinks.

use super::{
    chain::Chain,
    tests::{
        filled,
        shown, //
    },
    *, //
};

/// All sectors of one byte.
fn layer(byte: u8) -> Result<Layer> {
    Ok(Layer::data(SectorMask::FULL, filled(byte)?))
}

/// A base of 100, or none, and versions from entries 0, 10, 20.., each of its own byte.
fn chain(has_base: bool, nr_versions: u8) -> Result<Chain> {
    let mut chain = Chain::new(match has_base {
        true => layer(100)?,
        false => Layer::NOTHING,
    });
    for n in 0..nr_versions {
        let layer = layer(n)?;
        let entry = u32::from(n) * 10;
        chain.push(Version { entry, layer }, Patience::Wait)?;
    }
    Ok(chain)
}

fn byte(layer: &Layer) -> Option<u8> {
    layer.page().map(shown).map(|shown| shown[0])
}

/// Whether a chain has a base, or not, and that many versions, in order.
fn is_whole(chain: &Chain, has_base: bool, nr_versions: u8) -> bool {
    let versions = chain.versions().iter().enumerate();
    let mut versions = versions.map(|(n, version)| (n * 10, n, version));
    chain.base().and_then(byte) == has_base.then_some(100)
        && chain.versions().len() == usize::from(nr_versions)
        && versions.all(|(entry, n, version)| {
            version.entry as usize == entry && byte(&version.layer) == u8::try_from(n).ok()
        })
}

#[kunit_tests(powercut_chain)]
mod suite {
    use super::*;

    #[test]
    fn versions_add_up_on_a_base() -> Result {
        for has_base in [true, false] {
            for nr_versions in 0..9 {
                let chain = chain(has_base, nr_versions)?;
                assert!(is_whole(&chain, has_base, nr_versions));
                assert!(chain.before(0) == 0);
                assert!(chain.before(11) == usize::from(nr_versions.min(2)));
                let newest = nr_versions.checked_sub(1).or(has_base.then_some(100));
                assert!(byte(&chain.into_merged()) == newest);
            }
        }
        Ok(())
    }

    #[test]
    fn only_the_newest_version_is_taken_back() -> Result {
        for has_base in [true, false] {
            for nr_versions in 0..6 {
                let mut chain = chain(has_base, nr_versions)?;
                chain.take_back(7);
                assert!(is_whole(&chain, has_base, nr_versions));
                for left in (0..nr_versions).rev() {
                    chain.take_back(u32::from(left) * 10);
                    assert!(is_whole(&chain, has_base, left));
                }
                chain.take_back(0);
                assert!(is_whole(&chain, has_base, 0));
            }
        }
        Ok(())
    }

    #[test]
    fn what_is_live_is_no_version() -> Result {
        for has_base in [true, false] {
            for nr_versions in 0..5 {
                let mut chain = chain(has_base, nr_versions)?;
                for value in [50, 51] {
                    chain.live()?.write(SectorMask::FULL, &filled(value)?)?;
                    assert!(is_whole(&chain, has_base, nr_versions));
                    assert!(chain.layers().next().and_then(byte) == Some(value));
                }
                let base = chain.into_base();
                assert!(byte(&base) == has_base.then_some(100));
            }
        }
        Ok(())
    }

    #[test]
    fn a_write_that_is_not_logged_leaves_nothing() -> Result {
        let mut store = Store::new()?;
        store.write(63, SectorMask::FULL, false, &filled(100)?)?;
        // In two leaves; page 64 holds nothing, 65 has a version.
        store.push_versions(0, core::iter::once((65, layer(1)?)), Patience::Wait)?;
        let layers = [(63, layer(2)?), (64, layer(2)?), (65, layer(2)?)];
        store.push_versions(1, layers.into_iter(), Patience::Wait)?;
        store.take_back(1, 63..66);
        for (page, expected) in [(63, Some(100)), (64, None), (65, Some(1))] {
            let mut to = filled(tests::NONE)?;
            let rest = store.read(page, SectorMask::FULL, &mut to);
            let found = rest.is_empty().then_some(shown(&to)[0]);
            assert!(found == expected);
        }
        Ok(())
    }
}
