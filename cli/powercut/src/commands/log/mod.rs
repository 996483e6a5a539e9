// SPDX-License-Identifier: GPL-2.0

//! `powercut log`: what a disk went through, entry by entry, as it is read.

pub mod filter;
mod line;
mod page;

use std::io::{BufWriter, Read, Write};

use anyhow::Result;
use powercut_engine::abi::{EntryOp, Reader};

use crate::args::LogArgs;
use crate::device::Root;
use crate::exit::Exit;
use crate::options;
use crate::output::{say, unless_closed};
use crate::report::{Saved, DEFAULT_DIR};
use filter::Filter;
use page::{Page, Step};

pub fn log(args: &LogArgs) -> Result<Exit> {
    match &args.name {
        Some(name) => {
            let name = options::name(name)?;
            let root = Root::open()?;
            let disk = root.disk(&name)?;
            show(
                args,
                Reader::new(root.control().log(disk.name().as_str())?)?,
            )
        }
        None => {
            let dir = args.report.clone();
            let dir = dir.unwrap_or_else(|| DEFAULT_DIR.into());
            show(args, Reader::new(Saved::at(dir).stream()?)?)
        }
    }
}

fn show(args: &LogArgs, mut reader: Reader<impl Read>) -> Result<Exit> {
    let filter = Filter::new(&args.filter, &reader.header().members)?;
    let mut page = Page::new(filter, args.offset, args.limit);
    let mut out = BufWriter::new(std::io::stdout().lock());
    unless_closed(entries(&mut out, &mut reader, &mut page, args.json))?;
    drop(out);
    if let Some(next) = page.next_offset() {
        say(format_args!("there is more: --offset {next}"));
    }
    if reader.header().truncated != 0 {
        let event = reader.header().truncated;
        say(format_args!(
            "warning: the log ended at event {event}, when its memory ran out"
        ));
    }
    Ok(Exit::NoViolation)
}

fn entries(
    out: &mut impl Write,
    reader: &mut Reader<impl Read>,
    page: &mut Page,
    json: bool,
) -> Result<()> {
    if !json {
        line::titles(out)?;
    }
    let mut payload = Vec::new();
    let members = reader.header().members.clone();
    while let Some(entry) = reader.next_entry(&mut payload)? {
        if entry.op == EntryOp::Base {
            continue;
        }
        let text = match entry.op {
            EntryOp::Mark => String::from_utf8_lossy(&payload),
            _ => "".into(),
        };
        let step = page.take(entry, &text, |entry, text| {
            if json {
                serde_json::to_writer(&mut *out, &line::line(entry, text, &members))?;
                out.write_all(b"\n")?;
            } else {
                line::row(out, entry, text, &members)?;
            }
            Ok(())
        })?;
        if step == Step::Done {
            break;
        }
    }
    Ok(out.flush()?)
}
