//! What an interrupt (Ctrl-C, or a request to terminate) does.
//!
//! While an evaluation runs, the first one asks it to stop: it ends after the pictures in flight
//! and reports what it has. At any other time, and at the second one, the program removes what is
//! unfinished and ends at once.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::error::ExitCode;
use crate::temporary;

/// Evaluations that look at [`requested`].
static LISTENING: AtomicUsize = AtomicUsize::new(0);
static REQUESTED: AtomicBool = AtomicBool::new(false);

/// Installs the handler. `finish` is called before the program ends at once.
///
/// # Errors
/// When the system refuses it.
pub fn handle(finish: impl Fn() + Send + 'static) -> io::Result<()> {
    ctrlc::set_handler(move || {
        if LISTENING.load(Ordering::SeqCst) > 0 && !REQUESTED.swap(true, Ordering::SeqCst) {
            eprintln!(
                "interrupted: the pictures in flight are the last ones; once more stops at once"
            );
            return;
        }
        finish();
        temporary::remove_unfinished();
        eprintln!("interrupted");
        std::process::exit(ExitCode::Interrupted as i32);
    })
    .map_err(io::Error::other)
}

/// Whether an evaluation has been asked to stop.
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
