//! Files that appear whole or not at all, and folders for a while. They leave nothing behind when the
//! program is interrupted or, where the file system permits, killed. What a killed run did leave,
//! the next one removes: each holds a lock on what it has not finished.

use std::collections::BTreeSet;
use std::fs::{File, Metadata};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tempfile::{NamedTempFile, TempDir};

use crate::util::lock::{self, Lock};
use crate::util::regular_file;

/// What an interrupt has to remove.
static UNFINISHED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// Whoever has it may create or fill what an interrupt has to remove.
fn unfinished() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes what is unfinished, and lets nobody begin anything; the program is about to end.
pub fn remove_unfinished() {
    let unfinished = unfinished();
    for path in unfinished.iter() {
        // Whichever it is; what is already gone needs no removal.
        let _ = std::fs::remove_file(path);
        let _ = std::fs::remove_dir_all(path);
    }
    std::mem::forget(unfinished);
}

/// A path that an interrupt removes, as long as this lives.
#[derive(Debug)]
struct Unfinished(PathBuf);

impl Unfinished {
    /// Creates something, with no moment in which an interrupt would not remove it.
    fn create<T>(
        create: impl FnOnce() -> io::Result<T>,
        path: impl FnOnce(&T) -> PathBuf,
    ) -> io::Result<(T, Self)> {
        let mut unfinished = unfinished();
        let created = create()?;
        let path = path(&created);
        unfinished.insert(path.clone());
        Ok((created, Self(path)))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        unfinished().remove(&self.0);
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
        remove_stale(folder, PREFIX);
        #[cfg(target_os = "linux")]
        if let Some(file) = unnamed(folder) {
            // For the moment in which it has another name than its own.
            let _ = lock::attempt(&file);
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
        let create = || builder.tempfile_in(folder);
        let (file, unfinished) = Unfinished::create(create, |file| file.path().into())?;
        // Without locks nothing is taken for stale.
        let _ = lock::attempt(file.as_file());
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
                let link = || link(&file, &folder);
                let (name, unfinished) = Unfinished::create(link, Clone::clone)?;
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

/// A folder for temporary files, which goes when this does.
#[derive(Debug)]
pub struct TemporaryFolder {
    /// Closed before the folder is removed.
    _lock: File,
    _unfinished: Unfinished,
    folder: TempDir,
}

/// The file in a folder whose lock says that it is in use.
const LOCK: &str = ".lock";

impl TemporaryFolder {
    /// A new folder where the system wants temporary files.
    ///
    /// # Errors
    /// When nothing may be written there, or the disk is full.
    pub fn new(prefix: &str) -> io::Result<Self> {
        let place = std::env::temp_dir();
        remove_stale(&place, prefix);
        let create = || tempfile::Builder::new().prefix(prefix).tempdir_in(place);
        let (folder, unfinished) = Unfinished::create(create, |folder| folder.path().into())?;
        let lock = File::create(folder.path().join(LOCK))?;
        let _ = lock::attempt(&lock);
        Ok(Self {
            _lock: lock,
            _unfinished: unfinished,
            folder,
        })
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Puts something into it. An interrupt waits meanwhile, since it could not remove what still grows.
    pub fn fill<T>(&self, fill: impl FnOnce(&Path) -> T) -> T {
        let _held = unfinished();
        fill(self.path())
    }
}

/// What is younger is left alone: a process may be about to lock it.
const STALE: Duration = Duration::from_secs(3600);

/// Removes what killed runs left in a folder: what has the prefix, is no longer new, and is locked by
/// nobody. What cannot be removed stays.
fn remove_stale(folder: &Path, prefix: &str) {
    static LOOKED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    let new = LOOKED
        .lock()
        .is_ok_and(|mut looked| looked.insert(folder.join(prefix)));
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten().filter(|_| new) {
        let named = entry
            .file_name()
            .as_encoded_bytes()
            .starts_with(prefix.as_bytes());
        if named && is_stale(&entry.path()).unwrap_or(false) {
            let _ = std::fs::remove_file(entry.path());
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

fn is_stale(path: &Path) -> io::Result<bool> {
    let found = path.symlink_metadata()?;
    let age = found.modified()?.elapsed().unwrap_or_default();
    if age < STALE || found.is_symlink() {
        return Ok(false);
    }
    let locked = if found.is_dir() {
        path.join(LOCK)
    } else {
        path.into()
    };
    match regular_file::open(&locked) {
        Ok((file, _)) => Ok(matches!(lock::attempt(&file)?, Lock::Held)),
        // Killed before it had one.
        Err(e) if found.is_dir() && e.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(e) => Err(e),
    }
}

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

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    /// Makes a file or folder look as if it were written long ago.
    fn age(path: &Path) {
        let long_ago = std::time::SystemTime::now() - 2 * STALE;
        File::open(path).unwrap().set_modified(long_ago).unwrap();
    }

    #[test]
    fn what_a_killed_run_left_is_removed_and_what_is_in_use_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, "x").unwrap();
            path
        };
        let [left, young, used, other] =
            [".uta-eval-a", ".uta-eval-b", ".uta-eval-c", "uta-eval-d"].map(file);
        let held = File::open(&used).unwrap();
        held.lock().unwrap();
        let _ = [&left, &used, &other].map(|path| age(path));
        let written = TemporaryFile::beside(&folder.path().join("result")).unwrap();
        assert!(!left.exists());
        assert!(young.exists() && used.exists() && other.exists());
        drop(written);
    }

    #[test]
    fn a_named_file_is_locked_while_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let file = TemporaryFile::named(folder.path()).unwrap();
        let path = folder
            .path()
            .read_dir()
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path();
        age(&path);
        assert!(!is_stale(&path).unwrap());
        drop(file);
        assert!(!path.exists());
    }

    #[test]
    fn a_folder_of_a_killed_run_is_stale_and_one_in_use_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (left, bare) = (folder.path().join("left"), folder.path().join("bare"));
        for path in [&left, &bare] {
            std::fs::create_dir(path).unwrap();
        }
        let lock = File::create(left.join(LOCK)).unwrap();
        lock.lock().unwrap();
        assert!(!is_stale(&bare).unwrap());
        let _ = [&left, &bare].map(|path| age(path));
        assert!(is_stale(&bare).unwrap() && !is_stale(&left).unwrap());
        drop(lock);
        assert!(is_stale(&left).unwrap());
    }
}
