//! Files that appear whole or not at all, and leave nothing behind when the program is interrupted
//! or, where the file system permits, killed.

use std::collections::BTreeSet;
use std::fs::{File, Metadata};
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

/// A file that is to appear at a path. Dropping it removes it.
#[derive(Debug)]
pub struct TemporaryFile(Kind);

#[derive(Debug)]
enum Kind {
    /// Without a name until it is put in its place, so that not even a kill leaves it behind.
    #[cfg(target_os = "linux")]
    Unnamed(File, PathBuf),
    /// In the folder of the path, where a file system has no files without names.
    Named {
        file: NamedTempFile,
        _unfinished: Unfinished,
    },
}

impl TemporaryFile {
    /// A new file for the folder of `path`.
    ///
    /// # Errors
    /// When there is no such folder, or nothing may be written there.
    pub fn beside(path: &Path) -> io::Result<Self> {
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        #[cfg(target_os = "linux")]
        if let Some(file) = unnamed(folder) {
            return Ok(Self(Kind::Unnamed(file, folder.into())));
        }
        Self::named(folder)
    }

    fn named(folder: &Path) -> io::Result<Self> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(PREFIX);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // As readable as any other new file; the user's mask still applies.
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        let file = builder.tempfile_in(folder)?;
        let unfinished = Unfinished::new(file.path());
        Ok(Self(Kind::Named {
            file,
            _unfinished: unfinished,
        }))
    }

    fn file(&self) -> &File {
        match &self.0 {
            #[cfg(target_os = "linux")]
            Kind::Unnamed(file, _) => file,
            Kind::Named { file, .. } => file.as_file(),
        }
    }

    /// Puts the file in its place, over one that is there, whose owner and mode it takes on.
    ///
    /// # Errors
    /// When the disk is full or gone.
    pub fn replace(self, path: &Path) -> io::Result<()> {
        if let Ok(replaced) = path.metadata() {
            take_on(self.file(), &replaced);
        }
        match self.0 {
            #[cfg(target_os = "linux")]
            Kind::Unnamed(file, folder) => {
                let name = link(&file, &folder)?;
                let unfinished = Unfinished::new(&name);
                let renamed = std::fs::rename(&name, path);
                if renamed.is_err() {
                    let _ = std::fs::remove_file(&name);
                }
                drop(unfinished);
                renamed
            }
            Kind::Named { file, .. } => file.persist(path).map(drop).map_err(|e| e.error),
        }
    }

    /// Puts the file in its place, unless there is one.
    ///
    /// # Errors
    /// When there is a file, or the disk is full or gone.
    pub fn create(self, path: &Path) -> io::Result<()> {
        self.file().sync_all()?;
        match self.0 {
            #[cfg(target_os = "linux")]
            Kind::Unnamed(file, _) => link_as(&file, path),
            Kind::Named { file, .. } => file.persist_noclobber(path).map(drop).map_err(|e| e.error),
        }
    }
}

/// What names begin with until a file is put in its place.
const PREFIX: &str = ".uta-eval-";

/// Gives a file the owner and mode of the one that it replaces, as far as the user may.
fn take_on(file: &File, replaced: &Metadata) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let _ = std::os::unix::fs::fchown(file, Some(replaced.uid()), Some(replaced.gid()));
    }
    let _ = file.set_permissions(replaced.permissions());
}

/// A file without a name, where the system can name it later on.
#[cfg(target_os = "linux")]
fn unnamed(folder: &Path) -> Option<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let flags = nix::fcntl::OFlag::O_TMPFILE.bits();
    let mut options = File::options();
    let options = options.read(true).write(true).custom_flags(flags);
    let file = options.mode(0o666).open(folder).ok()?;
    entry(&file).exists().then_some(file)
}

/// The file's entry in the system's list of open ones.
#[cfg(target_os = "linux")]
fn entry(file: &File) -> PathBuf {
    use std::os::fd::AsRawFd;
    format!("/proc/self/fd/{}", file.as_raw_fd()).into()
}

/// Names a file that has no name yet.
#[cfg(target_os = "linux")]
fn link_as(file: &File, path: &Path) -> io::Result<()> {
    use nix::fcntl::{AT_FDCWD, AtFlags};
    let follow = AtFlags::AT_SYMLINK_FOLLOW;
    nix::unistd::linkat(AT_FDCWD, &entry(file), AT_FDCWD, path, follow)?;
    Ok(())
}

/// Names a file as no other in the folder is named.
#[cfg(target_os = "linux")]
fn link(file: &File, folder: &Path) -> io::Result<PathBuf> {
    let name = |path: &Path| link_as(file, path).map(|()| path.to_path_buf());
    let named = tempfile::Builder::new()
        .prefix(PREFIX)
        .make_in(folder, name)?;
    named.into_temp_path().keep().map_err(|e| e.error)
}

impl Write for TemporaryFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file().write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.file().flush()
    }
}

impl Seek for TemporaryFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file().seek(to)
    }
}
