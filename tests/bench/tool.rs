// SPDX-License-Identifier: GPL-2.0

//! What `make bench` times that fio can't: one line of JSON on standard output.
//!
//! - `fill DEVICE OFFSET BYTES COUNT FLUSH`: COUNT direct writes of 4 KiB at random places of the
//!   BYTES from OFFSET on (one after the other, if COUNT is all of it), a flush after every
//!   FLUSH of them (0: none).
//! - `replay LOG TARGET LIMIT`: replays a dm-log-writes log up to entry LIMIT, from the
//!   start, as its format is documented.
//! - `switch DISK VIEW PLACE ROUNDS STATE..`: points a crash-state disk at each state in turn
//!   and reads 4 KiB at PLACE.
//! - `stream REQUEST`: reads an answer of the control device to its end.

use std::{
    env,
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{FileExt, OpenOptionsExt},
    time::Instant,
};

const O_DIRECT: i32 = 0o40000;
const PAGE: usize = 4096;

/// A buffer for direct I/O.
struct Aligned {
    bytes: Vec<u8>,
    start: usize,
    len: usize,
}

impl Aligned {
    fn new(len: usize) -> Self {
        let bytes = vec![0x5a; len + PAGE];
        let start = bytes.as_ptr().align_offset(PAGE);
        Self { bytes, start, len }
    }

    fn get(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..self.start + self.len]
    }
}

fn open(path: &str, write: bool, direct: bool) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(write)
        .custom_flags(if direct { O_DIRECT } else { 0 })
        .open(path)
}

fn invalid(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

fn number(text: &str) -> io::Result<u64> {
    text.parse().map_err(|_| invalid(text))
}

fn fill(device: &str, offset: u64, bytes: u64, count: u64, flush: u64) -> io::Result<String> {
    let file = open(device, true, true)?;
    let mut data = Aligned::new(PAGE);
    let nr_pages = bytes / PAGE as u64;
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let began = Instant::now();
    for index in 0..count {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let page = if count == nr_pages {
            index
        } else {
            random % nr_pages
        };
        data.get()[..8].copy_from_slice(&index.to_le_bytes());
        file.write_all_at(data.get(), offset + page * PAGE as u64)?;
        if flush != 0 && index % flush == flush - 1 {
            file.sync_data()?;
        }
    }
    let ns = began.elapsed().as_nanos();
    Ok(format!("{{\"ns\": {ns}, \"writes\": {count}}}"))
}

fn le64(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap_or_default())
}

const MAGIC: u64 = 0x006a_7366_7773_6872;
const DISCARD: u64 = 4;

/// The log is read in large pieces, each once.
struct Log {
    file: File,
    piece: Aligned,
    first: u64,
    filled: usize,
}

impl Log {
    const PIECE: usize = 4 << 20;

    /// The `len` bytes at `offset`, which only moves forward.
    fn at(&mut self, offset: u64, len: usize) -> io::Result<&mut [u8]> {
        let end = self.first + self.filled as u64;
        if offset < self.first || offset + len as u64 > end {
            self.first = offset - offset % PAGE as u64;
            self.filled = self.file.read_at(self.piece.get(), self.first)?;
        }
        let start = (offset - self.first) as usize;
        let filled = self.filled;
        self.piece.get()[..filled]
            .get_mut(start..start + len)
            .ok_or_else(|| invalid("the log ends early"))
    }
}

fn replay(log: &str, target: &str, limit: u64) -> io::Result<String> {
    let began = Instant::now();
    let mut log = Log {
        file: open(log, false, true)?,
        piece: Aligned::new(Log::PIECE),
        first: 0,
        filled: 0,
    };
    let target = open(target, true, true)?;
    let mut out = Aligned::new(1 << 20);

    let header = log.at(0, 512)?;
    if le64(header, 0) != MAGIC || le64(header, 8) != 1 {
        return Err(invalid("not a dm-log-writes log"));
    }
    let nr_entries = le64(header, 16);
    let sector = u64::from(u32::from_le_bytes(
        header[24..28].try_into().unwrap_or_default(),
    ));
    let mut offset = sector;
    let mut done = 0;
    while done < nr_entries.min(limit) {
        let entry = log.at(offset, sector as usize)?;
        let (at, len, flags) = (le64(entry, 0), le64(entry, 8), le64(entry, 16));
        offset += sector;
        let (mut at, mut left) = (at * sector, len * sector);
        while left > 0 {
            let part = left.min(out.len as u64) as usize;
            if flags & DISCARD == 0 {
                let data = log.at(offset, part)?;
                out.get()[..part].copy_from_slice(data);
                offset += part as u64;
            } else {
                out.get()[..part].fill(0);
            }
            target.write_all_at(&out.get()[..part], at)?;
            at += part as u64;
            left -= part as u64;
        }
        done += 1;
    }
    let ns = began.elapsed().as_nanos();
    Ok(format!("{{\"ns\": {ns}, \"entries\": {done}}}"))
}

fn median(mut values: Vec<u128>) -> u128 {
    values.sort_unstable();
    values[values.len() / 2]
}

fn switch(
    view: &str,
    device: &str,
    place: u64,
    rounds: u64,
    states: &[String],
) -> io::Result<String> {
    let mut page = Aligned::new(PAGE);
    let (mut switches, mut reads, mut opens) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        let state = &states[round as usize % states.len()];
        let mut attribute = OpenOptions::new().write(true).open(view)?;
        let began = Instant::now();
        attribute.write_all(state.as_bytes())?;
        switches.push(began.elapsed().as_nanos());
        drop(attribute);
        let file = open(device, false, true)?;
        opens.push(began.elapsed().as_nanos());
        file.read_exact_at(page.get(), place)?;
        reads.push(began.elapsed().as_nanos());
    }
    Ok(format!(
        "{{\"switch_ns\": {}, \"open_ns\": {}, \"read_ns\": {}}}",
        median(switches),
        median(opens),
        median(reads)
    ))
}

fn stream(request: &str) -> io::Result<String> {
    let mut control = open("/dev/powercut-control", true, false)?;
    let mut buffer = vec![0; 1 << 20];
    let began = Instant::now();
    control.write_all(format!("{request}\n").as_bytes())?;
    let mut bytes = 0;
    loop {
        match control.read(&mut buffer)? {
            0 => break,
            some => bytes += some,
        }
    }
    let ns = began.elapsed().as_nanos();
    Ok(format!("{{\"ns\": {ns}, \"bytes\": {bytes}}}"))
}

fn main() -> io::Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let answer = match words[..] {
        ["fill", device, offset, bytes, count, flush] => fill(
            device,
            number(offset)?,
            number(bytes)?,
            number(count)?,
            number(flush)?,
        ),
        ["replay", log, target, limit] => replay(log, target, number(limit)?),
        ["switch", view, device, place, rounds, _, ..] => {
            switch(view, device, number(place)?, number(rounds)?, &args[5..])
        }
        ["stream", request] => stream(request),
        _ => Err(invalid("see the head of tests/bench/tool.rs")),
    }?;
    println!("{answer}");
    Ok(())
}
