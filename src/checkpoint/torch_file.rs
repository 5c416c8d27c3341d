//! Reading the zip format of `torch.save` and of TorchScript: the members of the archive, and the
//! tensors of the pickled state dict or modules. A program's code is not looked at.
//!
//! Source of the format: PyTorch's `torch/serialization.py`. It stores members uncompressed, so that
//! tensors are read from where they lie in the file. Archives that were packed again may have deflated
//! members, which PyTorch reads, too.

use std::collections::HashMap;
use std::fs::File;
use std::io::BufReader;

use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use super::contents::Contents;
use super::error::printable;
use super::inflated::Packed;
use super::pickle::{MAX_BYTES, Pickle};
use super::rebuild::Rebuilder;
use super::source::Source;
use super::state_dict::Finder;
use super::values::Place;
use super::{CheckpointError, Found};

/// Bytes of the record that ends a zip archive; only a comment of at most 65,535 can follow.
const END_RECORD: usize = 22;

/// Longest name of a byte order.
const LONGEST_ORDER: usize = 16;

/// Lists the tensors of a PyTorch zip file: those under the key `weights`, if one is given.
pub(super) fn read(source: Source, weights: Option<&str>) -> Result<Contents, CheckpointError> {
    let path = source.path();
    let members = Members::open(&source)?;
    let bytes = members.pickle.bytes(&source)?;
    // Of a program it is said where the same weights are to be had as plain tensors.
    let of_program = |error: CheckpointError| {
        if members.program {
            CheckpointError::Program {
                cause: Box::new(error),
            }
        } else {
            error
        }
    };
    let pickle = Pickle::parse(&bytes).map_err(|reason| {
        of_program(CheckpointError::Corrupt {
            path: path.into(),
            detail: format!("its data.pkl cannot be read: {}", printable(&reason)),
        })
    })?;
    let rebuilder = Rebuilder {
        pickle: &pickle,
        storages: &members.storages,
    };
    let unpacked = members.packed.iter().map(|packed| packed.size).sum();
    let found = Finder {
        path,
        file_size: source.size().saturating_add(unpacked),
        rebuilder: &rebuilder,
    }
    .find(weights)
    .map_err(of_program)?;
    let mut files = Vec::new();
    if !members.packed.is_empty() {
        files.push(Source::inflated(&source, members.packed)?);
    }
    files.insert(0, source);
    Ok(Contents { files, ..found })
}

/// Where the archive's members lie in the file.
struct Members {
    pickle: Member,
    /// By storage key. Those that are packed are in a second file.
    storages: HashMap<String, Place>,
    packed: Vec<Packed>,
    /// Whether it is a TorchScript program.
    program: bool,
}

/// A member of the archive.
enum Member {
    Stored { start: usize, length: usize },
    Deflated(Packed),
}

impl Member {
    /// Its bytes, of which there are few.
    fn bytes(&self, source: &Source) -> Result<Vec<u8>, CheckpointError> {
        match self {
            Self::Stored { start, length } => source.bytes(*start..start + length),
            Self::Deflated(packed) if packed.size > MAX_BYTES => Err(CheckpointError::Corrupt {
                path: source.path().into(),
                detail: format!(
                    "its member {} has {} bytes, more than {MAX_BYTES}",
                    printable(&packed.name),
                    packed.size
                ),
            }),
            Self::Deflated(packed) => {
                let mut bytes = Vec::new();
                let stream = source.stream()?;
                packed
                    .inflate(stream.get_ref(), &mut bytes)
                    .map_err(|fault| fault.about(source.path()))?;
                Ok(bytes)
            }
        }
    }
}

impl Members {
    fn open(source: &Source) -> Result<Self, CheckpointError> {
        let path = source.path();
        let unsupported = |detail: String| CheckpointError::Unsupported {
            path: path.into(),
            detail,
        };
        let corrupt = |detail: String| CheckpointError::Corrupt {
            path: path.into(),
            detail,
        };
        let not_a_checkpoint = |found| CheckpointError::NotACheckpoint {
            path: path.into(),
            found,
        };
        let mut archive = match ZipArchive::new(source.stream()?) {
            Ok(archive) => archive,
            Err(ZipError::Io(e)) if e.raw_os_error().is_some() => {
                return Err(CheckpointError::Unreadable {
                    path: path.into(),
                    source: e,
                });
            }
            Err(e) if has_end_record(source)? => {
                let reason = printable(&e.to_string());
                let detail = format!("its zip directory cannot be read ({reason})");
                return Err(corrupt(detail));
            }
            Err(_) => {
                return Err(CheckpointError::Truncated {
                    path: path.into(),
                    detail: format!(
                        "its {} bytes lack the zip directory that ends the archive",
                        source.size()
                    ),
                });
            }
        };
        if archive.has_duplicate_names() {
            return Err(corrupt("two members of its archive have one name".into()));
        }
        let folder = match top_folder(&archive) {
            Ok(folder) => folder,
            Err(found) => return Err(not_a_checkpoint(found)),
        };
        let mut pickle = None;
        let mut storages = HashMap::new();
        let mut packed_members: Vec<Packed> = Vec::new();
        for index in 0..archive.len() {
            let member = archive.by_index_raw(index).map_err(|e| {
                let reason = printable(&e.to_string());
                corrupt(format!("its zip member {index} cannot be read ({reason})"))
            })?;
            let name = match member.name() {
                Ok(name) => name.to_string(),
                Err(_) => return Err(corrupt(format!("its zip member {index} has no name"))),
            };
            let Some(local) = name.strip_prefix(&folder) else {
                continue;
            };
            let storage = local.strip_prefix("data/").filter(|key| !key.is_empty());
            if storage.is_none() && !matches!(local, "data.pkl" | "byteorder") {
                continue;
            }
            let deflated = match member.compression() {
                _ if member.encrypted() => {
                    let name = printable(&name);
                    return Err(unsupported(format!("its member {name} is encrypted")));
                }
                CompressionMethod::STORE => false,
                CompressionMethod::DEFLATE => true,
                other => {
                    let name = printable(&name);
                    return Err(unsupported(format!(
                        "its member {name} is compressed by {other:?}, which PyTorch does not read either"
                    )));
                }
            };
            let outside = || {
                let name = printable(&name);
                corrupt(format!("its member {name} lies outside the file"))
            };
            let in_file = if deflated {
                member.compressed_size()
            } else {
                member.size()
            };
            let (start, length) = member
                .data_start()
                .and_then(|start| usize::try_from(start).ok())
                .zip(usize::try_from(in_file).ok())
                .filter(|(start, size)| {
                    start
                        .checked_add(*size)
                        .is_some_and(|end| end <= source.size())
                })
                .ok_or_else(outside)?;
            let found = if deflated {
                let packed = Packed {
                    start,
                    packed: length,
                    size: usize::try_from(member.size()).map_err(|_| outside())?,
                    crc32: member.crc32(),
                    offset: packed_members
                        .last()
                        .map_or(0, |last| last.offset + last.size),
                    name: name.clone(),
                };
                if let Some(fault) = packed.fault() {
                    return Err(corrupt(fault));
                }
                Member::Deflated(packed)
            } else {
                Member::Stored { start, length }
            };
            match (storage, found) {
                (None, found) if local == "data.pkl" => pickle = Some(found),
                (None, found) => {
                    let short = match &found {
                        Member::Stored { length, .. } => *length <= LONGEST_ORDER,
                        Member::Deflated(packed) => packed.size <= LONGEST_ORDER,
                    };
                    let order = if short {
                        found.bytes(source)?
                    } else {
                        b"too long".into()
                    };
                    let order = String::from_utf8_lossy(&order);
                    if order.trim() != "little" {
                        return Err(unsupported(format!("its byte order is {:?}", order.trim())));
                    }
                }
                (Some(key), Member::Stored { start, length }) => {
                    let place = Place {
                        file: 0,
                        start,
                        length,
                    };
                    storages.insert(key.to_string(), place);
                }
                (Some(key), Member::Deflated(packed)) => {
                    let place = Place {
                        file: 1,
                        start: packed.offset,
                        length: packed.size,
                    };
                    storages.insert(key.to_string(), place);
                    packed_members.push(packed);
                }
            }
        }
        let pickle = pickle.ok_or_else(|| not_a_checkpoint(Found::OtherZip))?;
        Ok(Self {
            pickle,
            storages,
            packed: packed_members,
            program: archive
                .file_names_raw()
                .any(|name| name.strip_prefix(folder.as_bytes()) == Some(b"constants.pkl")),
        })
    }
}

/// Whether the archive's last record is there, so that it is not cut.
fn has_end_record(source: &Source) -> Result<bool, CheckpointError> {
    let farthest = END_RECORD + usize::from(u16::MAX);
    let tail = source.bytes(source.size().saturating_sub(farthest)..source.size())?;
    Ok(tail
        .windows(END_RECORD)
        .any(|record| record.starts_with(b"PK\x05\x06")))
}

/// The one folder that all members of torch.save's archive are in, with its slash.
fn top_folder(archive: &ZipArchive<BufReader<&File>>) -> Result<String, Found> {
    let names = || {
        archive
            .file_names_raw()
            .filter_map(|name| std::str::from_utf8(name).ok())
    };
    let mut folders = names()
        .filter_map(|name| name.strip_suffix("data.pkl"))
        .filter(|folder| folder.find('/') == folder.len().checked_sub(1));
    let (Some(folder), None) = (folders.next(), folders.next()) else {
        return Err(Found::OtherZip);
    };
    Ok(folder.to_string())
}
