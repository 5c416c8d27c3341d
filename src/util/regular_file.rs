//! Files that are read whole. A device or a pipe has no end to read to, or keeps a reader waiting for
//! ever, so that only regular files are opened.

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// Opens a regular file. Opening a pipe does not wait for somebody to write to it.
///
/// # Errors
/// When it cannot be opened, or is something else, whose name the error tells.
pub fn open(path: &Path) -> io::Result<(File, Metadata)> {
    // Asked before opening: opening some devices has effects.
    refuse_others(&std::fs::metadata(path)?)?;
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    {
        // It may have become a pipe since.
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(nix::fcntl::OFlag::O_NONBLOCK.bits());
    }
    let file = options.open(path)?;
    let metadata = file.metadata()?;
    refuse_others(&metadata)?;
    Ok((file, metadata))
}

/// The bytes of a regular file that has no more than `most` of them.
///
/// # Errors
/// As [`open`], and when it is larger.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let (file, metadata) = open(path)?;
    // A file of the system's may be longer than it says, a growing one longer than it was.
    let mut bytes = Vec::with_capacity(metadata.len().min(most) as usize);
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::other(format!(
            "it has more than the {} MiB that such a file may have",
            most >> 20
        )));
    }
    Ok(bytes)
}

/// As [`read`], for UTF-8.
///
/// # Errors
/// As [`read`], and when it is no UTF-8.
pub fn read_text(path: &Path, most: u64) -> io::Result<String> {
    String::from_utf8(read(path, most)?).map_err(|e| {
        let valid = &e.as_bytes()[..e.utf8_error().valid_up_to()];
        let line = 1 + valid.iter().filter(|byte| **byte == b'\n').count();
        io::Error::new(
            ErrorKind::InvalidData,
            format!("line {line} is no UTF-8; is it a text file?"),
        )
    })
}

/// # Errors
/// When the file is no regular one.
pub fn refuse_others(metadata: &Metadata) -> io::Result<()> {
    if metadata.is_file() {
        return Ok(());
    }
    let kind = kind(metadata);
    Err(io::Error::new(
        ErrorKind::InvalidInput,
        format!("it is {kind}, and no regular file; name a file that is kept on a disk"),
    ))
}

/// What a file is that is no regular one.
fn kind(metadata: &Metadata) -> &'static str {
    if metadata.is_dir() {
        return "a folder";
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        let kind = metadata.file_type();
        if kind.is_fifo() {
            return "a pipe";
        }
        if kind.is_socket() {
            return "a socket";
        }
        if kind.is_char_device() || kind.is_block_device() {
            return "a device";
        }
    }
    "of another kind"
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(path: &Path, kind: &str) {
        let error = read(path, 1 << 20).unwrap_err().to_string();
        assert!(error.contains(kind), "{error}");
    }

    #[test]
    fn only_regular_files_are_read() {
        let folder = tempfile::tempdir().unwrap();
        refused(folder.path(), "it is a folder");
        refused(Path::new("/dev/zero"), "it is a device");
        let pipe = folder.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        refused(&pipe, "it is a pipe");
        let socket = folder.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        refused(&socket, "it is a socket");
        let file = folder.path().join("file");
        std::fs::write(&file, "abc\nd\u{e9}f").unwrap();
        assert_eq!(read(&file, 1 << 20).unwrap(), "abc\nd\u{e9}f".as_bytes());
        assert_eq!(read(&file, 8).unwrap().len(), 8);
        refused(Path::new("/proc/self/mem"), "");
        assert!(
            read(&file, 7)
                .unwrap_err()
                .to_string()
                .contains("more than")
        );
        std::fs::write(&file, b"abc\nd\xe9f").unwrap();
        let error = read_text(&file, 8).unwrap_err().to_string();
        assert!(error.contains("line 2 is no UTF-8"), "{error}");
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert_eq!(read(&link, 8).unwrap().len(), 7);
    }
}
