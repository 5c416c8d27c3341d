//! What an interrupt (Ctrl-C, a request to terminate, a terminal that is closed) does.
//!
//! While an evaluation runs, the first one asks it to stop: it ends after the pictures in flight
//! and reports what it has. At any other time, and at the second one, the program removes what is
//! unfinished and ends at once. A signal that was ignored when the program started stays ignored, as
//! `nohup` and shells' background jobs want it.

use std::io;

use super::exit_code::ExitCode;
use super::stderr;
use crate::util::{interrupt, temporary_file};

/// Installs the handler. `finish` is called before the program ends at once.
///
/// # Errors
/// When the system refuses it.
pub fn handle(finish: impl Fn() + Send + 'static) -> io::Result<()> {
    platform::on_interrupt(move || {
        if interrupt::request() {
            stderr::line(
                "interrupted: the pictures in flight are the last ones; once more stops at once",
            );
            return;
        }
        finish();
        temporary_file::remove_unfinished();
        stderr::line("interrupted");
        std::process::exit(ExitCode::Interrupted as i32);
    })
}

#[cfg(unix)]
mod platform {
    use std::io;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;
    use std::sync::mpsc::channel;

    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
    use signal_hook::iterator::Signals;

    /// Calls `act` on a thread of its own for each signal that asks the program to end.
    pub fn on_interrupt(act: impl Fn() + Send + 'static) -> io::Result<()> {
        // With a handler, a file that becomes too large is an error of the write and not the end.
        signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)))?;
        let ignored = ignored();
        let heeded = [SIGINT, SIGTERM, SIGHUP]
            .into_iter()
            .filter(|signal| ignored >> (signal - 1) & 1 == 0);
        // The thread first: signals that nobody looks at would be lost.
        let (sender, receiver) = channel::<Signals>();
        std::thread::Builder::new()
            .name("signals".into())
            .spawn(move || {
                for mut signals in receiver {
                    signals.forever().for_each(|_| act());
                }
            })?;
        let signals = Signals::new(heeded)?;
        sender.send(signals).map_err(io::Error::other)
    }

    /// The signals that are ignored, signal n as bit n - 1. None where the system does not tell.
    fn ignored() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
            .unwrap_or(0)
    }
}

#[cfg(not(unix))]
mod platform {
    use std::io;

    /// Calls `act` at each Ctrl-C.
    pub fn on_interrupt(act: impl Fn() + Send + 'static) -> io::Result<()> {
        ctrlc::set_handler(act).map_err(io::Error::other)
    }
}
