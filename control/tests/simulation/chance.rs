//! What chance is left in a simulated process, decided by its seed.
//!
//! Tokio draws the order in which it looks at branches and wakes waiters, and the standard library the order of its hash maps, from
//! the system. So this test has a `getrandom` of its own, which stands in for the one of libc. It gives the same bytes on every
//! call: what was drawn before, and on which thread, makes no difference. One run to a process: tokio counts its runtimes.
#![allow(unsafe_code)]

use std::sync::atomic::{AtomicU64, Ordering};

static SEED: AtomicU64 = AtomicU64::new(0);

/// Decides all that is drawn from now on by threads that have drawn nothing before.
pub fn seed(seed: u64) {
    SEED.store(seed, Ordering::SeqCst);
}

/// See the module's head.
///
/// # Safety
///
/// As for libc's function of this name: `length` bytes at `buffer` can be written.
#[unsafe(no_mangle)]
unsafe extern "C" fn getrandom(buffer: *mut u8, length: usize, _flags: u32) -> isize {
    let seed = SEED.load(Ordering::SeqCst).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for at in 0..length {
        let byte = seed.rotate_left(at as u32 * 7).to_le_bytes()[at % 8] ^ at as u8;
        // SAFETY: the caller says that `length` bytes can be written there, and `at` is less.
        unsafe { buffer.add(at).write(byte) };
    }
    length as isize
}
