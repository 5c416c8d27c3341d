//! Output files, opened before the expensive part and complete or absent afterwards.

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Stdout, Write};
use std::path::{Path, PathBuf};

use crate::util::destination::Destination;
use crate::util::escape::Shown;
use crate::util::temporary_file::TemporaryFile;

/// Why a result cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be written", path.shown())]
pub struct OutputError {
    /// As the user gave it.
    pub path: PathBuf,
    pub source: io::Error,
}

impl OutputError {
    /// What to do next.
    pub fn hint(&self) -> &'static str {
        hint_for(&self.source)
    }
}

/// What to do about a file that cannot be written.
pub fn hint_for(error: &io::Error) -> &'static str {
    use io::ErrorKind::{
        AlreadyExists, FileTooLarge, QuotaExceeded, ReadOnlyFilesystem, StorageFull,
    };
    match error.kind() {
        StorageFull | QuotaExceeded => {
            "there is no space left: free some, or write to another disk"
        }
        FileTooLarge => "a limit on the size of files was met: see `ulimit -f`",
        ReadOnlyFilesystem => "the disk may only be read from: write to another one",
        AlreadyExists => "remove it or choose another name; nothing is overwritten",
        _ => "check that the folder exists and may be written to",
    }
}

/// A file that replaces the one at its path when it is finished.
#[derive(Debug)]
pub struct OutputFile {
    /// As it was given, for messages.
    path: PathBuf,
    target: BufWriter<Target>,
}

#[derive(Debug)]
enum Target {
    /// Put in this place at the end. The path is free of links, so that they stay as they are.
    Temporary(TemporaryFile, PathBuf),
    /// The path is no regular file (a pipe, a terminal), so there is nothing to rename.
    Direct(File),
    /// What is printed goes there as well, and has to follow.
    Stdout(Stdout),
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Temporary(file, _) => file.write(bytes),
            Self::Direct(file) => file.write(bytes),
            Self::Stdout(stdout) => stdout.write(bytes),
        }
    }
    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Temporary(file, _) => file.flush(),
            Self::Direct(file) => file.flush(),
            Self::Stdout(stdout) => stdout.flush(),
        }
    }
}

impl Seek for Target {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match self {
            Self::Temporary(file, _) => file.seek(to),
            Self::Direct(file) => file.seek(to),
            Self::Stdout(_) => Err(io::ErrorKind::NotSeekable.into()),
        }
    }
}

impl OutputFile {
    /// Finds out whether a result can be written at `path`, and changes nothing.
    ///
    /// # Errors
    /// When it cannot.
    pub fn check(path: &Path) -> Result<(), OutputError> {
        Self::create(path).map(drop)
    }

    /// Opens a file for the result at `path`. A link stays one, and what it leads to is written.
    ///
    /// # Errors
    /// When nothing can be written there.
    pub fn create(path: &Path) -> Result<Self, OutputError> {
        let failed = |source| OutputError {
            path: path.into(),
            source,
        };
        let target = match Destination::of(path).map_err(failed)? {
            Destination::Stdout => Target::Stdout(io::stdout()),
            // At the end, where it is a file that somebody else opened.
            Destination::Stream(path) => {
                Target::Direct(File::options().append(true).open(path).map_err(failed)?)
            }
            Destination::File(place) => {
                // A file that may not be written to must not be replaced either.
                if place.exists() {
                    File::options().append(true).open(&place).map_err(failed)?;
                }
                Target::Temporary(TemporaryFile::beside(&place).map_err(failed)?, place)
            }
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
    pub fn create_regular(path: &Path) -> Result<Self, OutputError> {
        let file = Self::create(path)?;
        match file.target.get_ref() {
            Target::Temporary(..) => Ok(file),
            Target::Direct(_) | Target::Stdout(_) => Err(OutputError {
                path: path.into(),
                source: io::Error::other("it is no regular file"),
            }),
        }
    }

    /// The path, as the user gave it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The error for what could not be written.
    pub fn failed(&self, source: io::Error) -> OutputError {
        OutputError {
            path: self.path.clone(),
            source,
        }
    }

    /// Writes over the beginning; nothing can be appended afterwards.
    ///
    /// # Errors
    /// When the disk is full or gone.
    pub fn rewrite_beginning(&mut self, bytes: &[u8]) -> Result<(), OutputError> {
        // The buffer is written first.
        let sought = self.target.seek(SeekFrom::Start(0));
        let written = sought.and_then(|_| self.target.write_all(bytes));
        written.map_err(|source| self.failed(source))
    }

    /// Writes part of the result.
    ///
    /// # Errors
    /// When the disk is full or gone.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), OutputError> {
        self.target.write_all(bytes).map_err(|source| OutputError {
            path: self.path.clone(),
            source,
        })
    }

    /// Completes the file and puts it in place.
    ///
    /// # Errors
    /// When the disk is full or gone.
    pub fn finish(self) -> Result<(), OutputError> {
        let failed = |source| OutputError {
            path: self.path.clone(),
            source,
        };
        let target = self
            .target
            .into_inner()
            .map_err(|e| failed(e.into_error()))?;
        match target {
            Target::Temporary(file, place) => file.replace(&place).map_err(failed),
            Target::Direct(mut file) => file.flush().map_err(failed),
            Target::Stdout(mut stdout) => stdout.flush().map_err(failed),
        }
    }
}
