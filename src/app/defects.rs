//! What nobody expected: a panic, in this program or in a crate that it uses. A user gets a message like
//! any other and the exit code of a failure.

use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook};
use std::sync::atomic::{AtomicBool, Ordering};

use super::error::NO_THREADS;
use super::exit_code::ExitCode;
use super::stderr;
use crate::util::temporary_file::remove_unfinished;

/// Whether one was met, on whatever thread.
static MET: AtomicBool = AtomicBool::new(false);

/// Runs the program. A panic on any of its threads, unless it is one that `util::panics` catches, is
/// told once and makes the end a failure.
pub fn guard(program: impl FnOnce() -> std::process::ExitCode) -> std::process::ExitCode {
    set_hook(Box::new(tell));
    let ended = catch_unwind(AssertUnwindSafe(program));
    match ended {
        Ok(ended) if !MET.load(Ordering::SeqCst) => ended,
        _ => {
            remove_unfinished();
            ExitCode::Failure.into()
        }
    }
}

fn tell(info: &PanicHookInfo<'_>) {
    if MET.swap(true, Ordering::SeqCst) {
        return; // what follows from the first
    }
    let payload = info.payload();
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let text = text.unwrap_or("it does not say what");
    // The standard library, rayon and candle have no other way to say so.
    let of_threads = ["failed to spawn", "thread pool has not been initialized"];
    if of_threads.iter().any(|known| text.contains(known)) {
        return stderr::error("a thread cannot be started", Some(NO_THREADS));
    }
    let place = info
        .location()
        .map_or("unknown".into(), ToString::to_string);
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("unnamed");
    let message = crate::util::escape::one_line(text);
    stderr::error(
        &format!("a defect of the program: {message} (at {place}, thread {thread})"),
        Some("please report it with this message and the command; no result of this run counts"),
    );
}
