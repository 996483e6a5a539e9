// SPDX-License-Identifier: GPL-2.0

//! KUnit tests of the setting `disks`.

use super::*;
use kernel::str::CString;

/// What is no list of members of a disk named `d`, and the error.
const BAD: &[(&[u8], Error)] = &[
    (b" ", EINVAL),
    (b"a", EINVAL),
    (b"a:", EINVAL),
    (b":1", EINVAL),
    (b"a:0", EINVAL),
    (b"a:1M", EINVAL),
    (b"a:-1", EINVAL),
    (b"a:1:1", EINVAL),
    (b"a:1 ", EINVAL),
    (b" a:1", EINVAL),
    (b"a:1  b:1", EINVAL),
    (b"a:1,b:1", EINVAL),
    (b"a:1\nb:1", EINVAL),
    (b"a/b:1", EINVAL),
    (b"a.b:1", EINVAL),
    (b"a!b:1", EINVAL),
    (b"a:16777217", EINVAL),
    (b"a:16777216 b:1", EINVAL),
    (b"a:18446744073709551615", EINVAL),
    (b"a:18446744073709551616", ERANGE),
    (b"a:1 a:1", EEXIST),
    (b"a:1 b:1 a:2", EEXIST),
    (b"a:1 a1:1", EEXIST),
    (b"a1p2:1 a1:1", EEXIST),
    (b"xxxxxxxxxxxxxxxxxxxxx:1", ENAMETOOLONG),
    (b"a:1 b:1 c:1 d:1 e:1 f:1 g:1 h:1 i:1", E2BIG),
];

const GOOD: &[&str] = &[
    "",
    "a:1",
    "data:48 log:16",
    "a:16777215 b:1",
    "a1:1 a11:1 A_-9:3",
    "xxxxxxxxxxxxxxxxxxxx:1",
    "a:1 b:1 c:1 d:1 e:1 f:1 g:1 h:1",
];

// The tests' entry points from C are made by the macro; this is not for anything else.
#[allow(unsafe_code)]
#[kunit_tests(powercut_members)]
mod suite {
    use super::*;

    #[test]
    fn refusals() {
        for (text, error) in BAD {
            let found = parse(text, 1);
            if found.as_ref().err() != Some(error) {
                pr_err!("wrong: {:?}\n", core::str::from_utf8(text));
            }
            assert!(found.is_err_and(|found| found == *error));
        }
    }

    #[test]
    fn read_as_written() -> Result {
        for text in GOOD {
            let shown = CString::try_from_fmt(fmt!("{}", Shown(parse(text.as_bytes(), 1)?)))?;
            assert!(shown.to_bytes() == text.as_bytes());
        }
        Ok(())
    }

    #[test]
    fn places() -> Result {
        let members = parse(b"data:48 log:16", 1)?;
        let [data, log] = members.as_slice() else {
            return Err(EINVAL);
        };
        assert!((data.name(), data.start, data.nr_sectors) == (b"data", 0, 48 << 11));
        assert!((log.name(), log.start, log.nr_sectors) == (b"log", 48 << 11, 16 << 11));
        assert!(members.nr_sectors() == 64 << 11);
        assert!(members.to_model().starts() == [0, 48 << 11]);
        assert!(Members::NONE.to_model().starts() == [0]);
        Ok(())
    }
}
