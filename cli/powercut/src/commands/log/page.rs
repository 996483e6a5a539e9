// SPDX-License-Identifier: GPL-2.0

//! A page of what passes the filter: so many entries from a place on. Nothing is held but what may
//! lead to the mark that is looked for.

use anyhow::Result;
use powercut_engine::abi::{Entry, EntryOp};

use super::filter::Filter;

/// Whether to go on reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    More,
    Done,
}

#[derive(Debug)]
pub struct Page {
    filter: Filter,
    /// Entries to pass by, and to show.
    offset: u64,
    limit: u64,
    passed: u64,
    shown: u64,
    /// There is one more than is shown.
    has_more: bool,
    /// Since the newest mark, if it is one mark that is looked for.
    held: Vec<(Entry, String)>,
}

impl Page {
    pub fn new(filter: Filter, offset: u64, limit: Option<u64>) -> Self {
        Self {
            filter,
            offset,
            limit: limit.unwrap_or(u64::MAX),
            passed: 0,
            shown: 0,
            has_more: false,
            held: Vec::new(),
        }
    }

    /// Takes the next entry, `text` if it is a mark; has those that are to be seen shown.
    pub fn take(
        &mut self,
        entry: Entry,
        text: &str,
        mut show: impl FnMut(&Entry, &str) -> Result<()>,
    ) -> Result<Step> {
        if self.filter.ends_before(entry.submit) {
            return Ok(Step::Done);
        }
        let is_mark = entry.op == EntryOp::Mark;
        let Some(wanted) = &self.filter.mark else {
            return self.pass(&entry, text, &mut show);
        };
        let is_wanted = is_mark && text.contains(wanted.as_str());
        if self.filter.has(&entry) {
            self.held.push((entry, text.into()));
        }
        if !is_mark {
            return Ok(Step::More);
        }
        let held = std::mem::take(&mut self.held);
        if is_wanted {
            for (entry, text) in &held {
                if self.pass(entry, text, &mut show)? == Step::Done {
                    break;
                }
            }
            return Ok(Step::Done);
        }
        Ok(Step::More)
    }

    fn pass(
        &mut self,
        entry: &Entry,
        text: &str,
        show: &mut impl FnMut(&Entry, &str) -> Result<()>,
    ) -> Result<Step> {
        if !self.filter.has(entry) {
            return Ok(Step::More);
        }
        if self.passed < self.offset {
            self.passed += 1;
            return Ok(Step::More);
        }
        if self.shown == self.limit {
            self.has_more = true;
            return Ok(Step::Done);
        }
        self.shown += 1;
        show(entry, text)?;
        Ok(Step::More)
    }

    /// Where the next page begins, if there is one.
    pub fn next_offset(&self) -> Option<u64> {
        self.has_more.then_some(self.offset + self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::LogFilter;
    use powercut_engine::abi::Reader;
    use powercut_engine::members::Members;
    use powercut_engine::recording::testing::History;

    /// The events shown of a log of 10 writes with a mark after each second one, and where the next page begins.
    fn shown(filter: LogFilter, offset: u64, limit: Option<u64>) -> (Vec<u64>, Option<u64>) {
        let log = (0..10).fold(History::new(), |log, n| {
            let log = log.write(n, "a");
            if n % 2 == 1 {
                log.mark(&format!("txn {n}"))
            } else {
                log
            }
        });
        let filter = Filter::new(&filter, &Members::default()).unwrap();
        let mut page = Page::new(filter, offset, limit);
        let stream = log.stream();
        let mut reader = Reader::new(&stream[..]).unwrap();
        let (mut payload, mut events) = (Vec::new(), Vec::new());
        while let Some(entry) = reader.next_entry(&mut payload).unwrap() {
            let text = String::from_utf8_lossy(&payload).into_owned();
            let show = |entry: &Entry, _: &str| {
                events.push(entry.submit);
                Ok(())
            };
            if page.take(entry, &text, show).unwrap() == Step::Done {
                break;
            }
        }
        (events, page.next_offset())
    }

    #[test]
    fn pages_follow_on_each_other() {
        let writes = || LogFilter {
            op: vec!["write".into()],
            ..LogFilter::default()
        };
        let all = shown(writes(), 0, None);
        assert_eq!(all, (vec![1, 3, 6, 8, 11, 13, 16, 18, 21, 23], None));
        assert_eq!(shown(writes(), 0, Some(4)), (all.0[..4].to_vec(), Some(4)));
        assert_eq!(shown(writes(), 4, Some(4)), (all.0[4..8].to_vec(), Some(8)));
        assert_eq!(shown(writes(), 8, Some(4)), (all.0[8..].to_vec(), None));
        assert_eq!(shown(writes(), 0, Some(10)), (all.0.clone(), None));
        assert_eq!(shown(writes(), 10, Some(1)), (vec![], None));
        assert_eq!(shown(writes(), 0, Some(0)), (vec![], Some(0)));
    }

    #[test]
    fn what_led_to_a_mark_is_what_came_since_the_one_before() {
        let mark = |text: &str| LogFilter {
            mark: Some(text.into()),
            ..LogFilter::default()
        };
        assert_eq!(shown(mark("txn 5"), 0, None), (vec![11, 13, 15], None));
        assert_eq!(shown(mark("txn 1"), 0, None), (vec![1, 3, 5], None));
        assert_eq!(shown(mark("txn"), 0, None), (vec![1, 3, 5], None));
        assert_eq!(shown(mark("none"), 0, None), (vec![], None));
        let writes = LogFilter {
            op: vec!["write".into()],
            ..mark("txn 5")
        };
        assert_eq!(shown(writes, 1, Some(1)), (vec![13], None));
    }
}
