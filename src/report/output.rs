//! Output files, opened before the expensive part and complete or absent afterwards.

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::temporary::Temporary;

/// A file that replaces the one at its path when it is finished.
#[derive(Debug)]
pub struct OutputFile {
    path: PathBuf,
    target: BufWriter<Target>,
}

#[derive(Debug)]
enum Target {
    /// Beside the path, renamed at the end.
    Temporary(Temporary),
    /// The path is no regular file (a pipe, a terminal), so there is nothing to rename.
    Direct(File),
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Temporary(file) => file.write(bytes),
            Self::Direct(file) => file.write(bytes),
        }
    }
    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Temporary(file) => file.flush(),
            Self::Direct(file) => file.flush(),
        }
    }
}

impl Seek for Target {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match self {
            Self::Temporary(file) => file.seek(to),
            Self::Direct(file) => file.seek(to),
        }
    }
}

impl OutputFile {
    /// Opens a file for the result at `path`.
    ///
    /// # Errors
    /// When nothing can be written there.
    pub fn create(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::Output {
            path: path.into(),
            source,
        };
        let target = match std::fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => {
                return Err(failed(io::Error::from(io::ErrorKind::IsADirectory)));
            }
            Ok(metadata) if !metadata.is_file() => {
                Target::Direct(File::options().write(true).open(path).map_err(failed)?)
            }
            // A file that may not be written to must not be replaced either.
            Ok(_) => {
                File::options().append(true).open(path).map_err(failed)?;
                Target::Temporary(Temporary::beside(path).map_err(failed)?)
            }
            Err(_) => Target::Temporary(Temporary::beside(path).map_err(failed)?),
        };
        Ok(Self {
            path: path.into(),
            target: BufWriter::new(target),
        })
    }

    /// As [`create`](Self::create), for a result whose beginning is written last.
    ///
    /// # Errors
    /// As it, and when the path is no regular file.
    pub fn create_regular(path: &Path) -> Result<Self, Error> {
        let file = Self::create(path)?;
        match file.target.get_ref() {
            Target::Temporary(_) => Ok(file),
            Target::Direct(_) => Err(Error::Output {
                path: path.into(),
                source: io::Error::other("it is no regular file"),
            }),
        }
    }

    /// Writes over the beginning; nothing can be appended afterwards.
    ///
    /// # Errors
    /// When the disk is full or gone.
    pub fn rewrite_beginning(&mut self, bytes: &[u8]) -> Result<(), Error> {
        // The buffer is written first.
        let sought = self.target.seek(SeekFrom::Start(0));
        let written = sought.and_then(|_| self.target.write_all(bytes));
        written.map_err(|source| Error::Output {
            path: self.path.clone(),
            source,
        })
    }

    /// Writes part of the result.
    ///
    /// # Errors
    /// When the disk is full or gone.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.target
            .write_all(bytes)
            .map_err(|source| Error::Output {
                path: self.path.clone(),
                source,
            })
    }

    /// Completes the file and puts it in place.
    ///
    /// # Errors
    /// When the disk is full or gone.
    pub fn finish(self) -> Result<(), Error> {
        let failed = |source| Error::Output {
            path: self.path.clone(),
            source,
        };
        let target = self
            .target
            .into_inner()
            .map_err(|e| failed(e.into_error()))?;
        match target {
            Target::Temporary(file) => file.replace(&self.path).map_err(failed),
            Target::Direct(mut file) => file.flush().map_err(failed),
        }
    }
}

/// Writes to standard output. That its reader has gone (as `head` does) is no error.
///
/// # Errors
/// When it cannot be written to, for instance because a disk is full.
pub fn print(text: &str) -> Result<(), Error> {
    let mut stdout = io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(Error::Output {
            path: "standard output".into(),
            source: e,
        }),
        _ => Ok(()),
    }
}
