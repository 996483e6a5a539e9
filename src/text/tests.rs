// SPDX-License-Identifier: GPL-2.0

//! KUnit tests of parsing.

use super::*;

/// Text, and the number that it is.
const NUMBERS: &[(&[u8], Result<u64>)] = &[
    (b"0", Ok(0)),
    (b"007", Ok(7)),
    (b"18446744073709551615", Ok(u64::MAX)),
    (b"18446744073709551616", Err(ERANGE)),
    (b"99999999999999999999999", Err(ERANGE)),
    (b"", Err(EINVAL)),
    (b"-1", Err(EINVAL)),
    (b"+1", Err(EINVAL)),
    (b" 1", Err(EINVAL)),
    (b"1 ", Err(EINVAL)),
    (b"1\n", Err(EINVAL)),
    (b"0x10", Err(EINVAL)),
    (b"1K", Err(EINVAL)),
    (b"1.0", Err(EINVAL)),
    (b"\xff", Err(EINVAL)),
];

// The tests' entry points from C are made by the macro; this is not for anything else.
#[allow(unsafe_code)]
#[kunit_tests(powercut_text)]
mod suite {
    use super::*;

    #[test]
    fn numbers_are_decimal_and_nothing_else() {
        for (text, number) in NUMBERS {
            assert!(parse_u64(text) == *number);
        }
    }

    #[test]
    fn switches_are_0_or_1() {
        assert!(parse_bool(b"0") == Ok(false));
        assert!(parse_bool(b"1") == Ok(true));
        for text in [b"".as_slice(), b"2", b"y", b"00", b"1\n", b"-1"] {
            assert!(parse_bool(text) == Err(EINVAL));
        }
    }

    #[test]
    fn lines_lose_one_newline() {
        assert!(line(b"one\n") == b"one");
        assert!(line(b"one") == b"one");
        assert!(line(b"one\n\n") == b"one\n");
        assert!(line(b"").is_empty());
    }

    #[test]
    fn fields_may_be_empty() {
        assert!(fields(b"a,,b", b',').eq([b"a".as_slice(), b"", b"b"]));
        assert!(fields(b"", b',').eq([b"".as_slice()]));
    }
}
