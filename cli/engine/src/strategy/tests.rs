// SPDX-License-Identifier: GPL-2.0

use std::collections::HashSet;

use powercut_model::check_piece;
use xxhash_rust::xxh3::xxh3_64;

use super::*;
use crate::faults::Faults;
use crate::id::StateId;
use crate::made_up::{stream, Kind, MadeUp};
use crate::recording::testing::History;

const ALL: [Strategy; 10] = [
    Strategy::Auto,
    Strategy::Acknowledged,
    Strategy::Ends,
    Strategy::Prefix,
    Strategy::DropOne,
    Strategy::KeepOne,
    Strategy::Pairs,
    Strategy::Tears,
    Strategy::Rollback,
    Strategy::Random,
];

fn ids(recording: &Recording, strategy: Strategy, seed: u64, limit: usize) -> Vec<String> {
    let space = Space::new(recording, Marks::Any);
    let states = strategy.states(&space, seed).take(limit);
    states
        .map(|s| StateId::of(&s.choices, &s.keep).to_string())
        .collect()
}

#[test]
fn what_is_beside_a_write_is_lost_with_all_else_kept() {
    // Pieces: 0, 1 the writes, then what they may cost: 0, 2 to 7 of the first, 8, 10 to 15.
    let log = History::new().rmw().base(0, "x").base(2, "y").base(12, "z");
    let log = log.write(1, "a").write(9, "b").done();
    let torn = kept(&log, Strategy::Tears);
    // All of the first, of the second; then each alone: of what is zeroes anyhow, nothing.
    let expected = ["0-3", "0-1,12", "0-2", "0-1,3"].map(|keep| format!("k=4:keep={keep}"));
    assert_eq!(torn, expected);
    for strategy in [
        Strategy::Ends,
        Strategy::DropOne,
        Strategy::KeepOne,
        Strategy::Rollback,
    ] {
        for id in kept(&log, strategy) {
            assert!(
                ["none", "all", "0", "1"].contains(&id.rsplit('=').next().unwrap()),
                "{id}"
            );
        }
    }
    let whole = History::new()
        .rmw()
        .base(8, "x")
        .write_run(0, &["a"; 8])
        .done();
    let some = Space::new(&whole, Marks::Any);
    assert!(some.choices(2).unwrap().losses().next().is_none());
}

#[test]
fn a_rollback_goes_back_event_by_event() {
    let log = |lies: bool| {
        let flush = |log: History| {
            let log = log.flush();
            if lies {
                log.met(Faults::LIED)
            } else {
                log
            }
        };
        let log = flush(History::new().write(0, "a")).write(1, "b");
        flush(log).write(2, "c").done()
    };
    let last = |ids: Vec<String>| {
        ids.into_iter()
            .filter(|id| id.starts_with("k=10:"))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        last(kept(&log(false), Strategy::Rollback)),
        ["k=10:keep=all", "k=10:keep=none"]
    );
    let lied = [
        "k=10:keep=all",
        "k=10:keep=0-1",
        "k=10:keep=0",
        "k=10:keep=none",
    ];
    let lied = lied.map(|id| format!("{id}:faults=flush-lies"));
    assert_eq!(last(kept(&log(true), Strategy::Rollback)), lied);
}

/// The ids without their hash: what is cut and kept.
fn kept(recording: &Recording, strategy: Strategy) -> Vec<String> {
    let ids = ids(recording, strategy, 0, 100);
    ids.iter().map(|id| id[9..].to_string()).collect()
}

#[test]
fn every_strategy_names_legal_states_only() {
    let plain = (0..100).map(History::random);
    let prefixes = (0..100).map(History::random_prefixes);
    let rmw = (0..100).map(History::random_rmw);
    for (seed, history) in (0..).zip(plain.chain(prefixes).chain(rmw)) {
        let recording = history.done();
        let space = Space::new(&recording, Marks::Any);
        for strategy in ALL {
            for state in strategy.states(&space, seed).take(300) {
                let choices = &state.choices;
                let mut previous = None;
                let kept = state.keep.iter().map(|index| choices.pieces()[index]);
                let mut kept: Vec<_> = kept.collect();
                kept.sort_unstable();
                for piece in kept {
                    check_piece(&recording, choices.cut(), piece, previous).unwrap();
                    previous = Some(piece);
                }
            }
        }
    }
}

#[test]
fn the_same_seed_names_the_same_states() {
    let log = (0..20).fold(History::new(), |log, n| log.write(n % 7, &n.to_string()));
    let recording = log.done();
    for strategy in [Strategy::Random, Strategy::Auto] {
        let first = ids(&recording, strategy, 7, 900);
        assert_eq!(first, ids(&recording, strategy, 7, 900));
        assert_ne!(first, ids(&recording, strategy, 8, 900));
    }
}

#[test]
fn the_draws_of_a_seed_stay_what_they_are() {
    // Ids in people's notes and CI logs depend on this: change it knowingly.
    let recording = History::new()
        .write(0, "a")
        .write(1, "b")
        .write(0, "c")
        .done();
    let drawn: Vec<String> = kept(&recording, Strategy::Random);
    let expected = ["all", "2", "0-1", "1", "none", "0"];
    assert_eq!(drawn, expected.map(|keep| format!("k=6:keep={keep}")));
}

#[test]
fn random_shows_every_content_of_every_cut_once() {
    for seed in 0..100 {
        let recording = History::random(seed).done();
        let space = Space::new(&recording, Marks::Any);
        let mut drawn = HashSet::new();
        for state in Strategy::Random.states(&space, seed) {
            let image = state.choices.image(&state.keep);
            assert!(drawn.insert((state.choices.event(), image)));
        }
        let mut all = HashSet::new();
        for cut in space.cuts() {
            let choices = space.choices(*cut).unwrap();
            if choices.len() > 12 {
                continue;
            }
            for bits in 0u32..1 << choices.len() {
                let keep = Keep::that(choices.len(), |i| (bits >> i) & 1 == 1);
                all.insert((*cut, choices.image(&keep)));
            }
            drawn.retain(|(at, image)| {
                at != cut || !all.contains(&(*at, *image)) || {
                    all.remove(&(*at, *image));
                    false
                }
            });
            assert!(all.is_empty(), "seed {seed}: {} not drawn", all.len());
        }
    }
}

#[test]
fn random_prefixes_show_every_content_of_every_cut() {
    for seed in 0..100 {
        let recording = History::random_prefixes(seed).done();
        let space = Space::new(&recording, Marks::Any);
        let image = |state: State<'_>| (state.choices.event(), state.choices.image(&state.keep));
        let drawn: HashSet<_> = Strategy::Random.states(&space, seed).map(image).collect();
        let mut all = HashSet::new();
        for cut in space.cuts() {
            let choices = space.choices(*cut).unwrap();
            let every = choices.every_prefix(usize::MAX).unwrap();
            all.extend(every.iter().map(|keep| (*cut, choices.image(keep))));
        }
        assert_eq!(drawn, all, "seed {seed}");
    }
}

#[test]
fn prefixes_are_torn_at_their_ends() {
    let words = ["a", "b", "c", "d"];
    let recording = History::new().prefixes().write_run(0, &words).done();
    let expected = ["0", "0-1", "0-2"].map(|keep| format!("k=2:keep={keep}"));
    assert_eq!(kept(&recording, Strategy::Tears), expected);
}

#[test]
fn ends_are_all_and_none_of_every_span() {
    let recording = History::new()
        .write(0, "a")
        .write(1, "b")
        .flush()
        .write(2, "c")
        .done();
    assert_eq!(
        kept(&recording, Strategy::Ends),
        [
            "k=5:keep=all",
            "k=5:keep=none",
            "k=8:keep=all",
            "k=8:keep=none"
        ]
    );
}

#[test]
fn prefix_goes_event_by_event() {
    let recording = History::new().write(0, "a").flush().done();
    assert_eq!(
        kept(&recording, Strategy::Prefix),
        [
            "k=0:keep=none",
            "k=1:keep=all",
            "k=2:keep=all",
            "k=3:keep=all",
            "k=4:keep=none"
        ]
    );
}

/// It would be held to fewer marks than were given before it began.
#[test]
fn a_recovery_is_cut_after_its_marks_alone() {
    let recording = History::new().mark("put").mark("del").write(0, "a").done();
    let space = Space::of_recovery(&recording);
    for strategy in ALL.into_iter() {
        let mut states = strategy.states(&space, 0);
        assert!(states.all(|state| state.choices.event() >= 2), "{strategy}");
    }
    assert_eq!(space.cuts(), [4]);
}

#[test]
fn one_is_dropped_or_kept_at_a_time() {
    let recording = History::new()
        .write(0, "a")
        .write_run(1, &["b", "c"])
        .write(0, "d")
        .done();
    assert_eq!(
        kept(&recording, Strategy::DropOne),
        ["k=6:keep=all", "k=6:keep=3", "k=6:keep=0-2"]
    );
    assert_eq!(
        kept(&recording, Strategy::KeepOne),
        ["k=6:keep=0", "k=6:keep=1-2", "k=6:keep=3"]
    );
}

#[test]
fn pairs_are_lost_or_kept_neighbours_first() {
    let recording = History::new()
        .write(0, "a")
        .write(1, "b")
        .write(2, "c")
        .done();
    let expected = ["2", "0-1", "0", "1-2", "1", "0,2"];
    let expected = expected.map(|keep| format!("k=6:keep={keep}"));
    assert_eq!(kept(&recording, Strategy::Pairs), expected);
}

#[test]
fn commits_are_torn_before_other_writes() {
    let recording = History::new()
        .write_run(0, &["a", "b", "c"])
        .bio(
            crate::abi::EntryOp::Write,
            crate::abi::Flags::FUA,
            4,
            &["d", "e"],
        )
        .done();
    let torn = kept(&recording, Strategy::Tears);
    // Before the FUA write is complete: its first unit, then its second.
    let expected = ["0-3", "0-2,4", "0-3", "0-2,4", "0-3", "0-2,4"];
    assert_eq!(torn[..6], expected.map(|keep| format!("k=3:keep={keep}")));
    assert_eq!(torn[6], "k=3:keep=0,3-4");
}

#[test]
fn a_write_that_changes_nothing_is_neither_dropped_nor_kept() {
    let recording = History::new()
        .base(1, "same")
        .write(0, "")
        .write(1, "same")
        .write(2, "new")
        .done();
    assert_eq!(kept(&recording, Strategy::KeepOne), ["k=6:keep=2"]);
}

#[test]
fn auto_begins_with_the_span_that_has_most_to_lose() {
    let recording = History::new()
        .write(0, "a")
        .flush()
        .write(1, "b")
        .mark("acked")
        .meta(2, "c")
        .done();
    let states = kept(&recording, Strategy::Auto);
    assert_eq!(
        states[..7],
        [
            "k=9:keep=all",
            "k=9:keep=none",
            "k=3:keep=all",
            "k=3:keep=none",
            "k=6:keep=all",
            "k=6:keep=none",
            // What was there when the mark was made.
            "k=9:keep=0",
        ]
    );
}

#[test]
fn acknowledged_begins_with_what_the_newest_mark_promises() {
    let recording = History::new()
        .write(0, "a")
        .flush()
        .mark("first")
        .write(1, "b")
        .mark("second")
        .meta(2, "c")
        .flush()
        .mark("third")
        .done();
    let states = kept(&recording, Strategy::Acknowledged);
    let last = recording.last_event();
    assert_eq!(states[0], format!("k={last}:keep=none"));
    // One of chance is between them. Both older marks are in one span.
    let (second, rest): (Vec<_>, Vec<_>) = states[3..5]
        .iter()
        .map(|state| state.split_once(':').unwrap())
        .unzip();
    assert_eq!(rest, ["keep=none", "keep=all"]);
    assert_eq!(second[0], second[1]);
}

/// Each id, and the image that it stands for, of the first states of `auto`.
fn auto_states(recording: &Recording) -> Vec<(String, u128)> {
    let space = Space::new(recording, Marks::Any);
    let states = Strategy::Auto.states(&space, 1).take(300);
    let told = states.map(|s| {
        let id = StateId::of(&s.choices, &s.keep).to_string();
        (id, s.choices.image(&s.keep))
    });
    told.collect()
}

/// What was found in one record with one version of this command has the same name with the next.
#[test]
fn the_states_of_auto_and_their_order_stay_as_they_are() {
    let hash = |states: Vec<(String, u128)>| xxh3_64(format!("{states:?}").as_bytes());
    for (kind, expected) in [
        (Kind::Sqlite, 0xdbef_09f9_72d0_d7d4),
        (Kind::Wal, 0x6a5c_50f1_8697_a0f7),
        (Kind::Untar, 0xac3e_8473_3d8f_4ddd),
        (Kind::Random, 0x250e_facd_49a1_d7c3),
        (Kind::Save, 0xaa09_7943_855a_18c9),
    ] {
        let made_up = MadeUp {
            kind,
            entries: 1700,
            flaw: None,
        };
        let recording = Recording::read(stream(made_up)).unwrap();
        assert_eq!(hash(auto_states(&recording)), expected, "{kind:?}");
    }
    let histories = (0..100).flat_map(|seed| {
        [
            History::random(seed),
            History::random_prefixes(seed),
            History::long(seed % 10),
        ]
    });
    let states = histories.flat_map(|history| auto_states(&history.done()));
    assert_eq!(hash(states.collect()), 0xa06d_b9b4_8ad6_f604);
}
