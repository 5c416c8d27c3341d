//! Panics of the decoders, caught without a word on standard error.
//!
//! A decoder that panics has met a damaged file, which is reported like any other. The message
//! of the default panic hook would only break the progress display.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// Whether a panic on this thread would be caught here.
    static EXPECTED: Cell<bool> = const { Cell::new(false) };
}

/// Runs a decoder; `None` when it panicked. Panics elsewhere are reported as before.
pub fn catch<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_payload(work).ok()
}

/// As [`catch`], and gives what the decoder panicked with.
///
/// # Errors
/// When it panicked.
pub fn catch_payload<T>(work: impl FnOnce() -> T) -> std::thread::Result<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let previous = take_hook();
        set_hook(Box::new(move |info| {
            if !EXPECTED.get() {
                previous(info);
            }
        }));
    });
    let outer = EXPECTED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    EXPECTED.set(outer);
    result
}

#[cfg(test)]
mod tests {
    use super::{EXPECTED, catch};

    #[test]
    fn a_panic_becomes_none_and_is_expected_only_inside() {
        assert_eq!(catch(|| 5), Some(5));
        let inner = catch(|| {
            assert_eq!(catch(|| panic!("a decoder's panic")), None::<()>);
            EXPECTED.get()
        });
        assert_eq!(inner, Some(true));
        assert!(!EXPECTED.get());
    }
}
