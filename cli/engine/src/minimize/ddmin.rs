// SPDX-License-Identifier: GPL-2.0

//! Delta debugging: from a set that fails to one of which nothing can be left out.

use anyhow::Result;

/// So many items need no trimming first.
const FEW: usize = 8;

/// What became of a reduction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reduced<T> {
    pub items: Vec<T>,
    /// Leaving out any single item was tried, and did not fail. If false, the
    /// trials ran out before.
    pub minimal: bool,
}

/// Reduces `items`, which fail, to some of them that fail and of which no single
/// one can be left out. `fails` tells of a subset; none: no more trials.
pub fn ddmin<T: Clone>(
    items: Vec<T>,
    mut fails: impl FnMut(&[T]) -> Result<Option<bool>>,
) -> Result<Reduced<T>> {
    let mut items = items;
    // Often nothing at all is needed.
    match fails(&[])? {
        None => return Ok(unfinished(items)),
        Some(true) => items.clear(),
        Some(false) => {}
    }
    if items.len() > FEW {
        let trimmed = trim(items, &mut fails)?;
        if !trimmed.minimal {
            return Ok(trimmed);
        }
        items = trimmed.items;
    }
    let mut parts = 2;
    while items.len() > 1 {
        parts = parts.min(items.len());
        let chunk = items.len().div_ceil(parts);
        let mut smaller = None;
        // One part alone; with two parts that is all but the other.
        for part in items.chunks(chunk) {
            match fails(part)? {
                None => return Ok(unfinished(items)),
                Some(true) => {
                    smaller = Some((part.to_vec(), 2));
                    break;
                }
                Some(false) => {}
            }
        }
        if smaller.is_none() && parts > 2 {
            for nr in 0..items.len().div_ceil(chunk) {
                let rest = without(&items, nr * chunk, chunk);
                match fails(&rest)? {
                    None => return Ok(unfinished(items)),
                    Some(true) => {
                        smaller = Some((rest, (parts - 1).max(2)));
                        break;
                    }
                    Some(false) => {}
                }
            }
        }
        match smaller {
            Some((fewer, next)) => (items, parts) = (fewer, next),
            None if parts >= items.len() => break,
            None => parts *= 2,
        }
    }
    Ok(Reduced {
        items,
        minimal: true,
    })
}

/// Takes away what is newest, then what is oldest, by halves: in a log that is
/// often nearly all there is to take away, and costs few trials.
fn trim<T: Clone>(
    items: Vec<T>,
    fails: &mut impl FnMut(&[T]) -> Result<Option<bool>>,
) -> Result<Reduced<T>> {
    let (mut short, mut end) = (0, items.len());
    while end - short > 1 {
        let middle = short + (end - short) / 2;
        match fails(&items[..middle])? {
            None => return Ok(unfinished(items[..end].to_vec())),
            Some(true) => end = middle,
            Some(false) => short = middle,
        }
    }
    let (mut start, mut late) = (0, end);
    while late - start > 1 {
        let middle = start + (late - start) / 2;
        match fails(&items[middle..end])? {
            None => return Ok(unfinished(items[start..end].to_vec())),
            Some(true) => start = middle,
            Some(false) => late = middle,
        }
    }
    Ok(Reduced {
        items: items[start..end].to_vec(),
        minimal: true,
    })
}

fn unfinished<T>(items: Vec<T>) -> Reduced<T> {
    Reduced {
        items,
        minimal: false,
    }
}

fn without<T: Clone>(items: &[T], from: usize, len: usize) -> Vec<T> {
    let end = (from + len).min(items.len());
    [&items[..from], &items[end..]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn reduce(n: usize, fails: impl Fn(&[usize]) -> bool) -> Vec<usize> {
        let reduced = ddmin((0..n).collect(), |set| Ok(Some(fails(set)))).unwrap();
        assert!(reduced.minimal);
        reduced.items
    }

    #[test]
    fn what_is_needed_remains() {
        assert_eq!(reduce(50, |set| set.contains(&17)), [17]);
        let both = |set: &[usize]| set.contains(&3) && set.contains(&40);
        assert_eq!(reduce(50, both), [3, 40]);
        assert!(reduce(50, |_| true).is_empty());
        assert_eq!(reduce(1, |set| !set.is_empty()), [0]);
        assert_eq!(reduce(3, |set| set.len() == 3), [0, 1, 2]);
    }

    #[test]
    fn trials_that_run_out_are_said() {
        let mut left = 5;
        let reduced = ddmin((0..64).collect(), |set: &[usize]| {
            left -= 1;
            Ok((left >= 0).then(|| set.contains(&1) && set.contains(&63)))
        });
        let reduced = reduced.unwrap();
        assert!(!reduced.minimal);
        assert!(reduced.items.contains(&1) && reduced.items.contains(&63));
    }

    proptest! {
        /// Whatever fails, even without rhyme or reason.
        #[test]
        fn nothing_can_be_left_out(n in 1usize..14, seed: u64) {
            let fails = |set: &[usize]| {
                let bits: u64 = set.iter().map(|i| 1 << i).sum();
                set.len() == n || (bits ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 61 == 0
            };
            let items = reduce(n, fails);
            prop_assert!(fails(&items));
            for nr in 0..items.len() {
                prop_assert!(!fails(&without(&items, nr, 1)));
            }
        }
    }
}
