// SPDX-License-Identifier: GPL-2.0

//! Values of options that are types from elsewhere, with their help.

use std::ffi::OsStr;

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser, ValueParserFactory};
use clap::{Arg, Command, ValueEnum};
use powercut_engine::marks::Marks;
use powercut_engine::strategy::Strategy;
use powercut_engine::tear::Tear;

use crate::fs::Fs;

/// A type of the engine, as clap takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Value<T>(pub T);

impl<T: std::fmt::Display> std::fmt::Display for Value<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl ValueEnum for Value<Strategy> {
    fn value_variants<'a>() -> &'a [Self] {
        const ALL: [Value<Strategy>; Strategy::ALL.len()] = {
            let mut all = [Value(Strategy::Auto); Strategy::ALL.len()];
            let mut at = 0;
            while at < all.len() {
                all[at] = Value(Strategy::ALL[at]);
                at += 1;
            }
            all
        };
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let help = match self.0 {
            Strategy::Auto => "What finds most, then all legal states and random ones in turn",
            Strategy::Acknowledged => {
                "At each mark, the newest first: everything lost, everything kept; then as auto"
            }
            Strategy::Ends => {
                "At the end of every span between flushes: everything lost, everything kept"
            }
            Strategy::Prefix => {
                "The cut after every single event, everything kept: crashes without reordering"
            }
            Strategy::DropOne => "At the end of every span: one write lost",
            Strategy::KeepOne => "At the end of every span: one write kept",
            Strategy::Pairs => "At the end of every span: two writes lost, or two kept",
            Strategy::Tears => "At the end of every span: one write torn, in several ways",
            Strategy::Rollback => {
                "At the end of every span: the disk as it was a while ago, as far back as no flush \
                 holds it (with flush-lies and fua-ignored: to its base)"
            }
            Strategy::Random => "Any legal state, by the seed",
            Strategy::Exhaustive => {
                "All legal states, one run for all that a check can't tell apart"
            }
        };
        Some(PossibleValue::new(self.0.name()).help(help))
    }
}

impl ValueEnum for Value<Tear> {
    fn value_variants<'a>() -> &'a [Self] {
        &[Value(Tear::Any), Value(Tear::Prefix), Value(Tear::Rmw)]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let (name, help) = match self.0 {
            Tear::Any => ("any", "Any of their units survive"),
            Tear::Prefix => ("prefix", "Their first units survive: none, some or all"),
            Tear::Rmw => (
                "rmw",
                "Any survive, and a write of a part of a physical block (4096 bytes; needs \
                 --block-size 512) may cost the rest of that block",
            ),
        };
        Some(PossibleValue::new(name).help(help))
    }
}

impl ValueEnum for Value<Marks> {
    fn value_variants<'a>() -> &'a [Self] {
        &[Value(Marks::Any), Value(Marks::Monotone)]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let help = match self.0 {
            Marks::Any => "Anything: a key that was put and then deleted need not be there",
            Marks::Monotone => "What fails with some fails with more: fewer cuts are looked at",
        };
        Some(PossibleValue::new(self.0.name()).help(help))
    }
}

/// What shows the states of a recording, and makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BackendArg {
    /// The powercut module if it is loaded, else ublk if the kernel has it, else nbd
    Auto,
    /// The powercut module
    Module,
    /// This command, by the kernel's ublk: for kernels without the module, from Linux 6.5 on
    Ublk,
    /// This command, by the kernel's NBD client: for any kernel
    Nbd,
}

/// Takes any name of a filesystem; those that something is known of are what a shell completes.
#[derive(Debug, Clone)]
pub struct FsParser;

impl ValueParserFactory for Fs {
    type Parser = FsParser;

    fn value_parser() -> FsParser {
        FsParser
    }
}

impl TypedValueParser for FsParser {
    type Value = Fs;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &OsStr,
    ) -> Result<Fs, clap::Error> {
        let parser = StringValueParser::new().try_map(|text| text.parse::<Fs>());
        parser.parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(Fs::names().map(PossibleValue::new)))
    }
}
