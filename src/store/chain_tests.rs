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
    let mut chain = Chain::new(if has_base {
        layer(100)?
    } else {
        Layer::NOTHING
    });
    for n in 0..nr_versions {
        let layer = layer(n)?;
        let entry = u32::from(n) * 10;
        chain.reserve(NoWait(false))?;
        chain.push(Version { entry, layer })?;
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
    fn there_is_room_for_what_was_reserved_and_no_more() -> Result {
        for nr_versions in 0..9 {
            let mut chain = chain(true, nr_versions)?;
            chain.reserve(NoWait(false))?;
            assert!(is_whole(&chain, true, nr_versions));
            let version = Version {
                entry: u32::from(nr_versions) * 10,
                layer: layer(nr_versions)?,
            };
            chain.push(version)?;
            assert!(is_whole(&chain, true, nr_versions + 1));
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
    fn versions_come_to_all_pages_or_to_none() -> Result {
        let mut store = Store::new()?;
        let last = tree::LEAF_PAGES - 1;
        store.write(last, SectorMask::FULL, false, &filled(100)?)?;
        let push = |store: &mut Store, entry, byte, nowait| {
            let layers = [layer(byte)?, layer(byte)?, layer(byte)?];
            store.push_versions(entry, last..last + 3, layers.into_iter(), nowait)
        };
        let look = |store: &Store, page| {
            let mut to = filled(tests::NONE)?;
            let rest = store.read(page, SectorMask::FULL, &mut to);
            Ok::<_, Error>(rest.is_empty().then_some(shown(&to)[0]))
        };
        // Of two leaves, who may not wait gets none.
        assert!(push(&mut store, 0, 1, NoWait(true)) == Err(EAGAIN));
        for (page, expected) in [(last, Some(100)), (last + 1, None), (last + 2, None)] {
            assert!(look(&store, page)? == expected);
        }
        push(&mut store, 0, 2, NoWait(false))?;
        for page in last..last + 3 {
            assert!(look(&store, page)? == Some(2));
            assert!(store.version(page, 0).is_some());
        }
        Ok(())
    }
}
