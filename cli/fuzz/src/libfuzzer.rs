// SPDX-License-Identifier: GPL-2.0

//! libFuzzer on the target that FUZZ_TARGET names. With FUZZ_CORPUS=DIR, writes there what the targets
//! begin with instead, and prints their names.

#![no_main]

use std::io::Write;
use std::sync::LazyLock;

use powercut_fuzz::{write_corpus, Target, TARGETS};

static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").expect("FUZZ_TARGET names a target");
    let mut targets = TARGETS.iter();
    targets
        .find(|target| target.name == name)
        .expect("there is such a target")
});

fn begin() {
    let Some(dir) = std::env::var_os("FUZZ_CORPUS") else {
        return;
    };
    for target in &TARGETS {
        write_corpus(target, dir.as_ref()).expect("room for the corpus");
        writeln!(std::io::stdout(), "{}", target.name).expect("somebody reads the names");
    }
    std::process::exit(0);
}

libfuzzer_sys::fuzz_target!(init: begin(), |input: &[u8]| (TARGET.run)(input));
