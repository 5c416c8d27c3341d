//! Whether the user asked the program to stop, and whether somebody looks at that.
//!
//! The handler of signals calls [`request`]. A loop that can end early holds a [`Listening`] and
//! looks at [`requested`].

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Loops that look at [`requested`].
static LISTENING: AtomicUsize = AtomicUsize::new(0);
static REQUESTED: AtomicBool = AtomicBool::new(false);

/// Asks the loops that listen to stop. Returns false where none listens, or where it was asked
/// before: the program then has to end at once.
pub fn request() -> bool {
    LISTENING.load(Ordering::SeqCst) > 0 && !REQUESTED.swap(true, Ordering::SeqCst)
}

/// Whether the program was asked to stop.
pub fn requested() -> bool {
    REQUESTED.load(Ordering::SeqCst)
}

/// Says that somebody looks at [`requested`], as long as it lives.
#[derive(Debug)]
pub struct Listening(());

impl Listening {
    pub fn start() -> Self {
        LISTENING.fetch_add(1, Ordering::SeqCst);
        Self(())
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        LISTENING.fetch_sub(1, Ordering::SeqCst);
    }
}
