// SPDX-License-Identifier: GPL-2.0

//! What finds most, first: design.md section 5's order.

use super::simple::{all_but_last, drop_one, ends, keep_one, kinds, marks};
use super::{Random, Space, State};

/// Breadth first: every cut gets its extremes before any gets its details.
pub fn states<'s, 'r: 's>(space: &'s Space<'r>, seed: u64) -> impl Iterator<Item = State<'r>> + 's {
    let cuts = space.heaviest_first();
    ends(space, cuts.clone())
        .chain(marks(space, cuts.clone()))
        .chain(drop_one(space, cuts.clone()))
        .chain(keep_one(space, cuts.clone()))
        .chain(all_but_last(space, cuts.clone()))
        .chain(kinds(space, cuts))
        .chain(Random::new(space, seed))
}
