// SPDX-License-Identifier: GPL-2.0

//! States that one guarantee alone forbids.

use std::collections::HashSet;
use std::rc::Rc;
use std::vec::IntoIter;

use powercut_model::{Cut, Event, History};

use super::guarantees::{Guarantee, Protected};
use crate::abi::IN_FLIGHT;
use crate::choices::Choices;
use crate::keep::Keep;
use crate::recording::{Recorded, Recording};
use crate::strategy::State;

/// Of each kind of state not more than so many are made for a guarantee.
const EACH: usize = 16;

/// Which of the protected writes are lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    All,
    /// That one, by its entry.
    One(usize),
}

/// What becomes of the writes that may be lost with the guarantee as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Others {
    Kept,
    Lost,
    /// That one is kept, by its entry.
    Only(usize),
}

/// A power cut at an event, with these writes lost.
#[derive(Debug, Clone, Copy)]
struct Plan {
    cut: Event,
    loss: Loss,
    others: Others,
}

/// A state that is legal without the guarantee, and not with it.
#[derive(Debug, Clone)]
pub struct Forbidden<'r> {
    /// Of the record without guarantees.
    pub state: State<'r>,
    /// The pieces of it that are lost, and would not be with the guarantee.
    pub lost: Keep,
}

impl Forbidden<'_> {
    /// What the guarantee makes of it: the same, with nothing lost that it protects.
    pub fn allowed(&self) -> Keep {
        let mut keep = self.state.keep.clone();
        self.lost.iter().for_each(|piece| keep.insert(piece));
        keep
    }
}

/// The states that a guarantee alone forbids, the likeliest to matter first: not all of them, as there may be
/// 2 to the power of what it protects.
#[derive(Debug)]
pub struct States<'r> {
    log: &'r Recording,
    /// The same without guarantees.
    without: &'r Recording,
    guarantee: Guarantee,
    plans: IntoIter<Plan>,
    /// What the newest cut leaves open, of the record without guarantees.
    choices: Option<Rc<Choices<'r>>>,
    /// Images and numbers of marks that there were.
    seen: HashSet<(u128, usize)>,
    leaves_out: bool,
}

impl<'r> States<'r> {
    /// `without` is [`super::WithoutGuarantees`] of `log`.
    pub fn new(log: &'r Recording, without: &'r Recording, guarantee: &Guarantee) -> Self {
        let (plans, leaves_out) = plans(log, guarantee);
        Self {
            log,
            without,
            guarantee: guarantee.clone(),
            plans: plans.into_iter(),
            choices: None,
            seen: HashSet::new(),
            leaves_out,
        }
    }

    /// Whether there may be states of a kind of which none was given. Without, a guarantee of which there were
    /// none forbids nothing.
    pub fn leaves_out(&self) -> bool {
        self.leaves_out
    }

    fn choices(&mut self, cut: Event) -> Option<Rc<Choices<'r>>> {
        if let Some(choices) = self.choices.as_ref().filter(|c| c.event() == cut) {
            return Some(Rc::clone(choices));
        }
        let choices = Choices::new(self.without, Cut::new(self.without, cut).ok()?);
        // Writes that were in flight together may lie on each other in another order without the guarantees. It
        // is not known then what the disk would hold.
        let with = Choices::new(self.log, Cut::new(self.log, cut).ok()?);
        if choices.image(&choices.all()) != with.image(&with.all()) {
            self.leaves_out = true;
            return None;
        }
        let choices = Rc::new(choices);
        self.choices = Some(Rc::clone(&choices));
        Some(choices)
    }

    fn state(&mut self, plan: Plan) -> Option<Forbidden<'r>> {
        let choices = self.choices(plan.cut)?;
        let protected = |entry: usize| {
            let writes = &self.guarantee.protects;
            let at = writes.binary_search_by_key(&entry, |write| write.index);
            at.is_ok_and(|at| plan.cut < writes[at].until)
        };
        let mut keep = choices.none();
        let mut lost = choices.none();
        // Of what is kept, that which came after the guarantee: a write's data starts once its flush is complete.
        let mut later = choices.none();
        for piece in choices.all().iter() {
            let of = choices.pieces()[piece];
            let is_protected = protected(of.entry);
            let is_lost =
                is_protected && (plan.loss == Loss::All || plan.loss == Loss::One(of.entry));
            let is_other = !is_protected && self.log.stable_from(of.entry) > plan.cut;
            let is_kept = match plan.others {
                Others::Kept => true,
                Others::Lost => !is_other,
                Others::Only(entry) => !is_other || of.entry == entry,
            };
            if is_lost {
                lost.insert(piece);
            } else if is_kept {
                keep.insert(piece);
                if self.log.entries()[of.entry].start() >= self.guarantee.from {
                    later.insert(piece);
                }
            }
        }
        let state = Forbidden {
            state: State {
                choices: Rc::clone(&choices),
                keep,
            },
            lost,
        };
        let marks = self.log.marks_by(plan.cut).len();
        let image = choices.image(&state.state.keep);
        let is_new = image != choices.image(&state.allowed())
            && (marks > self.log.marks_by(self.guarantee.from - 1).len()
                || image != choices.image(&without(&state.state.keep, &later)))
            && self.seen.insert((image, marks));
        is_new.then_some(state)
    }
}

/// What is kept, but for some of it.
fn without(keep: &Keep, but: &Keep) -> Keep {
    let mut keep = keep.clone();
    but.iter().for_each(|piece| keep.remove(piece));
    keep
}

impl<'r> Iterator for States<'r> {
    type Item = Forbidden<'r>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let plan = self.plans.next()?;
            if let Some(state) = self.state(plan) {
                return Some(state);
            }
        }
    }
}

/// At the end of the time in which the guarantee alone holds, and after the marks in it: all that it protects is lost,
/// or one write of it, and what was written since is kept, lost, or kept in one place. Whether there are more of a kind.
fn plans(log: &Recording, guarantee: &Guarantee) -> (Vec<Plan>, bool) {
    let protects = &guarantee.protects;
    let until = protects.iter().map(|write| write.until).max().unwrap_or(0);
    let last = match until {
        IN_FLIGHT => log.last_event(),
        until => until.saturating_sub(1),
    };
    if last < guarantee.from {
        return (Vec::new(), false);
    }
    let mut plans = Vec::new();
    let mut add = |cut, loss, others| plans.push(Plan { cut, loss, others });
    let (marks, has_more_marks) = marks(log, guarantee.from, last);
    // Those are lost together that need it at the same time.
    let mut ends: Vec<Event> = protects.iter().map(|write| end_of(log, write)).collect();
    ends.sort_unstable();
    ends.dedup();
    let ends = || ends.iter().rev().copied().take(EACH);
    ends().for_each(|end| add(end, Loss::All, Others::Kept));
    marks
        .iter()
        .for_each(|mark| add(*mark, Loss::All, Others::Kept));
    for write in spread(protects) {
        add(end_of(log, write), Loss::One(write.index), Others::Kept);
    }
    marks
        .iter()
        .for_each(|mark| add(*mark, Loss::All, Others::Lost));
    let (later, has_more) = later(log, guarantee.from, last);
    for (entry, cut) in &later {
        add(*cut, Loss::All, Others::Only(*entry));
    }
    for mark in &marks {
        for write in protects.iter().rev().take(EACH / 4) {
            add(*mark, Loss::One(write.index), Others::Kept);
            add(*mark, Loss::One(write.index), Others::Lost);
        }
    }
    // Each pair of neighbours that it puts in order.
    for (entry, cut) in &later {
        for write in protects.iter().rev().take(EACH / 4) {
            add(*cut, Loss::One(write.index), Others::Only(*entry));
        }
    }
    // With no mark and nothing written in its time, it forbids nothing, whatever it keeps.
    let is_idle = marks.is_empty() && later.is_empty();
    (
        plans,
        has_more_marks || has_more || (!is_idle && protects.len() > EACH),
    )
}

/// The last event at which a write needs the guarantee.
fn end_of(log: &Recording, write: &Protected) -> Event {
    match write.until {
        IN_FLIGHT => log.last_event(),
        until => until - 1,
    }
}

/// Some of many, the first and the last among them.
fn spread<T>(all: &[T]) -> impl Iterator<Item = &T> {
    let nr = all.len().min(EACH);
    (0..nr).map(move |at| match nr {
        1 => &all[0],
        nr => &all[at * (all.len() - 1) / (nr - 1)],
    })
}

/// Marks from one event to another, the last first; whether there are more.
fn marks(log: &Recording, from: Event, last: Event) -> (Vec<Event>, bool) {
    let all = log.marks_by(last);
    let all = &all[all.partition_point(|mark| mark.event < from)..];
    let mut marks: Vec<Event> = spread(all).map(|mark| mark.event).collect();
    marks.reverse();
    (marks, all.len() > EACH)
}

/// Writes that start at an event or after it, each with the event from which on it may be there; the first ones, and
/// whether there are more.
fn later(log: &Recording, from: Event, last: Event) -> (Vec<(usize, Event)>, bool) {
    let begin = log.first_completing_after(from);
    let entries = log.entries().iter().enumerate().skip(begin);
    let is_later = |entry: &Recorded| entry.is_write() && (from..=last).contains(&entry.start());
    let mut writes = entries.filter(|(_, entry)| is_later(entry));
    let event = |entry: &Recorded| {
        if entry.complete() <= last {
            entry.complete()
        } else {
            entry.start()
        }
    };
    let first = writes.by_ref().take(EACH);
    let first = first.map(|(index, entry)| (index, event(entry))).collect();
    (first, writes.next().is_some())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use rand_chacha::rand_core::{RngCore, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::abi::{write_entry, EntryOp, Flags, Reader};
    use crate::rate::{guarantees, Promise, WithoutGuarantees};
    use crate::recording::testing::History as Log;

    /// The log with one guarantee less.
    fn without_one(log: &Log, guarantee: &Guarantee) -> Recording {
        let stream = log.stream();
        let mut reader = Reader::new(&stream[..]).unwrap();
        let mut out = reader.header().to_bytes();
        let (mut index, mut payload) = (0, Vec::new());
        let nr_base = reader.header().base_entries as usize;
        while let Some(mut entry) = reader.next_entry(&mut payload).unwrap() {
            if index == guarantee.index + nr_base {
                entry.flags |= match guarantee.promise {
                    Promise::Fua => Flags::FUA_IGNORED,
                    Promise::Flush | Promise::Preflush => Flags::LIED,
                };
            }
            index += 1;
            write_entry(&mut out, &entry, &payload).unwrap();
        }
        Recording::read(&out[..]).unwrap()
    }

    /// All images that the power may leave, each with the number of marks.
    fn legal(log: &Recording) -> HashSet<(u128, usize)> {
        let mut legal = HashSet::new();
        for event in 0..=log.last_event() {
            let choices = Choices::new(log, Cut::new(log, event).unwrap());
            assert!(choices.len() <= 16, "{} pieces", choices.len());
            for bits in 0..1_u32 << choices.len() {
                let keep = Keep::that(choices.len(), |piece| (bits >> piece) & 1 == 1);
                legal.insert((choices.image(&keep), log.marks_by(event).len()));
            }
        }
        legal
    }

    fn all_without(log: &Log) -> Recording {
        Recording::read(WithoutGuarantees::new(&log.stream()[..]).unwrap()).unwrap()
    }

    /// Some history in which no two writes have the same content: then no two states are one by chance.
    fn random(seed: u64) -> Log {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut below = |n: u32| rng.next_u32() % n;
        let mut in_flight = 0;
        let steps = 2 + below(8);
        (0..steps).fold(Log::new(), |log, step| {
            let (at, word) = (u64::from(below(5)), format!("{step}."));
            match below(9) {
                0 | 1 => log.flush(),
                2 => log.fua(at, &word),
                3 => log.bio(EntryOp::Write, Flags::PREFLUSH | Flags::FUA, at, &[&word]),
                4 => log.mark(&word),
                5 => {
                    in_flight += 1;
                    log.submit(at, &word)
                }
                6 if in_flight > 0 => {
                    in_flight -= 1;
                    log.complete()
                }
                _ => log.write(at, &word),
            }
        })
    }

    #[test]
    fn each_is_legal_without_the_guarantee_and_only_without() {
        let (mut some, mut none) = (0, 0);
        for seed in 0..600 {
            let history = random(seed);
            let log = history.done();
            let without = all_without(&history);
            let with_it = legal(&log);
            for guarantee in guarantees(&log) {
                let one_less = legal(&without_one(&history, &guarantee));
                let mut all = States::new(&log, &without, &guarantee);
                let states: Vec<_> = all.by_ref().collect();
                for state in &states {
                    let choices = &state.state.choices;
                    let marks = log.marks_by(choices.event()).len();
                    let image = (choices.image(&state.state.keep), marks);
                    let what = format!("seed {seed}, {guarantee:?}, cut {}", choices.event());
                    assert!(one_less.contains(&image), "impossible: {what}");
                    assert!(!with_it.contains(&image), "legal: {what}");
                    let allowed = (choices.image(&state.allowed()), marks);
                    assert!(with_it.contains(&allowed), "not allowed: {what}");
                }
                let is_forbidding = !one_less.is_subset(&with_it);
                some += u32::from(!states.is_empty());
                none += u32::from(is_forbidding && states.is_empty());
                assert!(
                    !is_forbidding || !states.is_empty() || all.leaves_out(),
                    "seed {seed}"
                );
            }
        }
        assert!(some > 200, "{some}");
        assert!(
            (1..some / 20).contains(&none),
            "{none} of {some} have no state"
        );
    }

    /// A program that syncs its log before its data.
    #[test]
    fn the_first_is_all_lost_and_what_came_after_kept() {
        let log = Log::new()
            .write(0, "log")
            .write(1, "log")
            .flush()
            .write(8, "data")
            .mark("done")
            .flush();
        let (log, without) = (log.done(), all_without(&log));
        let of = guarantees(&log);
        let mut states = States::new(&log, &without, &of[0]);
        let first = states.next().unwrap();
        assert_eq!(
            (first.state.keep.ranges(), first.lost.ranges()),
            (vec![(2, 2)], vec![(0, 1)])
        );
        // Everything is lost after the mark.
        assert!(states.any(|state| state.state.keep.is_empty()));
        // The last one protects what the mark promised.
        assert!(States::new(&log, &without, &of[1]).next().is_none());
    }

    #[test]
    fn a_guarantee_of_nothing_forbids_nothing() {
        let history = Log::new()
            .flush()
            .write(0, "a")
            .write(0, "a")
            .flush()
            .flush();
        let (log, without) = (history.done(), all_without(&history));
        let states = |nr: usize| States::new(&log, &without, &guarantees(&log)[nr]).count();
        assert_eq!([states(0), states(1), states(2)], [0, 0, 0]);
    }
}
