// SPDX-License-Identifier: GPL-2.0

//! The file as tables of keys and values, each with its place for messages.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{anyhow, Context, Result};
use serde::Deserialize;
use toml::{Spanned, Value};

/// A key and its value; places are offsets in bytes.
#[derive(Debug)]
pub struct Entry {
    pub key: String,
    pub key_at: usize,
    pub value: Value,
    pub value_at: usize,
}

/// The keys of `[defaults]`, or of one `[[case]]`, as they come in the file.
#[derive(Debug, Default)]
pub struct Section {
    pub at: usize,
    pub entries: Vec<Entry>,
}

#[derive(Debug)]
pub struct File {
    path: PathBuf,
    text: String,
    defaults: Section,
    cases: Vec<Section>,
}

type Table = BTreeMap<Spanned<String>, Spanned<Value>>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    defaults: Table,
    #[serde(default, rename = "case")]
    cases: Vec<Spanned<Table>>,
}

impl Section {
    fn new(at: usize, table: Table) -> Self {
        let mut entries: Vec<Entry> = table
            .into_iter()
            .map(|(key, value)| Entry {
                key_at: key.span().start,
                key: key.into_inner(),
                value_at: value.span().start,
                value: value.into_inner(),
            })
            .collect();
        entries.sort_by_key(|entry| entry.key_at);
        Self { at, entries }
    }

    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }
}

impl File {
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path);
        let text = text.with_context(|| format!("cannot read {}", path.display()))?;
        let mut file = Self {
            path: path.into(),
            text,
            defaults: Section::default(),
            cases: Vec::new(),
        };
        let document: Document = toml::from_str(&file.text).map_err(|e| {
            let at = e.span().map_or(0, |span| span.start);
            file.error(at, e.message().replace('\n', ", "))
        })?;
        file.defaults = Section::new(0, document.defaults);
        let cases = document.cases.into_iter();
        file.cases = cases
            .map(|case| Section::new(case.span().start, case.into_inner()))
            .collect();
        Ok(file)
    }

    pub fn defaults(&self) -> &Section {
        &self.defaults
    }

    pub fn cases(&self) -> &[Section] {
        &self.cases
    }

    /// The line of a place, from 1.
    pub fn line(&self, at: usize) -> usize {
        self.before(at).matches('\n').count() + 1
    }

    fn before(&self, at: usize) -> &str {
        self.text.get(..at).unwrap_or(&self.text)
    }

    /// What is wrong at a place: FILE:LINE:COLUMN: MESSAGE.
    pub fn error(&self, at: usize, says: String) -> anyhow::Error {
        let line = self.line(at);
        let column = self
            .before(at)
            .rsplit('\n')
            .next()
            .unwrap_or("")
            .chars()
            .count()
            + 1;
        anyhow!("{}:{line}:{column}: {says}", self.path.display())
    }
}
