//! Members of a zip archive that are deflated, as `torch.load` takes them, too: unpacked once, into a file
//! without a name, so that tensors are read from where they lie in it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

use flate2::read::DeflateDecoder;
use positioned_io::ReadAt;

use super::CheckpointError;
use super::error::printable;

/// Deflate stores no byte in less than a 1032nd of one; a member that claims more is damaged.
const MOST_TIMES: usize = 1032;
/// Bytes that are unpacked at a time.
const PIECE: usize = 1 << 16;

/// A deflated member.
#[derive(Debug, Clone)]
pub(super) struct Packed {
    pub(super) name: String,
    /// First byte in the archive, and length there.
    pub(super) start: usize,
    pub(super) packed: usize,
    /// Place and length when unpacked.
    pub(super) offset: usize,
    pub(super) size: usize,
    pub(super) crc32: u32,
}

/// Members that are unpacked when they are needed.
#[derive(Debug)]
pub(super) struct Inflated {
    path: PathBuf,
    archive: File,
    members: Vec<Packed>,
    file: OnceLock<File>,
    /// Held while they are unpacked.
    turn: Mutex<()>,
}

impl Packed {
    /// What is wrong with the lengths that the archive gives.
    pub(super) fn fault(&self) -> Option<String> {
        let name = printable(&self.name);
        (self.size
            > self
                .packed
                .saturating_mul(MOST_TIMES)
                .saturating_add(MOST_TIMES))
        .then(|| {
            format!(
                "its member {name} of {} bytes cannot hold the {} that are claimed",
                self.packed, self.size
            )
        })
    }

    /// Unpacks it.
    pub(super) fn inflate(&self, archive: &File, to: &mut impl Write) -> Result<(), Fault> {
        let bytes = Section {
            file: archive,
            at: self.start as u64,
            left: self.packed,
        };
        let corrupt = |detail: String| {
            Fault::Corrupt(format!(
                "its member {} cannot be unpacked: {detail}",
                printable(&self.name)
            ))
        };
        let mut decoder = DeflateDecoder::new(bytes);
        let mut hasher = crc32fast::Hasher::new();
        let mut buffer = vec![0; PIECE];
        let mut left = self.size;
        loop {
            let read = match decoder.read(&mut buffer) {
                Ok(read) => read,
                Err(e) if e.raw_os_error().is_some() => return Err(Fault::Read(e)),
                Err(e) => return Err(corrupt(e.to_string())),
            };
            if read == 0 {
                break;
            }
            left = left
                .checked_sub(read)
                .ok_or_else(|| corrupt(format!("it has more than its {} bytes", self.size)))?;
            hasher.update(&buffer[..read]);
            to.write_all(&buffer[..read]).map_err(Fault::Write)?;
        }
        if left > 0 {
            return Err(corrupt(format!(
                "{left} of its {} bytes are missing",
                self.size
            )));
        }
        if hasher.finalize() != self.crc32 {
            return Err(corrupt("its checksum differs".into()));
        }
        Ok(())
    }
}

/// Why a member cannot be unpacked.
pub(super) enum Fault {
    Corrupt(String),
    Read(io::Error),
    Write(io::Error),
}

impl Fault {
    /// As an error about the archive.
    pub(super) fn about(self, path: &Path) -> CheckpointError {
        let path = path.into();
        match self {
            Self::Corrupt(detail) => CheckpointError::Corrupt { path, detail },
            Self::Read(source) => CheckpointError::Unreadable { path, source },
            Self::Write(source) => CheckpointError::NotUnpacked {
                path,
                folder: std::env::temp_dir(),
                source,
            },
        }
    }
}

impl Inflated {
    pub(super) fn new(path: &Path, archive: File, members: Vec<Packed>) -> Self {
        Self {
            path: path.into(),
            archive,
            members,
            file: OnceLock::new(),
            turn: Mutex::new(()),
        }
    }

    /// The file with all members.
    ///
    /// # Errors
    /// When one is damaged, or there is no room.
    pub(super) fn file(&self) -> Result<&File, CheckpointError> {
        if let Some(file) = self.file.get() {
            return Ok(file);
        }
        let _turn = self.turn.lock();
        if let Some(file) = self.file.get() {
            return Ok(file);
        }
        let file = self.unpack().map_err(|fault| fault.about(&self.path))?;
        Ok(self.file.get_or_init(|| file))
    }

    fn unpack(&self) -> Result<File, Fault> {
        let mut file = tempfile::tempfile().map_err(Fault::Write)?;
        for member in &self.members {
            let place = SeekFrom::Start(member.offset as u64);
            file.seek(place).map_err(Fault::Write)?;
            member.inflate(&self.archive, &mut file)?;
        }
        Ok(file)
    }
}

/// Part of a file as a stream.
struct Section<'a> {
    file: &'a File,
    at: u64,
    left: usize,
}

impl Read for Section<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(self.left);
        let read = self.file.read_at(self.at, &mut buffer[..most])?;
        self.at += read as u64;
        self.left -= read;
        Ok(read)
    }
}
