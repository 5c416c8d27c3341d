//! Locks of files, where the file system has them. Network and user-space ones may not.

use std::fs::{File, TryLockError};
use std::io;

/// What became of a lock.
#[derive(Debug)]
pub enum Lock {
    /// It is held until the file is closed.
    Held,
    /// Another process holds it.
    InUse,
    /// The file system has no locks, by this error.
    Missing(io::Error),
}

/// Locks a file against other processes, if none has locked it.
///
/// # Errors
/// When it cannot be locked for another reason.
pub fn attempt(file: &File) -> io::Result<Lock> {
    match file.try_lock() {
        Ok(()) => Ok(Lock::Held),
        Err(TryLockError::WouldBlock) => Ok(Lock::InUse),
        Err(TryLockError::Error(e)) => missing(e),
    }
}

/// Locks a file against other processes, and waits until it can.
///
/// # Errors
/// As [`attempt`].
pub fn wait(file: &File) -> io::Result<Lock> {
    match file.lock() {
        Ok(()) => Ok(Lock::Held),
        Err(e) => missing(e),
    }
}

fn missing(error: io::Error) -> io::Result<Lock> {
    if is_missing(&error) {
        Ok(Lock::Missing(error))
    } else {
        let message = format!("it cannot be locked: {error}");
        Err(io::Error::new(error.kind(), message))
    }
}

/// Whether an error says that there are no locks.
fn is_missing(error: &io::Error) -> bool {
    #[cfg(unix)]
    {
        use nix::errno::Errno;
        let missing = [
            Errno::ENOSYS,
            Errno::ENOLCK,
            Errno::EOPNOTSUPP,
            Errno::ENOTSUP,
        ];
        let code = error.raw_os_error();
        if missing.iter().any(|errno| code == Some(*errno as i32)) {
            return true;
        }
    }
    error.kind() == io::ErrorKind::Unsupported
}

#[cfg(all(test, unix))]
mod tests {
    use nix::errno::Errno;

    use super::*;

    #[test]
    fn the_second_to_lock_a_file_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let first = File::create(&path).unwrap();
        assert!(matches!(attempt(&first).unwrap(), Lock::Held));
        let second = File::open(&path).unwrap();
        assert!(matches!(attempt(&second).unwrap(), Lock::InUse));
        drop(first);
        assert!(matches!(wait(&second).unwrap(), Lock::Held));
    }

    #[test]
    fn a_file_system_without_locks_is_told_from_a_failure() {
        for errno in [Errno::ENOSYS, Errno::ENOLCK, Errno::EOPNOTSUPP] {
            let error = io::Error::from_raw_os_error(errno as i32);
            assert!(
                matches!(missing(error).unwrap(), Lock::Missing(_)),
                "{errno}"
            );
        }
        let error = missing(io::Error::from_raw_os_error(Errno::EIO as i32)).unwrap_err();
        assert!(error.to_string().contains("it cannot be locked"), "{error}");
    }
}
