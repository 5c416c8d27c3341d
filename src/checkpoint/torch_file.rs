//! Reading the zip format of `torch.save` and of TorchScript: the members of the archive, and the
//! tensors of the pickled state dict or modules. A program's code is not looked at.
//!
//! Source of the format: PyTorch's `torch/serialization.py`. Members are stored uncompressed, so
//! tensors are read from where they lie in the file.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read};

use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use super::error::printable;
use super::pickle::Pickle;
use super::rebuild::Rebuilder;
use super::source::Source;
use super::state_dict::Finder;
use super::{CheckpointError, Contents, Found};

/// Bytes of the record that ends a zip archive; only a comment of at most 65,535 can follow.
const END_RECORD: usize = 22;

/// Lists the tensors of a PyTorch zip file.
pub(super) fn read(source: &Source) -> Result<Contents, CheckpointError> {
    let path = source.path();
    let members = Members::open(source)?;
    let (start, size) = members.pickle;
    let bytes = source.bytes(start..start + size)?;
    let pickle = Pickle::parse(&bytes).map_err(|reason| CheckpointError::Corrupt {
        path: path.into(),
        detail: format!("its data.pkl cannot be read: {}", printable(&reason)),
    })?;
    let rebuilder = Rebuilder {
        pickle: &pickle,
        storages: &members.storages,
    };
    Finder {
        path,
        file_size: source.size(),
        rebuilder: &rebuilder,
    }
    .contents()
}

/// Where the archive's members lie in the file: (first byte, length).
struct Members {
    pickle: (usize, usize),
    /// By storage key.
    storages: HashMap<String, (usize, usize)>,
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
        let mut archive = match ZipArchive::new(source.stream()) {
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
        for index in 0..archive.len() {
            let mut member = archive.by_index_raw(index).map_err(|e| {
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
            if local == "byteorder" {
                let mut order = String::new();
                let read = member.by_ref().take(16).read_to_string(&mut order);
                if read.is_err() || order.trim() != "little" {
                    return Err(unsupported(format!("its byte order is {:?}", order.trim())));
                }
            }
            let storage = local.strip_prefix("data/");
            if storage.is_none() && local != "data.pkl" {
                continue;
            }
            if member.compression() != CompressionMethod::Stored || member.encrypted() {
                return Err(unsupported(format!(
                    "its member {} is compressed or encrypted",
                    printable(&name)
                )));
            }
            let bounds = member
                .data_start()
                .and_then(|start| usize::try_from(start).ok())
                .zip(usize::try_from(member.size()).ok())
                .filter(|(start, size)| {
                    start
                        .checked_add(*size)
                        .is_some_and(|end| end <= source.size())
                })
                .ok_or_else(|| {
                    let name = printable(&name);
                    corrupt(format!("its member {name} lies outside the file"))
                })?;
            match storage {
                Some(key) => drop(storages.insert(key.to_string(), bounds)),
                None => pickle = Some(bounds),
            }
        }
        let pickle = pickle.ok_or_else(|| not_a_checkpoint(Found::OtherZip))?;
        Ok(Self { pickle, storages })
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
