//! Tar archives: what lies where in them. Members are read in place and never unpacked.
//!
//! Only headers are read, so that everything about an archive is known before weights are loaded,
//! and workers read members side by side as they read files. An archive's paths are names of
//! pictures and nothing else: no path of an archive is ever opened or written.

use std::cell::Cell;
use std::collections::HashSet;
use std::fs::File;
use std::io::{BufReader, Error, ErrorKind, Read, Result, Seek, SeekFrom};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use tar::{Archive, EntryType};

use super::error::ContainerError;
use super::file_names::{Ignored, has_ending, is_picture};
use crate::data::sample::ArchiveSpan;
use crate::util::escape;
use crate::util::regular_file;

/// Bytes of text that are read from one member (a label beside a picture).
const MAX_TEXT: u64 = 1 << 20;

/// Characters of a member's path.
const MAX_NAME: usize = 4096;

/// Bytes of headers, long names and extensions that one member may have.
const MAX_HEADERS: u64 = 1 << 20;

/// Bytes that an archive may have after its end: padding to a tape's block, and more.
const MAX_PADDING: u64 = 1 << 24;

/// Size of a header, and what members are padded to.
const BLOCK: u64 = 512;

/// Endings of archives.
const ARCHIVES: [&str; 9] = [
    "tar", "tgz", "gz", "zip", "zst", "xz", "bz2", "7z", "parquet",
];

/// A regular file in an archive.
#[derive(Debug, Clone)]
pub struct Member {
    /// Its path, without parts that say nothing (`.` and empty ones).
    pub name: String,
    pub span: ArchiveSpan,
}

/// The regular files of an archive, in its order. No two share a name.
///
/// # Errors
/// When the archive is damaged, cut short or compressed, or has a member that cannot be a picture
/// of a data set: an absolute path, one with `..`, a link, a sparse file, another archive, a name
/// that another member has.
pub fn members(path: &Path) -> std::result::Result<Vec<Member>, ContainerError> {
    let fail = |reason: String| ContainerError::Archive {
        path: path.into(),
        reason,
    };
    let members = index(path).map_err(|e| match e.kind() {
        ErrorKind::NotFound => ContainerError::NotFound { path: path.into() },
        ErrorKind::PermissionDenied => ContainerError::Unreadable {
            path: path.into(),
            source: e,
        },
        _ => fail(e.to_string()),
    })?;
    let mut seen = HashSet::new();
    match members.iter().find(|member| !seen.insert(&*member.name)) {
        Some(member) => Err(fail(format!("it holds {} twice", member.name))),
        None => Ok(members),
    }
}

/// The pictures among an archive's members. Others are counted in `ignored`.
pub fn pictures(mut members: Vec<Member>, ignored: &mut Ignored) -> Vec<Member> {
    members.retain(|member| ignored.admits(&member.name));
    members
}

/// The text of a small member.
///
/// # Errors
/// When it is large, or no UTF-8.
pub fn text(span: &ArchiveSpan) -> Result<String> {
    if span.bytes > MAX_TEXT {
        return Err(Error::other("it is too large for a label"));
    }
    let mut file = File::open(&span.archive)?;
    file.seek(SeekFrom::Start(span.offset))?;
    let mut text = String::new();
    file.take(span.bytes).read_to_string(&mut text)?;
    Ok(text)
}

/// Reads the headers of an archive.
fn index(path: &Path) -> Result<Vec<Member>> {
    let (mut file, metadata) = regular_file::open(path)?;
    let length = metadata.len();
    refuse_compressed(&mut file)?;
    let container: Arc<Path> = path.into();
    let budget = Rc::new(Cell::new(MAX_HEADERS));
    let mut archive = Archive::new(HeaderReader {
        file: BufReader::with_capacity(4096, file.try_clone()?),
        budget: Rc::clone(&budget),
    });
    let mut members = Vec::new();
    let mut end = 0;
    for entry in archive.entries_with_seek()? {
        let mut entry = entry.map_err(damaged)?;
        budget.set(MAX_HEADERS);
        let name = name(&entry.path_bytes())?;
        let refuse = |what: &str| Err(Error::other(format!("its member {name} is {what}")));
        let (offset, bytes) = (entry.raw_file_position(), entry.size());
        let beyond = offset
            .checked_add(bytes)
            .is_none_or(|member_end| member_end > length);
        let kind = entry.header().entry_type();
        if kind == EntryType::GNUSparse || (kind.is_file() && is_sparse(&mut entry)) {
            return refuse("a sparse file, which no picture is; store it whole");
        }
        if beyond {
            return Err(Error::other(format!(
                "its member {name} has {bytes} bytes by its header, more than the archive holds; the archive is damaged or cut short"
            )));
        }
        end = offset + bytes.div_ceil(BLOCK) * BLOCK;
        if !matches!(kind, EntryType::Regular | EntryType::Continuous) {
            // Folders and devices are no pictures; a link may mean one that is elsewhere, or many.
            let link = matches!(kind, EntryType::Symlink | EntryType::Link);
            if link || (kind != EntryType::Directory && is_picture(Path::new(&name))) {
                return refuse(
                    "no file but a link or a device; with tar's --dereference and --hard-dereference pictures are stored themselves",
                );
            }
            continue;
        }
        if ARCHIVES.iter().any(|a| has_ending(Path::new(&name), a)) {
            return refuse(
                "an archive itself; archives in archives are not read, unpack the outer one",
            );
        }
        members.push(Member {
            name,
            span: ArchiveSpan {
                archive: Arc::clone(&container),
                offset,
                bytes,
            },
        });
    }
    check_end(file, end, length)?;
    Ok(members)
}

/// A reader of headers that gives up when one member has too many of them: a long name is read
/// into memory whole, whatever length it declares.
struct HeaderReader {
    file: BufReader<File>,
    budget: Rc<Cell<u64>>,
}

impl Read for HeaderReader {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let read = self.file.read(buffer)?;
        match self.budget.get().checked_sub(read as u64) {
            Some(left) => self.budget.set(left),
            None => return Err(Error::other("a member's name or headers are absurdly long")),
        }
        Ok(read)
    }
}

impl Seek for HeaderReader {
    fn seek(&mut self, position: SeekFrom) -> Result<u64> {
        self.file.seek(position)
    }
}

/// Whether a member is sparse by its PAX headers; its header calls it regular.
fn is_sparse<R: Read>(entry: &mut tar::Entry<'_, R>) -> bool {
    let extensions = entry.pax_extensions().ok().flatten();
    extensions
        .into_iter()
        .flatten()
        .flatten()
        .any(|extension| extension.key_bytes().starts_with(b"GNU.sparse."))
}

/// An archive that is cut between two members has no mark of its end, and one with another archive
/// appended has more after it; both would lose pictures without a word.
fn check_end(mut file: File, end: u64, length: u64) -> Result<()> {
    if length == 0 {
        return Err(Error::other("it is empty"));
    }
    if end >= length {
        return Err(Error::other(
            "it lacks the mark of a tar archive's end; it is cut short",
        ));
    }
    file.seek(SeekFrom::Start(end))?;
    let mut rest = Vec::new();
    file.take(MAX_PADDING).read_to_end(&mut rest)?;
    if length - end > MAX_PADDING || rest.iter().any(|byte| *byte != 0) {
        return Err(Error::other(
            "it goes on after the mark of its end; are several archives joined in it?",
        ));
    }
    Ok(())
}

/// A member's path in the one form that it has: two that lead to the same file are equal.
fn name(path: &[u8]) -> Result<String> {
    let slash = |byte: &u8| matches!(byte, b'/' | b'\\');
    let hostile = path.first().is_some_and(slash)
        || path.split(slash).any(|part| part == b"..")
        || path.contains(&0)
        || path.len() > MAX_NAME;
    // Two names that differ in a byte that is no UTF-8 stay apart.
    let path = escape::bytes(path);
    if hostile {
        let shown: String = path.chars().take(100).collect();
        return Err(Error::other(format!(
            "its member {shown:?} has a path that leads out of the archive, or no path at all"
        )));
    }
    let parts = path.split('/').filter(|part| !matches!(*part, "" | "."));
    Ok(parts.collect::<Vec<_>>().join("/"))
}

/// The reader's message quotes bytes of what may be no archive at all.
fn damaged(error: Error) -> Error {
    let message = error.to_string();
    let shown: String = message
        .chars()
        .take(100)
        .flat_map(char::escape_debug)
        .collect();
    Error::other(format!("it is no sound tar archive: {shown}"))
}

fn refuse_compressed(file: &mut File) -> Result<()> {
    let mut start = Vec::new();
    file.take(6).read_to_end(&mut start)?;
    file.seek(SeekFrom::Start(0))?;
    let format = match start.as_slice() {
        [0x1f, 0x8b, ..] => "gzip",
        [0x28, 0xb5, 0x2f, 0xfd, ..] => "zstd",
        [0xfd, b'7', b'z', b'X', b'Z', 0] => "xz",
        [b'B', b'Z', b'h', ..] => "bzip2",
        [b'P', b'K', 3, 4, ..] => "zip",
        _ => return Ok(()),
    };
    Err(Error::other(format!(
        "it is compressed ({format}); pictures are compressed already, make it a plain tar"
    )))
}
