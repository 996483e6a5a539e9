// SPDX-License-Identifier: GPL-2.0

//! From a key and its value to the words of a command line, by the definition of the options.

use std::ffi::{OsStr, OsString};

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, FromArgMatches};
use toml::Value;

use super::file::Entry;
use crate::args::{case_command, RunArgs, NOT_OF_A_CASE};

/// Below this likeness, a key is not what was meant by another.
const ALIKE: f64 = 0.7;

/// Keys that are no options, and are a case's own.
pub const OF_A_CASE: [&str; 2] = ["name", "expect"];

/// What is wrong, and at which byte of the file.
#[derive(Debug)]
pub struct Wrong {
    pub at: usize,
    pub says: String,
}

/// An option with its value as one word, whatever the value begins with.
pub fn option(name: &str, value: &OsStr) -> OsString {
    let mut word = OsString::from(format!("--{name}="));
    word.push(value);
    word
}

/// The words for an entry.
pub fn of(entry: &Entry) -> Result<Vec<OsString>, Wrong> {
    let key = entry.key.as_str();
    let command = case_command();
    let mut args = command.get_arguments();
    let Some(arg) = args.find(|arg| arg.get_long() == Some(key)) else {
        return Err(Wrong {
            at: entry.key_at,
            says: unknown(key),
        });
    };
    if NOT_OF_A_CASE.contains(&key) {
        return Err(Wrong {
            at: entry.key_at,
            says: format!("{key} is not a case's own: give --{key} on the command line, for all"),
        });
    }
    let wrong = |says: String| Wrong {
        at: entry.value_at,
        says,
    };
    match (arg.get_action(), &entry.value) {
        (ArgAction::SetTrue, Value::Boolean(true)) => Ok(vec![format!("--{key}").into()]),
        (ArgAction::SetTrue, Value::Boolean(false)) => Ok(Vec::new()),
        (ArgAction::Append, Value::Array(values)) => {
            let one = |value| word(arg, key, value);
            let words: Result<_, _> = values.iter().map(one).collect();
            words.map_err(wrong)
        }
        (_, value) => word(arg, key, value).map(|word| vec![word]).map_err(wrong),
    }
}

/// The word for one value.
fn word(arg: &Arg, key: &str, value: &Value) -> Result<OsString, String> {
    let is_command = arg.get_value_names().is_some_and(|names| names == ["CMD"]);
    match (arg.get_action(), value) {
        (ArgAction::Set | ArgAction::Append, Value::String(text)) => Ok(option(key, text.as_ref())),
        (ArgAction::Set, Value::Integer(number)) if !is_command => {
            Ok(option(key, number.to_string().as_ref()))
        }
        (action, other) => Err(format!(
            "{key} is {}: give {}",
            sort(other),
            match action {
                ArgAction::SetTrue => "true or false",
                ArgAction::Append => "a string, or an array of strings",
                _ if is_command => "a command as a string",
                _ => "a string or an integer",
            }
        )),
    }
}

/// What sort of value it is: a string, an integer.
pub fn sort(value: &Value) -> String {
    match value.type_str() {
        found @ ("array" | "integer") => format!("an {found}"),
        found => format!("a {found}"),
    }
}

fn unknown(key: &str) -> String {
    if OF_A_CASE.contains(&key) {
        return format!("{key} is for a [[case]], not for all");
    }
    let command = case_command();
    let longs = command.get_arguments().filter_map(Arg::get_long);
    let keys = longs.filter(|long| !NOT_OF_A_CASE.contains(long));
    let keys = keys.chain(OF_A_CASE);
    let likeness = |other: &str| strsim::jaro(key, other);
    let nearest = keys.max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    match nearest.filter(|nearest| likeness(nearest) > ALIKE) {
        Some(nearest) => format!("unknown key {key}: did you mean {nearest}?"),
        None => format!("unknown key {key}: keys are the long options of `powercut run`"),
    }
}

/// Reads the words as the options of one case.
pub fn parse(words: &[OsString]) -> Result<RunArgs, String> {
    let given = case_command().try_get_matches_from(words);
    let args = given.and_then(|given| RunArgs::from_arg_matches(&given));
    args.map_err(|e| told(&e))
}

/// What clap says, without what is only true of a command line.
fn told(error: &clap::Error) -> String {
    if let (ErrorKind::MissingRequiredArgument, Some(ContextValue::Strings(missing))) =
        (error.kind(), error.get(ContextKind::InvalidArg))
    {
        let keys = missing.iter().filter_map(|arg| arg.split(' ').next());
        let keys: Vec<&str> = keys.map(|arg| arg.trim_start_matches('-')).collect();
        return format!("{} is missing", keys.join(", "));
    }
    let text = error.to_string();
    let text = text.split("\n\nUsage").next().unwrap_or_default();
    let text = text.split("\n\nFor more").next().unwrap_or_default();
    let text = text.trim_start_matches("error: ");
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ")
}

/// Whether a message names an option.
pub fn names(says: &str, key: &str) -> bool {
    let option = format!("--{key}");
    says.match_indices(&option).any(|(at, _)| {
        let next = says[at + option.len()..].chars().next();
        !next.is_some_and(|c| c.is_ascii_alphanumeric() || c == '-')
    })
}
