// SPDX-License-Identifier: GPL-2.0

//! How the sources hang together: no module uses one that uses it in turn, and the engine knows
//! neither command line nor process.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The modules of a crate by their path, such as `explore::tree`; the crate root is ``.
type Modules = BTreeMap<String, String>;

/// Which modules each one uses.
type Uses = BTreeMap<String, BTreeSet<String>>;

fn join(module: &str, name: &str) -> String {
    if module.is_empty() {
        name.to_string()
    } else {
        format!("{module}::{name}")
    }
}

fn source(krate: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(krate)
}

fn modules(dir: &Path, path: &str, modules: &mut Modules) {
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        let inner = |name: &str| join(path, name);
        if entry.path().is_dir() {
            self::modules(&entry.path(), &inner(&name), modules);
            continue;
        }
        let Some(stem) = name.strip_suffix(".rs") else {
            continue;
        };
        let module = match stem {
            "main" => continue,
            "lib" | "mod" => path.to_string(),
            // They may use what they like.
            "tests" | "testing" | "trial" => continue,
            stem => inner(stem),
        };
        let text = fs::read_to_string(entry.path()).unwrap();
        modules.insert(module, text);
    }
}

/// Without what is compiled for tests alone, which stands at the end, and comments.
fn code(text: &str) -> String {
    let end = text.find("#[cfg(test)]\nmod tests").unwrap_or(text.len());
    let lines = text[..end].lines();
    let code = lines.map(|line| line.split("//").next().unwrap_or_default());
    code.collect::<Vec<_>>().join("\n")
}

/// The paths after each `crate::` and `super::` in a text, each `{}` taken apart.
fn paths(code: &str, module: &str) -> Vec<String> {
    let parent = |module: &str| match module.rsplit_once("::") {
        Some((parent, _)) => parent.to_string(),
        None => String::new(),
    };
    let mut paths = Vec::new();
    for root in ["crate::", "super::"] {
        for (at, _) in code.match_indices(root) {
            let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
            if code[..at].ends_with(is_word) {
                continue;
            }
            let mut base = match root {
                "crate::" => String::new(),
                _ => parent(module),
            };
            let mut rest = &code[at + root.len()..];
            while let Some(after) = rest.strip_prefix("super::") {
                (base, rest) = (parent(&base), after);
            }
            tree(&base, rest, &mut paths);
        }
    }
    paths
}

/// Takes one path of a `use` apart, or several in braces; what follows it is left.
fn tree<'t>(base: &str, text: &'t str, paths: &mut Vec<String>) -> &'t str {
    let mut text = text.trim_start();
    if let Some(inner) = text.strip_prefix('{') {
        text = inner.trim_start();
        while !text.is_empty() && !text.starts_with('}') {
            text =
                tree(base, text, paths).trim_start_matches(|c: char| c == ',' || c.is_whitespace());
        }
        return text.strip_prefix('}').unwrap_or(text);
    }
    let end = text
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    if let Some(inner) = rest.strip_prefix("::") {
        return tree(&join(base, name), inner, paths);
    }
    paths.push(join(base, name));
    // `*`, ` as other`
    let end = rest.find([',', '}', ';']).unwrap_or(rest.len());
    &rest[end..]
}

/// The innermost module that a path leads to, by way of what modules show of those within them.
fn owner<'m>(
    modules: &'m Modules,
    shown: &BTreeMap<String, String>,
    path: &str,
) -> Option<&'m str> {
    let mut path = shown.get(path).map_or(path, String::as_str);
    loop {
        if let Some((module, _)) = modules.get_key_value(path) {
            return Some(module).filter(|m| !m.is_empty()).map(String::as_str);
        }
        path = path.rsplit_once("::")?.0;
    }
}

/// What `pub use inner::Name` shows: where `Name` is, by the path it is shown at.
fn shown(modules: &Modules) -> BTreeMap<String, String> {
    let mut shown = BTreeMap::new();
    for (module, text) in modules {
        let code = code(text);
        for (at, pub_use) in code.match_indices("pub use ") {
            let mut paths = Vec::new();
            tree(module, &code[at + pub_use.len()..], &mut paths);
            for path in paths {
                let name = path.rsplit("::").next().unwrap_or_default();
                shown.insert(join(module, name), path.clone());
            }
        }
    }
    shown
}

fn uses(modules: &Modules) -> Uses {
    let shown = shown(modules);
    let of = |module: &String, text: &String| {
        let paths = paths(&code(text), module);
        let owners = paths.iter().filter_map(|path| owner(modules, &shown, path));
        let owners = owners.filter(|owner| owner != module);
        (module.clone(), owners.map(String::from).collect())
    };
    modules
        .iter()
        .map(|(module, text)| of(module, text))
        .collect()
}

/// The first circle found, if there is one.
fn circle(uses: &Uses) -> Option<Vec<String>> {
    fn visit(at: &str, uses: &Uses, path: &mut Vec<String>, done: &mut BTreeSet<String>) -> bool {
        if done.contains(at) {
            return false;
        }
        if let Some(begin) = path.iter().position(|module| module == at) {
            path.drain(..begin);
            return true;
        }
        path.push(at.into());
        for next in uses.get(at).into_iter().flatten() {
            if visit(next, uses, path, done) {
                return true;
            }
        }
        path.pop();
        done.insert(at.into());
        false
    }
    let (mut path, mut done) = (Vec::new(), BTreeSet::new());
    let found = uses
        .keys()
        .any(|module| visit(module, uses, &mut path, &mut done));
    found.then_some(path)
}

/// The outermost module.
fn top(module: &str) -> &str {
    module.split("::").next().unwrap_or_default()
}

/// Of a crate, once by its files, once by its top modules, with all within each.
fn uses_of(krate: &str) -> [Uses; 2] {
    let mut all = Modules::new();
    modules(&source(krate).join("src"), "", &mut all);
    let files = uses(&all);
    let mut tops = Uses::new();
    for (module, used) in &files {
        let of = tops.entry(top(module).to_string()).or_default();
        let used = used.iter().map(|used| top(used));
        of.extend(used.filter(|used| *used != top(module)).map(String::from));
    }
    [files, tops]
}

fn table(text: &[(&str, &str)]) -> Modules {
    let module = |(module, text): &(&str, &str)| (module.to_string(), text.to_string());
    text.iter().map(module).collect()
}

#[test]
fn a_circle_is_found_however_it_is_written() {
    for (a, b) in [
        ("use crate::b::B;", "use crate::a::A;"),
        (
            "use crate::{\n    x::X,\n    b::{B, C},\n};",
            "use super::a;",
        ),
        ("fn f() { crate::b::f() }", "use crate::a::{self, A};"),
        ("use crate::b::*;", "use crate::a as other;"),
        ("use super::b;", "use crate::A;"),
    ] {
        let root = "pub use a::A;";
        let uses = uses(&table(&[("", root), ("a", a), ("b", b), ("x", "")]));
        assert_eq!(circle(&uses), Some(vec!["a".into(), "b".into()]), "{a} {b}");
    }
    let within = [
        ("a", "mod b;\nmod c;\npub use b::B;"),
        ("a::b", "use super::super::a::c::C;"),
        ("a::c", "use super::B;"),
    ];
    assert!(circle(&uses(&table(&within))).is_some());
}

#[test]
fn what_is_no_circle_is_none() {
    for (a, b) in [
        ("use crate::b::B;", "// crate::a is not used"),
        (
            "use crate::b::B;",
            "#[cfg(test)]\nmod tests {\n use crate::a; }",
        ),
        ("use crate::b::B;", "use other_crate::a;"),
        ("use crate::x::{b, c};", "use crate::a;"),
    ] {
        let uses = uses(&table(&[("", ""), ("a", a), ("b", b), ("x", "")]));
        assert_eq!(circle(&uses), None, "{a} {b}");
    }
}

#[test]
fn no_module_uses_one_that_uses_it() {
    for krate in ["engine", "powercut"] {
        for uses in uses_of(krate) {
            let found = circle(&uses);
            assert!(found.is_none(), "{krate}: {}", found.unwrap().join(" -> "));
        }
    }
}

#[test]
fn the_engine_knows_neither_command_line_nor_process() {
    let manifest = fs::read_to_string(source("engine").join("Cargo.toml")).unwrap();
    let dependencies = manifest.split("[dependencies]").nth(1).unwrap();
    for name in ["clap", "rustix", "signal-hook", "indicatif", "libc"] {
        let used = dependencies.lines().any(|line| line.starts_with(name));
        assert!(!used, "{name}");
    }
    let mut all = Modules::new();
    modules(&source("engine").join("src"), "", &mut all);
    assert!(all.len() > 20, "{all:?}");
    for (module, text) in &all {
        let code = code(text);
        for name in [
            "clap::",
            "rustix::",
            "signal_hook::",
            "std::process",
            "println!",
        ] {
            assert!(!code.contains(name), "{module} has {name}");
        }
    }
}
