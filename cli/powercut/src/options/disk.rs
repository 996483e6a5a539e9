// SPDX-License-Identifier: GPL-2.0

//! The properties of a disk.

use anyhow::{anyhow, bail, Context, Result};
use powercut_engine::members::{Member, Members};
use powercut_engine::tear::Tear;

use crate::args::{self, Switch};
use crate::device::{variable, Settings};
use crate::size;

/// The default size of a disk, in MiB.
const DEFAULT_MIB: u64 = 64;

pub fn settings(args: &args::DiskArgs, default_mib: Option<u64>) -> Result<Settings> {
    let members = match &args.disks {
        Some(text) => members(text).context("--disks")?,
        None => Members::default(),
    };
    let size_mib = match &args.size {
        _ if !members.is_empty() => members.sectors() >> 11,
        Some(size) => size::disk_mib(size).context("--size")?,
        None => default_mib.unwrap_or(DEFAULT_MIB),
    };
    let block_size = args.block_size;
    if !matches!(block_size, 512 | 4096) {
        bail!("--block-size {block_size}: a block has 512 or 4096 bytes");
    }
    if let Some(unit) = args.atomic_unit {
        if !unit.is_power_of_two() || !(block_size..=65536).contains(&unit) {
            bail!(
                "--atomic-unit {unit}: give a power of two from the block size, {block_size}, to 65536"
            );
        }
    }
    if args.tear.0 == Tear::Rmw && (block_size, args.atomic_unit.unwrap_or(512)) != (512, 512) {
        bail!(
            "--tear rmw is about writes smaller than a physical block of 4096 bytes: it needs \
             --block-size 512, and an atomic unit as large"
        );
    }
    let write_cache = args.write_cache == Switch::On;
    let fua = args.fua.map_or(write_cache, |fua| fua == Switch::On);
    if fua && !write_cache {
        bail!("--fua on needs --write-cache on: without a cache every write is forced");
    }
    let completion = args
        .completion
        .parse()
        .map_err(|e| anyhow!("--completion {e}"))?;
    let discard_content = args.discard_content.parse();
    let discard_content = discard_content.map_err(|e| anyhow!("--discard-content {e}"))?;
    Ok(Settings {
        size_mib,
        members,
        block_size,
        atomic_unit: args.atomic_unit.unwrap_or(0),
        tear: args.tear.0,
        write_cache,
        fua,
        completion,
        discard_content,
        partscan: true,
        stacks: args.stacks,
        log_limit_mib: log_limit(args)?,
    })
}

fn log_limit(args: &args::DiskArgs) -> Result<Option<u64>> {
    match args.log_limit.as_deref() {
        None => Ok(None),
        Some("none") => Ok(Some(0)),
        Some(text) => Ok(Some(size::disk_mib(text).context("--log-limit")?)),
    }
}

/// The disks of a group: `data:48M,log:16M`.
fn members(text: &str) -> Result<Members> {
    let mut members: Vec<Member> = Vec::new();
    for word in text.split(',') {
        let Some((name, size)) = word.split_once(':') else {
            bail!("{word:?}: give a name and a size for each disk, as data:48M,log:16M");
        };
        let sectors = size::disk_mib(size).with_context(|| format!("disk {name}"))? << 11;
        let twin = members.iter().find(|m| variable(&m.name) == variable(name));
        if let Some(twin) = twin.filter(|twin| twin.name != name) {
            let twin = &twin.name;
            bail!("disks {twin} and {name} would both be ${}", variable(name));
        }
        let name = name.into();
        members.push(Member { name, sectors });
    }
    let members = Members::new(members).map_err(anyhow::Error::msg)?;
    if members.sectors() > 1 << 35 {
        bail!("a group has 16 TiB at most");
    }
    Ok(members)
}
