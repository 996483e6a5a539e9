// SPDX-License-Identifier: GPL-2.0

//! Ids of states, as they are pasted from reports.

use std::sync::LazyLock;

use powercut_engine::id::StateId;
use powercut_engine::recording::testing::History;
use powercut_engine::recording::Recording;
use powercut_engine::strategy::Space;

use super::Target;

/// What ids are looked up in.
static RECORDINGS: LazyLock<Vec<Recording>> = LazyLock::new(|| {
    let plain = (1..4).map(|seed| History::random(seed).done());
    let prefixes = (1..4).map(|seed| History::random_prefixes(seed).done());
    plain.chain(prefixes).collect()
});

pub const STATE_ID: Target = Target {
    name: "state_id",
    run: state_id,
    seeds,
    words: &[
        ":k=",
        ":keep=",
        "none",
        "all",
        ",",
        "-",
        ":faults=",
        "lost",
        "flush-lies",
        "stale",
        "0",
    ],
    inputs: 30_000,
};

/// All states at the ends of spans, with nothing, all, or every other piece kept.
fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = vec![b"5f0c2a19:k=812:keep=0-3,7:faults=flush-lies,lost".to_vec()];
    for recording in RECORDINGS.iter() {
        let space = Space::new(recording, Default::default());
        for choices in space.cuts().iter().filter_map(|cut| space.choices(*cut)) {
            let mut every_other = choices.none();
            (0..choices.len())
                .step_by(2)
                .for_each(|piece| every_other.insert(piece));
            for keep in [choices.none(), choices.all(), choices.legal(&every_other)] {
                seeds.push(StateId::of(&choices, &keep).to_string().into());
            }
        }
    }
    seeds
}

fn state_id(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let Ok(id) = text.parse::<StateId>() else {
        return;
    };
    let again: StateId = id
        .to_string()
        .parse()
        .expect("an id is read as it is shown");
    assert_eq!(again.to_string(), id.to_string());
    for recording in RECORDINGS.iter() {
        if let Ok((choices, keep)) = id.resolve(recording) {
            let canonical = StateId::of(&choices, &keep);
            let (there, kept) = canonical.resolve(recording).expect("its own id is found");
            assert_eq!(there.image(&kept), choices.image(&keep));
        }
    }
}
