// SPDX-License-Identifier: GPL-2.0

//! `export` and `import`: a record as a file, an LZ4 frame of what the driver gives.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;

use anyhow::{bail, Context, Result};
use lz4_flex::frame::{FrameDecoder, FrameEncoder};
use powercut_engine::recording::Recording;

use super::log_writes;
use super::manage::{own_name, settings_of};
use crate::args::{ExportArgs, Foreign, ImportArgs};
use crate::device::{when_closed, Disk, Name, Root};
use crate::examination::Examination;
use crate::exit::Exit;
use crate::options;
use crate::output::print;
use crate::report::Saved;
use crate::whole_file::write_whole;

pub fn export(args: &ExportArgs) -> Result<Exit> {
    match args.format {
        Some(Foreign::LogWrites) => return log_writes::export(args),
        None => {}
    }
    let name = options::name(&args.record)?;
    let root = Root::open()?;
    root.disk(&name)?;
    save(&root, name.as_str(), &args.file)?;
    Ok(Exit::NoViolation)
}

/// Writes the record of a disk to a file, which is there whole or as it was.
pub fn save(root: &Root, disk: &str, file: &Path) -> Result<()> {
    let mut stream = root.control().export(disk)?;
    write_whole(file, |out| {
        let mut encoder = FrameEncoder::new(BufWriter::new(out));
        io::copy(&mut stream, &mut encoder)?;
        encoder.finish()?.flush()?;
        Ok(())
    })
}

pub fn import(args: &ImportArgs) -> Result<Exit> {
    let name = match (args.format, &args.name) {
        (Some(Foreign::LogWrites), _) => return log_writes::import(args),
        (None, Some(name)) => options::name(name)?,
        (None, None) => bail!("give the name of the disk to make"),
    };
    let root = Root::open()?;
    let open = || -> Result<_> {
        let file = File::open(&args.file)
            .with_context(|| format!("cannot read {}", args.file.display()))?;
        Ok(BufReader::with_capacity(
            1 << 20,
            FrameDecoder::new(BufReader::new(file)),
        ))
    };
    let recording = Recording::read(open()?).with_context(|| {
        format!(
            "{} is not a record that `powercut export` wrote",
            args.file.display()
        )
    })?;
    let disk = root.create(&name, &settings_of(&recording))?;
    import_stream(&root, &name, open)?;
    print(format_args!("{}\n", disk.nodes().whole().display()))?;
    disk.leave();
    Ok(Exit::NoViolation)
}

/// A new disk with the recording of a report, or of a file, for states that are examined like that.
pub fn import_as_new(root: &Root, saved: &Saved, what: &Examination) -> Result<Disk> {
    let recording = saved.recording()?;
    let settings = what.disk(settings_of(&recording));
    let disk = root.create(&own_name("import", &settings)?, &settings)?;
    import_stream(root, disk.name(), || saved.stream()).with_context(|| {
        let from = saved.dir().display();
        format!("cannot bring back the recording of {from}")
    })?;
    Ok(disk)
}

/// As often as it takes until nobody has the disk open when all has arrived.
pub(super) fn import_stream<R: Read, E: Into<anyhow::Error>>(
    root: &Root,
    name: &Name,
    open: impl Fn() -> Result<R, E>,
) -> Result<()> {
    when_closed(|| match open() {
        Ok(stream) => root.control().import(name.as_str(), stream).map(Ok),
        Err(e) => Ok(Err(e)),
    })?
    .map_err(Into::into)
}
