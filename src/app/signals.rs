//! What an interrupt (Ctrl-C, or a request to terminate) does.
//!
//! While an evaluation runs, the first one asks it to stop: it ends after the pictures in flight
//! and reports what it has. At any other time, and at the second one, the program removes what is
//! unfinished and ends at once.

use std::io;

use crate::app::exit_code::ExitCode;
use crate::util::{interrupt, temporary_file};

/// Installs the handler. `finish` is called before the program ends at once.
///
/// # Errors
/// When the system refuses it.
pub fn handle(finish: impl Fn() + Send + 'static) -> io::Result<()> {
    ctrlc::set_handler(move || {
        if interrupt::request() {
            eprintln!(
                "interrupted: the pictures in flight are the last ones; once more stops at once"
            );
            return;
        }
        finish();
        temporary_file::remove_unfinished();
        eprintln!("interrupted");
        std::process::exit(ExitCode::Interrupted as i32);
    })
    .map_err(io::Error::other)
}
