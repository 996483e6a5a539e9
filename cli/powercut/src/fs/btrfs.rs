// SPDX-License-Identifier: GPL-2.0

//! Which btrfs are mounted, by their ids.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::{bail, Result};

/// A directory for each btrfs that is mounted, named by its id: Documentation/ABI/testing/sysfs-fs-btrfs.
const MOUNTED: &str = "/sys/fs/btrfs";
/// A file of kernels that mount several filesystems of one id: Linux 6.7 and later.
const SEVERAL: &str = "/sys/fs/btrfs/features/temp_fsid";
/// Where the id is: `fsid` of `struct btrfs_super_block`, at 64 KiB (include/uapi/linux/btrfs_tree.h).
const ID_OFFSET_BYTES: u64 = (64 << 10) + 32;

/// An error if the kernel can't mount that many states at once, which have one id.
pub fn need_several(jobs: usize) -> Result<()> {
    let is_there = Path::new(MOUNTED).exists();
    if jobs > 1 && is_there && !Path::new(SEVERAL).exists() {
        bail!("--jobs {jobs}: this kernel mounts one btrfs of an id at a time (Linux before 6.7): give --jobs 1");
    }
    Ok(())
}

/// The id of the filesystem on a device, if the kernel does not mount it because one of the same id is mounted.
pub fn mounted_twin(node: &Path) -> Option<String> {
    if Path::new(SEVERAL).exists() {
        return None;
    }
    let mut id = [0; 16];
    File::open(node)
        .ok()?
        .read_exact_at(&mut id, ID_OFFSET_BYTES)
        .ok()?;
    let id = as_uuid(id);
    Path::new(MOUNTED).join(&id).is_dir().then_some(id)
}

/// As the kernel writes it.
fn as_uuid(id: [u8; 16]) -> String {
    let hex = format!("{:032x}", u128::from_be_bytes(id));
    let parts = [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ];
    parts.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_written_as_the_kernel_writes_it() {
        let id = std::array::from_fn(|at| u8::try_from(at * 17).unwrap());
        assert_eq!(as_uuid(id), "00112233-4455-6677-8899-aabbccddeeff");
    }

    #[test]
    fn what_is_no_btrfs_has_no_twin() {
        let short = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(mounted_twin(short.path()), None);
        short.as_file().set_len(1 << 20).unwrap();
        assert_eq!(mounted_twin(short.path()), None);
    }
}
