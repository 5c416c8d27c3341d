//! Pictures that could not be read: by their own fault, or by that of the system around them.

use std::io::{Error, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::sample::Sample;

/// A picture that could not be read, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unreadable {
    /// The picture's whole name.
    #[serde(rename = "path")]
    pub name: Arc<str>,
    /// Why it could not be read.
    pub reason: String,
    /// Whose fault it is. Not written: the reason tells people.
    #[serde(skip)]
    pub fault: Fault,
}

/// Whose fault it is that a picture cannot be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The picture is damaged, empty, too large: it will be the next time.
    #[default]
    Picture,
    /// Its file is gone, forbidden or on a disk that fails: it may be read another time.
    System,
    /// The process has no open files or memory left, so that the next picture fares no better.
    Shortage,
}

impl Fault {
    /// Of an error of reading: those of the system have a number.
    pub fn of(error: &Error) -> Self {
        match error.raw_os_error() {
            None => Self::Picture,
            Some(code) if is_shortage(code) || error.kind() == ErrorKind::OutOfMemory => {
                Self::Shortage
            }
            Some(_) => Self::System,
        }
    }
}

fn is_shortage(code: i32) -> bool {
    #[cfg(unix)]
    {
        use nix::errno::Errno;
        [Errno::EMFILE, Errno::ENFILE]
            .iter()
            .any(|errno| code == *errno as i32)
    }
    #[cfg(not(unix))]
    {
        let _ = code;
        false
    }
}

impl Unreadable {
    /// Says why a sample cannot be read.
    pub fn of(sample: &Sample, reason: String, fault: Fault) -> Self {
        Self {
            name: Arc::clone(sample.name.whole()),
            reason,
            fault,
        }
    }

    /// Whether it is about this sample.
    pub fn is_of(&self, sample: &Sample) -> bool {
        self.name == *sample.name.whole()
    }
}

/// Waits between attempts to read a picture after an error of the system.
const WAITS: [Duration; 3] = [
    Duration::from_millis(20),
    Duration::from_millis(100),
    Duration::from_millis(400),
];

/// Milliseconds of waiting, of all threads together, after which the system's errors count as lasting.
const PATIENCE: u64 = 30_000;

/// Tries again, after a while, what failed because of the system. A thousand files that are gone for good
/// must not take a second each: once much waiting was in vain, there is no more.
pub fn patiently<T>(mut read: impl FnMut() -> Result<T, Error>) -> Result<T, Error> {
    static IN_VAIN: AtomicU64 = AtomicU64::new(0);
    let mut waits = WAITS.iter();
    loop {
        let error = match read() {
            Ok(done) => {
                if waits.len() < WAITS.len() {
                    IN_VAIN.store(0, Ordering::Relaxed);
                }
                return Ok(done);
            }
            Err(error) => error,
        };
        let patient =
            Fault::of(&error) != Fault::Picture && IN_VAIN.load(Ordering::Relaxed) < PATIENCE;
        match waits.next() {
            Some(wait) if patient => {
                IN_VAIN.fetch_add(wait.as_millis() as u64, Ordering::Relaxed);
                std::thread::sleep(*wait);
            }
            _ => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn the_systems_errors_are_told_from_the_pictures() {
        use nix::errno::Errno;
        let fault = |errno: Errno| Fault::of(&Error::from_raw_os_error(errno as i32));
        let others = [
            Errno::ENOENT,
            Errno::EIO,
            Errno::EACCES,
            Errno::ESTALE,
            Errno::EPERM,
        ];
        assert!(others.iter().all(|errno| fault(*errno) == Fault::System));
        let short = [Errno::EMFILE, Errno::ENFILE, Errno::ENOMEM];
        assert!(short.iter().all(|errno| fault(*errno) == Fault::Shortage));
        assert_eq!(Fault::of(&Error::other("it is empty")), Fault::Picture);
        assert_eq!(Fault::of(&ErrorKind::UnexpectedEof.into()), Fault::Picture);
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let mut attempts = 0;
        let mut fails = |times: u32, error: fn() -> Error| {
            attempts = 0;
            let read = patiently(|| {
                attempts += 1;
                if attempts > times {
                    Ok(attempts)
                } else {
                    Err(error())
                }
            });
            (read.ok(), attempts)
        };
        let passing = || Error::from_raw_os_error(5);
        assert_eq!(fails(0, passing), (Some(1), 1));
        assert_eq!(fails(2, passing), (Some(3), 3));
        assert_eq!(fails(9, passing), (None, 4));
        assert_eq!(fails(1, || Error::other("it is empty")), (None, 1));
    }
}
