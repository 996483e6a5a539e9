// SPDX-License-Identifier: GPL-2.0

use super::*;
use crate::recording::testing::History;
use powercut_model::{spans, Marks};
use proptest::prelude::*;

#[test]
fn what_is_no_id_is_refused() {
    for text in [
        "",
        "5f0c2a19",
        "5f0c2a19:k=1",
        "5f0c2a19:k=1:keep=",
        "5f0c2a1:k=1:keep=none",
        "5F0C2A19:k=1:keep=none",
        "+f0c2a19:k=1:keep=none",
        "5f0c2a19:k=:keep=none",
        "5f0c2a19:k=01:keep=none",
        "5f0c2a19:k=-1:keep=none",
        "5f0c2a19:k=99999999999999999999:keep=none",
        "5f0c2a19:k=1:keep=some",
        "5f0c2a19:k=1:keep=1,1",
        "5f0c2a19:k=1:keep=3,2",
        "5f0c2a19:k=1:keep=3-2",
        "5f0c2a19:k=1:keep=1-",
        "5f0c2a19:k=1:keep=1-2-3",
        "5f0c2a19:k=1:keep=1,",
        "5f0c2a19:k=1:keep=none:x",
        " 5f0c2a19:k=1:keep=none",
        "5f0c2a19:k=1:keep=none:",
        "5f0c2a19:k=1:keep=none:faults=",
        "5f0c2a19:k=1:keep=none:faults=none",
        "5f0c2a19:k=1:keep=none:faults=lost,flush-lies",
        "5f0c2a19:k=1:keep=none:faults=lost:x",
        "5f0c2a19:k=1:faults=lost:keep=none",
    ] {
        let parsed = text.parse::<StateId>();
        assert!(matches!(parsed, Err(IdError::Syntax(..))), "{text}");
    }
}

/// Ids in reports that are out there.
#[test]
fn ids_stay_as_they_were() {
    let id = |recording: Recording| {
        let cut = Cut::new(&recording, recording.header().newest_event).unwrap();
        let choices = Choices::new(&recording, cut);
        let keep = Keep::that(choices.len(), |i| i % 3 != 1);
        StateId::of(&choices, &keep).to_string()
    };
    let words = ["x"; 5];
    let long = History::new().write_run(0, &words).write(90, "y");
    let lied = long.clone().met(Faults::LIED);
    let ids = [
        (History::random(1), "03e72bba:k=2:keep=all"),
        (History::random(2), "b4536137:k=2:keep=all"),
        (History::random_prefixes(3), "9ca578e5:k=12:keep=2-3"),
        (long.clone().prefixes(), "0a0f77ee:k=4:keep=0,5"),
        (long, "05ac4f27:k=4:keep=0,2-3,5"),
        (lied, "97ee89f2:k=4:keep=0,2-3,5:faults=flush-lies"),
    ];
    for (log, expected) in ids {
        assert_eq!(id(log.done()), expected);
    }
}

#[test]
fn an_id_survives_a_growing_log_and_no_other_change() {
    let log = History::new().base(9, "x").write(0, "a").write(1, "b");
    let id = |log: &History, cut| {
        let recording = log.done();
        let choices = Choices::new(&recording, Cut::new(&recording, cut).unwrap());
        StateId::of(&choices, &choices.none())
    };
    let before = id(&log, 4);
    assert_eq!(id(&log.clone().flush().write(0, "c"), 4), before);
    let changed = [
        History::new().base(9, "y").write(0, "a").write(1, "b"),
        History::new().base(9, "x").write(0, "a").write(1, "c"),
        History::new().base(9, "x").write(0, "a").write(2, "b"),
        History::new().base(9, "x").write(0, "a").meta(1, "b"),
        History::new().base(9, "x").write(0, "a").fua(1, "b"),
        log.clone().no_write_cache(),
        log.clone().group(4),
        log.clone().prefixes(),
    ];
    for other in changed {
        assert_ne!(id(&other, 4).hash, before.hash);
        let other = other.done();
        let refused = before.resolve(&other).unwrap_err();
        let (theirs, ours) = (before.hash, other.hash_at(4));
        assert!(matches!(refused, IdError::Foreign { .. }), "{refused}");
        for hash in [theirs, ours] {
            assert!(refused.to_string().contains(&format!("{hash:08x}")));
        }
    }
}

#[test]
fn a_write_in_flight_at_the_cut_may_complete_later() {
    let log = History::new().submit(0, "a").write(1, "b");
    let before = log.done().hash_at(3);
    assert_eq!(log.clone().complete().done().hash_at(3), before);
    assert_ne!(log.clone().complete().done().hash_at(4), before);
}

#[test]
fn faults_are_named_from_where_they_were_met() {
    let log = || History::new().write(0, "a").flush().met(Faults::LIED);
    let id = |log: &History, cut| {
        let recording = log.done();
        let choices = Choices::new(&recording, Cut::new(&recording, cut).unwrap());
        StateId::of(&choices, &choices.none()).to_string()
    };
    let lied = log().write(1, "b").met(Faults::LOST);
    assert!(id(&lied, 2).ends_with(":k=2:keep=none"));
    assert!(id(&lied, 4).ends_with(":k=4:keep=none:faults=flush-lies"));
    assert!(id(&lied, 6).ends_with(":k=6:keep=none:faults=flush-lies,lost"));
    let live = log().met_unlogged("stale,eio");
    assert!(id(&live, 2).ends_with(":keep=none:faults=stale,eio"));
}

#[test]
fn an_id_with_other_faults_is_refused_and_both_are_named() {
    let log = History::new().write(0, "a").met_unlogged("eio");
    let recording = log.done();
    let hash = recording.hash_at(2);
    for (faults, theirs) in [("", "no faults"), (":faults=stale", "faults=stale")] {
        let id: StateId = format!("{hash:08x}:k=2:keep=none{faults}").parse().unwrap();
        let refused = id.resolve(&recording).unwrap_err().to_string();
        assert!(
            refused.contains(&format!("a log with {theirs}")),
            "{refused}"
        );
        assert!(refused.contains("has faults=eio"), "{refused}");
    }
    let id: StateId = format!("{hash:08x}:k=2:keep=none:faults=eio")
        .parse()
        .unwrap();
    assert!(id.resolve(&recording).is_ok());
}

#[test]
fn a_gap_is_refused_where_writes_survive_as_prefixes() {
    let log = History::new()
        .write_run(0, &["a", "b", "c"])
        .write_run(4, &["d", "e"]);
    let resolve = |log: &History, keep: &str| {
        let recording = log.done();
        let id = format!("{:08x}:k=4:keep={keep}", recording.hash_at(4));
        let id: StateId = id.parse().unwrap();
        id.resolve(&recording).map(|(_, keep)| keep.ranges())
    };
    let prefixes = log.clone().prefixes();
    for keep in ["0-1,3", "0-4", "3", "none", "all"] {
        assert_eq!(resolve(&prefixes, keep), resolve(&log, keep), "{keep}");
    }
    for (keep, index, gap) in [("1", 1, 0), ("0,2", 2, 1), ("0-2,4", 4, 3)] {
        assert!(resolve(&log, keep).is_ok());
        let refused = resolve(&prefixes, keep).unwrap_err();
        let text = refused.to_string();
        assert!(matches!(refused, IdError::Gap { .. }), "{text}");
        let words = format!("keeps piece {index} but not piece {gap}: ");
        assert!(
            text.contains(&words) && text.contains("tear=prefix"),
            "{text}"
        );
    }
}

#[test]
fn what_is_out_of_range_is_named() {
    let recording = History::new().write(0, "a").done();
    let hash = recording.hash_at(2);
    let id: StateId = format!("{hash:08x}:k=2:keep=1").parse().unwrap();
    let error = id.resolve(&recording).unwrap_err();
    assert!(matches!(
        error,
        IdError::NoSuchPiece {
            index: 1,
            len: 1,
            ..
        }
    ));
    let id: StateId = format!("{hash:08x}:k=3:keep=none").parse().unwrap();
    let error = id.resolve(&recording).unwrap_err();
    assert!(matches!(
        error,
        IdError::CutTooLate {
            cut: 3,
            last: 2,
            ..
        }
    ));
}

proptest! {
    #[test]
    fn ids_are_read_as_they_are_written(seed in 0u64..500, bits: u64, prefixes: bool) {
        let recording = if prefixes { History::random_prefixes(seed) } else { History::random(seed) };
        let recording = recording.done();
        for cut in spans(&recording, Marks::Any) {
            let choices = Choices::new(&recording, cut);
            let keep = Keep::that(choices.len(), |i| (bits >> (i % 64)) & 1 == 1);
            let id = StateId::of(&choices, &keep);
            let text = id.to_string();
            prop_assert_eq!(text.parse::<StateId>().unwrap(), id.clone());
            let (_, resolved) = id.resolve(&recording).unwrap();
            prop_assert_eq!(resolved, choices.canonical(&keep));
        }
    }

    #[test]
    fn no_text_upsets_the_parser(text in "\\PC{0,40}") {
        let _ = text.parse::<StateId>();
    }
}
