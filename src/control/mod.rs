// SPDX-License-Identifier: GPL-2.0

//! `/dev/powercut-control`: what is too big for a configfs attribute.
//!
//! An open file is a session: a request is written, then its answer read or its
//! data written. Requests and formats are described in docs/abi.md.

mod format;
mod import;
mod stream;

use crate::{
    disk::RecordedDisk,
    registry,
    text::fields, //
};
use import::Import;
use kernel::{
    fs::{
        File,
        Kiocb, //
    },
    iov::{
        IovIterDest,
        IovIterSource, //
    },
    miscdevice::{
        MiscDevice,
        MiscDeviceOptions,
        MiscDeviceRegistration, //
    },
    new_mutex,
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    }, //
};
use stream::Stream;

/// The longest request in bytes.
const REQUEST_MAX_BYTES: usize = 16 << 20;
/// How much of what is written is looked at in one go, in bytes.
const CHUNK_BYTES: usize = 64 << 10;

/// Registers the device.
pub(crate) fn device() -> impl PinInit<MiscDeviceRegistration<Session>, Error> {
    MiscDeviceRegistration::register(MiscDeviceOptions {
        name: c"powercut-control",
    })
}

/// What a session has come to.
enum Phase {
    /// A request is arriving; this much of it has.
    Request(KVVec<u8>),
    /// It was done, and has no answer.
    Done,
    /// Its answer is being read.
    Answer {
        /// Makes more of it; [`None`] if all is made.
        stream: Option<Stream>,
        /// Made, but not yet read.
        pending: KVVec<u8>,
        /// How much of `pending` was read.
        nr_read: usize,
    },
    /// Its data is being written.
    Import(KBox<Import>),
    /// Its data was no good.
    Failed,
}

/// An open file.
#[pin_data]
pub(crate) struct Session {
    #[pin]
    phase: Mutex<Phase>,
}

#[vtable]
impl MiscDevice for Session {
    type Ptr = Pin<KBox<Self>>;

    fn open(_file: &File, _misc: &MiscDeviceRegistration<Self>) -> Result<Self::Ptr> {
        KBox::try_pin_init(
            try_pin_init!(Self {
                phase <- new_mutex!(Phase::Request(KVVec::new())),
            }),
            GFP_KERNEL,
        )
    }

    fn write_iter(kiocb: Kiocb<'_, Self::Ptr>, iov: &mut IovIterSource<'_>) -> Result<usize> {
        let mut phase = kiocb.file().get_ref().phase.lock();
        let mut chunk = KVVec::zeroed(CHUNK_BYTES.min(iov.len()), GFP_KERNEL)?;
        let mut nr_taken = 0;
        while !iov.is_empty() {
            let len = iov.copy_from_iter(&mut chunk);
            let bytes = chunk.get(..len).ok_or(EFAULT)?;
            if len == 0 {
                return if nr_taken == 0 {
                    Err(EFAULT)
                } else {
                    Ok(nr_taken)
                };
            }
            let taken = phase.write(bytes)?;
            nr_taken += taken;
            // The rest belongs to what comes after the request.
            if taken < len {
                break;
            }
        }
        Ok(nr_taken)
    }

    fn read_iter(kiocb: Kiocb<'_, Self::Ptr>, iov: &mut IovIterDest<'_>) -> Result<usize> {
        let mut phase = kiocb.file().get_ref().phase.lock();
        let mut nr_given = 0;
        while !iov.is_empty() {
            let len = match phase.unread() {
                Ok([]) => break,
                Ok(bytes) => match iov.copy_to_iter(bytes) {
                    0 => Err(EFAULT),
                    len => Ok(len),
                },
                Err(error) => Err(error),
            };
            let len = match len {
                Ok(len) => len,
                // Of what was given first; the error comes again.
                Err(_) if nr_given != 0 => break,
                Err(error) => return Err(error),
            };
            phase.was_read(len);
            nr_given += len;
        }
        Ok(nr_given)
    }
}

impl Phase {
    /// Takes what is written, and returns how much of it was for this phase.
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        match self {
            Self::Request(line) => {
                let end = bytes.iter().position(|byte| *byte == b'\n');
                let part = bytes.get(..end.unwrap_or(bytes.len())).ok_or(EINVAL)?;
                if line.len() + part.len() > REQUEST_MAX_BYTES {
                    *line = KVVec::new();
                    return Err(E2BIG);
                }
                if let Err(error) = line.extend_from_slice(part, GFP_KERNEL | __GFP_NOWARN) {
                    *line = KVVec::new();
                    return Err(error.into());
                }
                if end.is_none() {
                    return Ok(part.len());
                }
                // A request that fails leaves the session as it was when it was opened.
                let line = core::mem::replace(line, KVVec::new());
                *self = execute(&line)?;
                Ok(part.len() + 1)
            }
            Self::Import(import) => {
                let result = import.feed(bytes);
                if result.is_err() {
                    *self = Self::Failed;
                }
                result.map(|()| bytes.len())
            }
            Self::Done | Self::Answer { .. } | Self::Failed => Err(EINVAL),
        }
    }

    /// The next bytes of the answer; none at its end.
    fn unread(&mut self) -> Result<&[u8]> {
        let Self::Answer {
            stream,
            pending,
            nr_read,
        } = self
        else {
            return Ok(&[]);
        };
        if *nr_read == pending.len() {
            pending.clear();
            *nr_read = 0;
            if let Some(stream) = stream {
                stream.fill(pending)?;
            }
        }
        Ok(pending.get(*nr_read..).unwrap_or(&[]))
    }

    fn was_read(&mut self, len: usize) {
        if let Self::Answer { nr_read, .. } = self {
            *nr_read += len;
        }
    }
}

/// Executes a request.
fn execute(line: &[u8]) -> Result<Phase> {
    let mut words = fields(line, b' ');
    let (Some(verb), Some(name)) = (words.next(), words.next()) else {
        return Err(EINVAL);
    };
    if verb == b"state" || verb == b"restore" {
        let state = line.get(verb.len() + 1 + name.len() + 1..).ok_or(EINVAL)?;
        let device = registry::find(name)?;
        if verb == b"state" {
            device.select(state)?;
        } else {
            device.restore(state)?;
        }
        return Ok(Phase::Done);
    }
    if words.next().is_some() {
        return Err(EINVAL);
    }
    match verb {
        b"log" => Ok(answer(Some(Stream::new(find(name)?, false)?), KVVec::new())),
        b"export" => Ok(answer(Some(Stream::new(find(name)?, true)?), KVVec::new())),
        b"reads" => Ok(answer(None, reads(&*find(name)?)?)),
        b"import" => Ok(Phase::Import(KBox::new(
            Import::new(find(name)?)?,
            GFP_KERNEL,
        )?)),
        _ => Err(EINVAL),
    }
}

fn find(name: &[u8]) -> Result<Arc<RecordedDisk>> {
    Ok(registry::find(name)?.disk().clone())
}

/// What was read of a crash-state disk, as docs/abi.md has it. [`EINVAL`] if it is none.
fn reads(disk: &RecordedDisk) -> Result<KVVec<u8>> {
    let mut bytes = KVVec::new();
    disk.below().ok_or(EINVAL)?.with_reads(|reads| {
        reads.each_run(|sector, nr_sectors| {
            bytes.extend_from_slice(&sector.to_le_bytes(), GFP_KERNEL | __GFP_NOWARN)?;
            bytes.extend_from_slice(&nr_sectors.to_le_bytes(), GFP_KERNEL | __GFP_NOWARN)?;
            Ok(())
        })
    })?;
    Ok(bytes)
}

fn answer(stream: Option<Stream>, pending: KVVec<u8>) -> Phase {
    Phase::Answer {
        stream,
        pending,
        nr_read: 0,
    }
}

const _: fn() = || {
    fn is_shared<T: Send + Sync>() {}
    is_shared::<Session>();
};
