// SPDX-License-Identifier: GPL-2.0

//! Where in the kernel the current task is.
//!
//! C header: [`include/linux/stacktrace.h`](srctree/include/linux/stacktrace.h)

use kernel::prelude::*;

/// The most return addresses that are kept of a stack: of a deeper one, those of the innermost
/// calls.
const MAX_DEPTH: usize = 64;

/// The return addresses of the current task's kernel stack.
pub(crate) struct Stack {
    addresses: [c_ulong; MAX_DEPTH],
    depth: usize,
}

impl Stack {
    /// Whether this kernel can tell them, and not only guess, as it does where it finds no frames.
    pub(crate) const IS_KNOWN: bool = cfg!(all(CONFIG_STACKTRACE, CONFIG_HAVE_RELIABLE_STACKTRACE));

    /// Those of now, of the call of this function first; none unless [`Self::IS_KNOWN`].
    #[inline(always)]
    pub(crate) fn current() -> Self {
        // It stays as it is in a kernel that can't tell.
        #[allow(unused_mut)]
        let mut stack = Self {
            addresses: [0; MAX_DEPTH],
            depth: 0,
        };
        #[cfg(all(CONFIG_STACKTRACE, CONFIG_HAVE_RELIABLE_STACKTRACE))]
        {
            use kernel::bindings;

            let addresses = stack.addresses.as_mut_ptr();
            // SAFETY: There is room for `MAX_DEPTH` addresses. The current task's own stack may
            // be walked in any context.
            let depth = unsafe { bindings::stack_trace_save(addresses, MAX_DEPTH as c_uint, 0) };
            stack.depth = depth as usize;
        }
        stack
    }

    /// How far each of them is from the outermost one. That does not tell where the kernel's text
    /// is, and of calls in the kernel itself it is the same in all boots.
    pub(crate) fn offsets(&self) -> impl Iterator<Item = u64> + '_ {
        let addresses = self.addresses.iter().take(self.depth);
        let outermost = addresses.clone().last().copied().unwrap_or(0);
        addresses.map(move |address| address.wrapping_sub(outermost) as u64)
    }
}

#[cfg(CONFIG_BLK_DEV_POWERCUT_KUNIT_TEST)]
#[kunit_tests(powercut_stack)]
mod tests {
    use super::*;
    use core::hint::black_box;

    /// How far the innermost call is from the one before it. The loop below may be unrolled, so
    /// what comes before these is not the same each time.
    #[inline(never)]
    fn innermost() -> Option<u64> {
        let stack = Stack::current();
        let mut offsets = stack.offsets();
        black_box(Some(offsets.next()?.wrapping_sub(offsets.next()?)))
    }

    // Their calls return to different places: what comes after them keeps them from being jumps.
    #[inline(never)]
    fn one_way() -> Option<u64> {
        black_box(innermost())
    }

    #[inline(never)]
    fn other_way() -> Option<u64> {
        let distance = black_box(innermost());
        black_box(distance)
    }

    #[test]
    fn one_path_has_one_stack_and_another_has_another() -> Result {
        let ways: [fn() -> Option<u64>; 2] = [one_way, other_way];
        let mut seen = KVec::new();
        for n in 0..black_box(4usize) {
            let way = ways.get(n % 2).ok_or(EINVAL)?;
            seen.push(black_box(way)(), GFP_KERNEL)?;
        }
        let [a, b, a_again, b_again] = seen.as_slice() else {
            return Err(EINVAL);
        };
        assert!(a == a_again);
        assert!(b == b_again);
        assert!((a == b) != Stack::IS_KNOWN);
        assert!(a.is_some() == Stack::IS_KNOWN);
        Ok(())
    }
}
