//! How the allocator treats the memory of activations.
#![allow(unsafe_code)] // An option that only the allocator's C interface sets.

use libmimalloc_sys::{mi_option_set_default, mi_option_t};

/// `mi_option_purge_delay`, which the bindings leave out: after how many milliseconds freed memory is
/// given back to the system.
///
/// Source: `mi_option_e` in mimalloc's header.
const PURGE_DELAY: mi_option_t = 15;
const NEVER: std::ffi::c_long = -1;

/// Lets the process keep what it freed: the next layer wants it, and memory that is given back and
/// asked for again has to be cleared by the system, which costs a tower up to a tenth of its time.
///
/// To be called before there are threads. It has no effect where mimalloc is not the allocator, or
/// the environment says otherwise (`MIMALLOC_PURGE_DELAY`).
pub fn keep_freed_memory() {
    // SAFETY: sets a number; no other thread reads options yet.
    unsafe { mi_option_set_default(PURGE_DELAY, NEVER) };
}

#[cfg(test)]
mod tests {
    use libmimalloc_sys::mi_option_get;

    use super::*;

    #[test]
    fn the_option_is_the_purge_delay() {
        // SAFETY: reads a number.
        let delay = || unsafe { mi_option_get(PURGE_DELAY) };
        assert_eq!(delay(), 1000, "the default that mimalloc documents");
        keep_freed_memory();
        assert_eq!(delay(), NEVER);
    }
}
