// SPDX-License-Identifier: GPL-2.0

//! KUnit tests of a bio's end.

use super::*;

/// What the end of a bio came to.
#[derive(Clone, Copy, PartialEq, Default)]
struct Ended {
    /// How often it was signalled.
    count: u32,
    errno: c_int,
    is_quiet: bool,
}

/// # Safety
///
/// `bio` must be valid, and its `bi_private` point at an [`Ended`] that nobody else uses meanwhile.
unsafe extern "C" fn note_end(bio: *mut bindings::bio) {
    // SAFETY: By the function's requirements, `bio` is valid.
    let status = unsafe { (*bio).bi_status };
    // SAFETY: By the function's requirements, `bio` is valid.
    let flags = unsafe { (*bio).bi_flags };
    // SAFETY: By the function's requirements, `bio` is valid.
    let ended: *mut Ended = unsafe { (*bio).bi_private.cast() };
    // SAFETY: By the function's requirements, it is an `Ended` that nobody else uses.
    let ended = unsafe { &mut *ended };
    ended.count += 1;
    // SAFETY: It takes any status.
    ended.errno = unsafe { bindings::blk_status_to_errno(status) };
    ended.is_quiet = flags & 1 << bindings::BIO_QUIET != 0;
}

/// Hands a bio without data to `f`, and tells what its end came to.
fn end_of(f: impl FnOnce(Bio)) -> Ended {
    let mut ended = Ended::default();
    let mut bio = bindings::bio {
        bi_opf: bindings::req_op_REQ_OP_WRITE,
        bi_end_io: Some(note_end),
        bi_private: (&raw mut ended).cast(),
        ..bindings::bio::default()
    };
    // INVARIANT: Nobody else has the bio, whose begin was not accounted; it was not ended.
    f(Bio {
        ptr: NonNull::from(&mut bio),
        start_jiffies: None,
        origin: 0,
    });
    ended
}

#[kunit_tests(powercut_bio)]
mod suite {
    use super::*;

    #[test]
    fn a_bio_is_ended_once_with_the_status_of_its_error() {
        let cases = [
            (Ok(()), 0, false),
            (Err(EIO), EIO.to_errno(), false),
            (Err(EINVAL), EINVAL.to_errno(), false),
            (Err(ENOSPC), ENOSPC.to_errno(), false),
            (Err(EOPNOTSUPP), EOPNOTSUPP.to_errno(), false),
            // Its submitter comes again: nobody is to be told of an error.
            (Err(EAGAIN), EAGAIN.to_errno(), true),
        ];
        for (result, errno, is_quiet) in cases {
            let ended = end_of(|bio| bio.end(result));
            let expected = Ended {
                count: 1,
                errno,
                is_quiet,
            };
            assert!(ended == expected);
        }
    }

    #[test]
    fn a_bio_that_is_dropped_fails() {
        let ended = end_of(drop);
        let expected = Ended {
            count: 1,
            errno: EIO.to_errno(),
            is_quiet: false,
        };
        assert!(ended == expected);
    }
}
