// SPDX-License-Identifier: GPL-2.0

//! Looks at a store after a power failure, and at what was promised before it.

use std::io::Write;
use std::process::exit;

use crate::transaction::{COUNT, NEWEST, keys, number, pairs, value};
use crate::verdict::{self, BACK, CLOSED, CORRUPT, LOST, PARTIAL, STUCK, violation};
use crate::{Pairs, Result, Store};

pub fn run<S: Store>(config: &str) {
    verdict::watch_for_panics();
    if let Err(error) = judge::<S>(config) {
        println!("the check fails: {error}");
        exit(1);
    }
    // The store may have threads of its own, and their ends are no part of the verdict.
    let _ = std::io::stdout().flush();
    exit(0)
}

fn judge<S: Store>(config: &str) -> Result<()> {
    let (path, last) = (verdict::store()?, verdict::promised()?);
    if last == 0 && (S::UNMADE || !path.exists()) {
        return Ok(());
    }
    let mut store = S::open(&path, config).unwrap_or_else(|error| violation(CLOSED, error));
    let found = store
        .verify()
        .and_then(|()| store.get())
        .unwrap_or_else(|error| violation(CORRUPT, error));
    if let Some((what, detail)) = wrong(&found, last) {
        violation(what, detail);
    }
    if let Err(error) = store.put(&pairs(COUNT)).and_then(|()| store.close()) {
        violation(STUCK, error);
    }
    Ok(())
}

/// What is wrong with a store that holds `found` when transactions up to `last` were promised.
fn wrong(found: &Pairs, last: usize) -> Option<(&'static str, String)> {
    for (key, text) in found {
        let whole = if key == NEWEST {
            number(text).is_some()
        } else {
            number(key).is_some_and(|number| *text == value(number))
        };
        if !whole {
            let start: String = text.chars().take(40).collect();
            return Some((
                CORRUPT,
                format!("{key} is {start:?} of {} bytes", text.len()),
            ));
        }
    }
    if let Some(number) = (1..=last).find(|number| !found.contains_key(&keys(*number)[0])) {
        return Some((LOST, format!("transaction {number} of {last}")));
    }
    let newest = found.get(NEWEST).and_then(|text| number(text)).unwrap_or(0);
    if newest < last {
        return Some((BACK, format!("to transaction {newest} of {last}")));
    }
    for number in 1..=COUNT {
        let there: Vec<String> = keys(number)
            .into_iter()
            .filter(|key| found.contains_key(key))
            .collect();
        if !there.is_empty() && (there.len() < keys(number).len() || newest < number) {
            return Some((
                PARTIAL,
                format!("transaction {number}: {} alone", there.join(", ")),
            ));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(last: usize) -> Pairs {
        (1..=last).flat_map(pairs).collect()
    }

    fn changed(change: impl Fn(&mut Pairs)) -> Option<&'static str> {
        let mut found = after(3);
        change(&mut found);
        wrong(&found, 2).map(|(what, _)| what)
    }

    #[test]
    fn what_was_promised_and_what_came_after_it_is_fine() {
        for last in 0..COUNT {
            assert_eq!(wrong(&after(last), last), None);
            assert_eq!(wrong(&after(last + 1), last), None);
        }
    }

    #[test]
    fn each_way_to_break_a_promise_has_its_words() {
        let lost = |found: &mut Pairs| *found = after(1);
        let back = |found: &mut Pairs| drop(found.insert(NEWEST.into(), "1".into()));
        let half = |found: &mut Pairs| drop(found.remove("0003'"));
        let early = |found: &mut Pairs| drop(found.insert(NEWEST.into(), "2".into()));
        let other = |found: &mut Pairs| drop(found.insert("0001".into(), value(2)));
        assert_eq!(changed(|_| ()), None);
        assert_eq!(changed(lost), Some(LOST));
        assert_eq!(changed(back), Some(BACK));
        assert_eq!(changed(half), Some(PARTIAL));
        assert_eq!(changed(early), Some(PARTIAL));
        assert_eq!(changed(other), Some(CORRUPT));
    }
}
