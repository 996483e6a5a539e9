// SPDX-License-Identifier: GPL-2.0

//! The page of reports made by hand.

use powercut_engine::recording::testing::History;

use super::html;
use crate::report::testing::{add, report, violation};

#[test]
fn a_page_needs_nothing_else() {
    let recording = History::new()
        .write(0, "a")
        .meta(100, "b")
        .flush()
        .fua(9, "c")
        .mark("a <promise> & \"more\"")
        .write(0, "d")
        .done();
    let mut report = report(&recording);
    add(&mut report, violation(&recording, 9, |_| false));
    report.violations[0].output = "<script>alert(1)</script>".into();
    let page = html(&report, &recording, "some dir").unwrap();
    for outside in [
        "http:", "https:", "src=", "url(", "<link", "@import", "<script",
    ] {
        assert!(!page.contains(outside), "{outside}");
    }
    // What comes from outside is text, nothing more.
    assert!(page.contains("a &#60;promise&#62; &#38; &#34;more&#34;"));
    assert!(page.contains("&#60;script&#62;alert(1)"));
    assert!(page.contains("powercut replay"));
    assert!(page.contains("--report &#39;some dir&#39;"));
    for needed in [
        "<main",
        "<h1",
        "<h2",
        "aria-label",
        "<caption",
        "lang=\"en\"",
        "@media print",
    ] {
        assert!(page.contains(needed), "{needed}");
    }
}

#[test]
fn without_violations_there_is_none_to_see() {
    let recording = History::new().write(0, "a").done();
    let page = html(&report(&recording), &recording, "d").unwrap();
    assert!(page.contains("No violation"));
    assert!(!page.contains("id=\"v1\""));
    let empty = History::new().done();
    assert!(html(&report(&empty), &empty, "d").is_ok());
}

#[test]
fn numbers_that_no_disk_has_are_shown_all_the_same() {
    let recording = History::new().write(0, "a").done();
    let mut report = report(&recording);
    add(&mut report, violation(&recording, 2, |_| false));
    let violation = &mut report.violations[0];
    violation.cut = u64::MAX;
    violation.kept_writes = u64::MAX;
    violation.lost_writes = 1;
    violation.output = "x".repeat(100_000).into();
    violation.output_left_out = u64::MAX;
    assert!(html(&report, &recording, "d").is_ok());
}

#[test]
fn a_big_log_makes_a_small_page() {
    let mut log = History::new();
    for n in 0..9_000u64 {
        log = log.write(n * 7919 % 200, "x");
        if n % 10 == 0 {
            log = log.flush().mark("done");
        }
    }
    let recording = log.done();
    let page = html(&report(&recording), &recording, "d").unwrap();
    assert!(page.len() < 700_000, "{} bytes", page.len());
    assert!(page.contains("by cells"));
}
