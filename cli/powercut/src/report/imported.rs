// SPDX-License-Identifier: GPL-2.0

//! A record that the module did not make, in a report: what it does not tell.

use powercut_engine::log_writes::import::is_imported;
use powercut_engine::log_writes::{Options, Scan};
use powercut_engine::recording::Recording;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::size;
use crate::words::many;

/// Of every such log.
const ORDER: &str =
    "the record was made of a log of dm-log-writes or blklogwrites. It does not tell when writes were submitted, by \
     which task, or whether they failed: each is taken for complete before the next, and states that only writes in \
     flight leave were not looked at (docs/import.md)";

/// The task of every entry that a disk served by ublk recorded.
pub const TASK_OF_UBLK: &str = "(not told)";
/// Of every record of such a disk.
const REQUESTS: &str =
    "the record was made by ublk: it has the requests that the kernel sends to a disk, and not by which task they are, or \
     what is metadata; a write that carries a flush came as two, and one flush may serve several who wait \
     (docs/backends.md)";

/// Where a record was taken from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Imported {
    /// `log-writes`: dm-log-writes of the kernel, blklogwrites of QEMU; `ublk`: a disk that the command served
    pub format: String,
    /// What the log does not tell, and what was taken for it: a sentence each.
    pub notes: Vec<String>,
}

impl Imported {
    /// Of a recording that was made of one, if nothing else is known of that.
    pub fn of(recording: &Recording) -> Option<Self> {
        if recording.tasks().any(|task| task == TASK_OF_UBLK) {
            return Some(Self::of_ublk());
        }
        is_imported(recording).then(|| Self {
            format: "log-writes".into(),
            notes: vec![ORDER.into()],
        })
    }

    /// Of a disk that the command served by ublk.
    pub fn of_ublk() -> Self {
        Self {
            format: "ublk".into(),
            notes: vec![REQUESTS.into()],
        }
    }

    /// Of a log of dm-log-writes or blklogwrites.
    pub fn of_log_writes(scan: &Scan, options: &Options) -> Self {
        let mut notes = vec![ORDER.to_string()];
        if options.base_bytes.is_none() {
            notes.push(
                "no --base was given: before the log, the disk is taken to have held zeroes".into(),
            );
        }
        if options.base_bytes.max(options.bytes).is_none() {
            notes.push(format!(
                "the log does not tell the size of the disk: {} were taken, up to the last sector written",
                size::human(scan.capacity_sectors * 512)
            ));
        }
        let entries = |nr| many(nr, "entry", "entries");
        if let Some(at) = scan.more_at {
            notes.push(format!(
                "the log was not closed: its super block counts {}, and there is another at byte {at}. It may be of an \
                 older log; if it is not, --salvage takes what follows",
                entries(scan.counted)
            ));
        }
        if options.salvage {
            let end = scan.stopped.as_ref().map_or_else(
                || ", up to the mark that ends it".to_string(),
                |stopped| format!("; it ends at {stopped}"),
            );
            notes.push(format!(
                "the log was salvaged: {} were taken, its super block counts {}{end}",
                entries(scan.taken),
                scan.counted
            ));
        }
        if scan.durable == 0 {
            notes.push(
                "the log has no flush and no FUA write: any write may be lost. If the disk had no write cache, that is \
                 not so, and the log does not tell"
                    .into(),
            );
        }
        if scan.after_fua > 0 {
            notes.push(format!(
                "{} may be older than a FUA write of the same sectors that the log has before: of dm-log-writes, \
                 doubt the log first where a violation has one of them",
                many(scan.after_fua, "write", "writes")
            ));
        }
        if scan.empty_marks > 0 {
            notes.push(format!(
                "{} without a text: left out",
                many(scan.empty_marks, "mark", "marks")
            ));
        }
        Self {
            format: "log-writes".into(),
            notes,
        }
    }
}

#[cfg(test)]
mod tests {
    use powercut_engine::recording::testing::History;

    use super::*;
    use crate::report::testing::report;
    use crate::report::{details, html, junit, Ended};

    fn scan() -> Scan {
        Scan {
            sector_size: 4096,
            capacity_sectors: 4 << 11,
            atomic_unit: 4096,
            counted: 3,
            taken: 3,
            entries: 3,
            events: 6,
            is_closed: true,
            more_at: None,
            stopped: None,
            durable: 1,
            empty_marks: 0,
            after_fua: 0,
        }
    }

    #[test]
    fn what_the_log_leaves_open_is_noted_and_nothing_else() {
        let sized = Options {
            bytes: Some(1 << 20),
            base_bytes: Some(1 << 20),
            ..Options::default()
        };
        let salvage = Options {
            salvage: true,
            ..sized
        };
        let rows: [(Scan, Options, &[&str]); 7] = [
            (
                Scan {
                    durable: 0,
                    ..scan()
                },
                sized,
                &["no flush and no FUA"],
            ),
            (scan(), sized, &[]),
            (
                scan(),
                Options::default(),
                &["no --base", "4 MiB were taken"],
            ),
            (
                Scan {
                    more_at: Some(77),
                    is_closed: false,
                    ..scan()
                },
                sized,
                &["counts 3 entries, and there is another at byte 77"],
            ),
            (
                Scan {
                    taken: 9,
                    stopped: Some("byte 5: x".into()),
                    ..scan()
                },
                salvage,
                &["9 entries were taken, its super block counts 3; it ends at byte 5: x"],
            ),
            (
                Scan {
                    after_fua: 2,
                    ..scan()
                },
                sized,
                &["2 writes may be older"],
            ),
            (
                Scan {
                    empty_marks: 1,
                    ..scan()
                },
                sized,
                &["1 mark without"],
            ),
        ];
        for (scan, options, expected) in rows {
            let notes = Imported::of_log_writes(&scan, &options).notes;
            assert_eq!(notes.len(), 1 + expected.len(), "{notes:?}");
            for (note, part) in notes.iter().skip(1).zip(expected) {
                assert!(note.contains(part), "{note}");
            }
        }
    }

    #[test]
    fn every_report_has_the_notes() {
        let recording = History::new().write(0, "a").done();
        let mut report = report(&recording);
        let plain = details(&report, None);
        assert!(!plain.contains("note: "), "{plain}");
        report.source.imported = Some(Imported::of_log_writes(&scan(), &Options::default()));
        for ended in [Ended::Exhausted, Ended::Unfinished] {
            report.coverage.ended = ended;
            let told = [
                details(&report, None),
                html(&report, &recording, "d").unwrap(),
                junit(&report, &recording, "d").unwrap(),
                serde_json::to_string(&report).unwrap(),
            ];
            for text in told {
                assert!(text.contains("does not tell when writes were"), "{text}");
            }
        }
    }
}
