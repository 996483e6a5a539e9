// SPDX-License-Identifier: GPL-2.0

//! Streams of a log without the data in them, which is most of a stream: changes hit what matters then.

const HEADER: usize = 64;
const MEMBER: usize = 32;
const ENTRY: usize = 96;
/// No entry is given more data.
const MAX_PAYLOAD: usize = 64 << 10;

/// How the first byte of an input asks for what a change would spoil to be put right.
const COUNTS: u8 = 1;
const EVENTS: u8 = 2;

fn number<const N: usize>(bytes: &[u8], at: usize) -> u64 {
    let mut number = [0; 8];
    number[..N].copy_from_slice(&bytes[at..at + N]);
    u64::from_le_bytes(number)
}

fn members_end(stream: &[u8]) -> usize {
    let members = (number::<4>(stream, 12) >> 8) & 0xff;
    let end = HEADER + members as usize * MEMBER;
    end.min(stream.len())
}

/// A stream as an input.
pub fn compact(stream: &[u8]) -> Vec<u8> {
    let mut at = members_end(stream);
    let mut input = vec![COUNTS];
    input.extend(&stream[..at]);
    while let Some(entry) = stream.get(at..at + ENTRY) {
        let begin = input.len();
        input.extend(entry);
        // Histories that are made by hand have no times.
        let submitted = number::<8>(entry, 48);
        if number::<8>(entry, 56) < submitted {
            input[begin + 56..begin + 64].copy_from_slice(&submitted.to_le_bytes());
        }
        at += ENTRY + number::<4>(entry, 44) as usize;
    }
    input
}

/// The stream that an input stands for.
pub fn expand(input: &[u8]) -> Vec<u8> {
    let Some((options, input)) = input.split_first() else {
        return Vec::new();
    };
    if input.len() < HEADER {
        return input.into();
    }
    let (head, entries) = input.split_at(members_end(input));
    let mut stream = head.to_vec();
    let (mut nr_base, mut nr_entries, mut event) = (0u64, 0u64, 0u64);
    for entry in entries.chunks(ENTRY) {
        let begin = stream.len();
        stream.extend(entry);
        if entry.len() < ENTRY {
            break;
        }
        match entry[0] {
            6 => nr_base += 1,
            _ => nr_entries += 1,
        }
        if options & EVENTS != 0 && entry[0] != 6 {
            event = renumber(&mut stream[begin..], event);
        }
        let len = (number::<4>(entry, 44) as usize).min(MAX_PAYLOAD);
        let fill = b'a' + entry[32] % 4;
        stream.resize(stream.len() + len, fill);
    }
    if options & COUNTS != 0 {
        stream[32..40].copy_from_slice(&nr_entries.to_le_bytes());
        stream[56..64].copy_from_slice(&nr_base.to_le_bytes());
    }
    if options & EVENTS != 0 {
        stream[40..48].copy_from_slice(&event.to_le_bytes());
    }
    stream
}

/// Takes out of the entries of the base of a stream what means nothing there.
pub fn plain_base(stream: &mut [u8]) {
    let mut at = members_end(stream);
    while let Some(entry) = stream.get_mut(at..).and_then(|rest| rest.get_mut(..ENTRY)) {
        if entry[0] == 6 {
            entry[4..32].fill(0);
            entry[48..].fill(0);
        }
        at += ENTRY + number::<4>(entry, 44) as usize;
    }
}

/// Gives an entry events that follow `event`, as many as it had.
fn renumber(entry: &mut [u8], mut event: u64) -> u64 {
    let [submit, start, complete] = [8, 16, 24].map(|at| number::<8>(entry, at));
    let mut put = |at: usize, new: u64| entry[at..at + 8].copy_from_slice(&new.to_le_bytes());
    event += 1;
    put(8, event);
    if start != u64::MAX {
        event += u64::from(start > submit);
        put(16, event);
    }
    if complete != u64::MAX {
        event += u64::from(complete > start.min(complete));
        put(24, event);
    }
    event
}

#[cfg(test)]
mod tests {
    use super::*;
    use powercut_engine::recording::testing::History;
    use powercut_engine::recording::Recording;

    #[test]
    fn an_input_stands_for_a_stream_like_the_one_that_it_was_made_of() {
        for seed in 0..20 {
            let stream = History::long(seed).stream();
            let again = expand(&compact(&stream));
            assert_eq!(stream.len(), again.len());
            let read = |stream: &[u8]| {
                let recording = Recording::read(stream).unwrap();
                let entries = recording.entries().iter();
                let entries: Vec<_> = entries.map(|entry| entry.entry()).collect();
                (recording.header().clone(), entries)
            };
            assert_eq!(read(&stream), read(&again));
        }
    }
}
