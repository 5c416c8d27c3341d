//! Files that appear whole or not at all, and leave nothing behind when the program is interrupted.

use std::collections::BTreeSet;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use tempfile::NamedTempFile;

/// What an interrupt has to remove.
static UNFINISHED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// Removes what is unfinished; the program is about to end.
pub fn remove_unfinished() {
    if let Ok(unfinished) = UNFINISHED.lock() {
        for path in unfinished.iter() {
            // Whichever it is; what is already gone needs no removal.
            let _ = std::fs::remove_file(path);
            let _ = std::fs::remove_dir_all(path);
        }
    }
}

/// A path that an interrupt removes, as long as this lives.
#[derive(Debug)]
pub struct Unfinished(PathBuf);

impl Unfinished {
    pub fn new(path: &Path) -> Self {
        if let Ok(mut unfinished) = UNFINISHED.lock() {
            unfinished.insert(path.into());
        }
        Self(path.into())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Ok(mut unfinished) = UNFINISHED.lock() {
            unfinished.remove(&self.0);
        }
    }
}

/// A file beside the one that it is to become. Dropping it removes it.
#[derive(Debug)]
pub struct Temporary {
    file: NamedTempFile,
    _unfinished: Unfinished,
}

impl Temporary {
    /// A new file in the folder of `path`.
    ///
    /// # Errors
    /// When there is no such folder, or nothing may be written there.
    pub fn beside(path: &Path) -> io::Result<Self> {
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let mut builder = tempfile::Builder::new();
        builder.prefix(".uta-eval-");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // As readable as any other new file; the user's mask still applies.
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        let file = builder.tempfile_in(folder)?;
        let unfinished = Unfinished::new(file.path());
        Ok(Self {
            file,
            _unfinished: unfinished,
        })
    }

    /// Where the file is until it is put in its place.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Puts the file in its place, over one that is there.
    ///
    /// # Errors
    /// When the disk is full or gone.
    pub fn replace(self, path: &Path) -> io::Result<()> {
        self.file.persist(path).map(drop).map_err(|e| e.error)
    }

    /// Puts the file in its place, unless there is one.
    ///
    /// # Errors
    /// When there is a file, or the disk is full or gone.
    pub fn create(self, path: &Path) -> io::Result<()> {
        self.file.as_file().sync_all()?;
        self.file
            .persist_noclobber(path)
            .map(drop)
            .map_err(|e| e.error)
    }
}

impl Write for Temporary {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for Temporary {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}
