//! Where what is written to a path ends up: links are followed, and what is no regular file is
//! told apart, since only a file can be replaced.

use std::io;
use std::path::{Path, PathBuf};

/// Links that are followed before they count as a circle; what Linux allows.
const MOST_LINKS: usize = 40;

/// The end of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// This process's standard output, as `/dev/stdout`.
    Stdout,
    /// A device, a pipe, another open file of a process: nothing that could be replaced.
    Stream(PathBuf),
    /// A regular file, or none yet. The path has no links in it.
    File(PathBuf),
}

impl Destination {
    /// Follows a path to its end. A link to a file that does not exist yet stands for that file.
    ///
    /// # Errors
    /// When a folder on the way does not exist, the path names a folder, or links form a circle.
    pub fn of(path: &Path) -> io::Result<Self> {
        let mut at = std::path::absolute(path)?;
        for _ in 0..MOST_LINKS {
            let (Some(folder), Some(name)) = (at.parent(), at.file_name()) else {
                return Err(io::ErrorKind::IsADirectory.into());
            };
            let here = folder.canonicalize()?.join(name);
            if is_stdout(&here) {
                return Ok(Self::Stdout);
            }
            // Links below /proc lead to open files, which have a path only by chance.
            if here.starts_with("/proc") || here.starts_with("/dev/fd") {
                return Ok(Self::Stream(path.into()));
            }
            match here.symlink_metadata() {
                Ok(found) if found.is_symlink() => {
                    let target = here.read_link()?;
                    at = here.parent().unwrap_or(&here).join(target);
                }
                Ok(found) if found.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
                Ok(found) if !found.is_file() => return Ok(Self::Stream(path.into())),
                _ => return Ok(Self::File(here)),
            }
        }
        Err(io::Error::other("its links form a circle"))
    }

    /// Whether writing to both would mix two results up.
    pub fn collides(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Stream(_), _) | (_, Self::Stream(_)) => false,
            (a, b) => a == b,
        }
    }
}

/// Systems differ in what `/dev/stdout` is: a device, or a link to an entry of a process.
fn is_stdout(path: &Path) -> bool {
    let own = format!("/proc/{}/fd/1", std::process::id());
    ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", own.as_str()]
        .iter()
        .any(|name| path == Path::new(name))
}
