// SPDX-License-Identifier: GPL-2.0

//! How far a record is: a line now and then on standard error while a workload runs, and a warning if
//! there is not enough memory for what the record may grow to.

use std::sync::mpsc::{channel, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use crate::device::RecordStatus;
use crate::memory::available_mib;
use crate::output::say;
use crate::recorder::Recorder;
use crate::words::many;

/// Between two lines.
const INTERVAL: Duration = Duration::from_secs(10);

/// Does something, and tells meanwhile how a record grows, where that can be told.
pub fn told<T>(recorder: &dyn Recorder, work: impl FnOnce() -> T) -> T {
    if recorder.status().is_none() {
        return work();
    }
    let limit_mib = recorder.limit_mib();
    // The others keep theirs in files.
    let is_in_memory = recorder.driver().is_some();
    let warning = too_little(limit_mib, available_mib()).filter(|_| is_in_memory);
    if let Some(warning) = warning {
        say(format_args!("warning: {warning}"));
    }
    let (end, ended) = channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            while ended.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                if let Some(status) = recorder.status() {
                    say(format_args!(
                        "{}",
                        line(&status, limit_mib, available_mib())
                    ));
                }
            }
        });
        let done = work();
        drop(end);
        done
    })
}

/// What to say if the record may need more than there is.
fn too_little(limit_mib: Option<u64>, available_mib: Option<u64>) -> Option<String> {
    let available = available_mib?;
    let what = match limit_mib {
        Some(limit) if limit <= available => return None,
        Some(limit) => format!("the record may take {limit} MiB (log_limit_mib)"),
        // As long as it can take as much as by default.
        None if available >= 1024 => return None,
        None => "the record has no limit (log_limit_mib=0)".into(),
    };
    Some(format!(
        "{what}, and {available} MiB of memory are available: when that is used up, writes fail; \
         give a smaller --log-limit, or add memory"
    ))
}

/// recording: 61,200 events, 240 MiB of the 1024 that log_limit_mib allows, 3000 MiB of memory left
fn line(status: &RecordStatus, limit_mib: Option<u64>, available_mib: Option<u64>) -> String {
    let events = many(status.events, "event", "events");
    let mut text = format!("recording: {events}, {} MiB", status.bytes >> 20);
    if let Some(limit) = limit_mib {
        text.push_str(&format!(" of the {limit} that log_limit_mib allows"));
    }
    if let Some(available) = available_mib {
        text.push_str(&format!(", {available} MiB of memory left"));
    }
    if status.truncated > 0 {
        text.push_str(&format!(
            "; the record ended at event {}: what it may take is used up, and it can't be explored: give a larger --log-limit",
            status.truncated
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_told_of_with_its_limit() {
        let status = RecordStatus {
            events: 61_200,
            bytes: 240 << 20,
            ..RecordStatus::default()
        };
        let told = line(&status, Some(1024), Some(3000));
        let expected = "recording: 61200 events, 240 MiB of the 1024 that log_limit_mib allows, \
                        3000 MiB of memory left";
        assert_eq!(
            told.replace(',', "").replace("  ", " "),
            expected.replace(',', "")
        );
        let full = RecordStatus {
            truncated: 7,
            ..status
        };
        assert!(line(&full, None, None).contains("ended at event 7"));
    }

    #[test]
    fn what_may_grow_beyond_memory_is_warned_of() {
        assert_eq!(too_little(Some(1024), Some(2000)), None);
        assert_eq!(too_little(Some(1024), None), None);
        assert!(too_little(Some(1024), Some(500))
            .unwrap()
            .contains("1024 MiB"));
        assert_eq!(too_little(None, Some(2000)), None);
        assert!(too_little(None, Some(100)).unwrap().contains("no limit"));
    }
}
