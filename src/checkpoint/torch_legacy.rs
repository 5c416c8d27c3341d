//! Reading what `torch.save` wrote before PyTorch 1.6, and still writes if it is told to: pickles one
//! behind the other (a magic number, a version, facts about the machine, the object, the keys of its
//! storages), and then each storage: its number of elements in eight bytes, and they.
//!
//! Source of the format: `_legacy_load` in PyTorch's `torch/serialization.py`.

use std::collections::HashMap;

use super::CheckpointError;
use super::contents::Contents;
use super::error::printable;
use super::pickle::{MAX_BYTES, Pickle};
use super::pickle_machine::TOO_EARLY;
use super::rebuild::{Rebuilder, element_size};
use super::source::Source;
use super::state_dict::Finder;
use super::values::Place;

/// The pickled magic number behind the two bytes that tell the pickle's protocol.
pub(super) const MAGIC: &[u8] = b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
/// The version of the format; there was no other.
const VERSION: usize = 1001;
/// Bytes of a storage's number of elements.
const COUNT_BYTES: usize = 8;

/// Lists the tensors of such a file: those under the key `weights`, if one is given.
pub(super) fn read(source: Source, weights: Option<&str>) -> Result<Contents, CheckpointError> {
    let path = source.path();
    let corrupt = |detail: String| CheckpointError::Corrupt {
        path: path.into(),
        detail,
    };
    let head = source.bytes(0..source.size().min(MAX_BYTES))?;
    let mut at = 0;
    let mut next = |what: &str| {
        let parsed = Pickle::parse_first(&head[at..]);
        let (pickle, length) = parsed.map_err(|reason| {
            if head.len() == source.size() && reason.starts_with(TOO_EARLY) {
                return CheckpointError::Truncated {
                    path: path.into(),
                    detail: format!("{what} does not end within its {} bytes", source.size()),
                };
            }
            corrupt(format!("{what} cannot be read: {}", printable(&reason)))
        })?;
        at += length;
        Ok::<_, CheckpointError>((pickle, at))
    };
    next("the magic number")?;
    let (version, _) = next("the version")?;
    if version.size(version.root()) != Some(VERSION) {
        return Err(CheckpointError::Unsupported {
            path: path.into(),
            detail: format!("it has another version than {VERSION} of PyTorch's old format"),
        });
    }
    next("the machine's description")?;
    let (pickle, _) = next("the pickled object")?;
    let (keys, end) = next("the list of storages")?;
    let storages = storages(&source, &pickle, &keys, end)?;
    let rebuilder = Rebuilder {
        pickle: &pickle,
        storages: &storages,
    };
    let found = Finder {
        path,
        file_size: source.size(),
        rebuilder: &rebuilder,
    }
    .find(weights)?;
    Ok(Contents {
        files: vec![source],
        ..found
    })
}

/// Where the storages lie, by key.
fn storages(
    source: &Source,
    pickle: &Pickle,
    keys: &Pickle,
    mut at: usize,
) -> Result<HashMap<String, Place>, CheckpointError> {
    let path = source.path();
    let corrupt = |detail: String| CheckpointError::Corrupt {
        path: path.into(),
        detail,
    };
    let mut classes = HashMap::new();
    for parts in pickle.persistent() {
        if let [_, class, key, ..] = parts
            && let (Some(class), Some(key)) = (pickle.global(*class), pickle.text(*key))
        {
            classes.insert(key, class);
        }
    }
    let listed = keys.sequence(keys.root());
    let listed = listed.ok_or_else(|| corrupt("its list of storages is none".into()))?;
    let mut storages = HashMap::new();
    for key in listed {
        let key = keys.text(*key);
        let key = key.ok_or_else(|| corrupt("a storage's key is no text".into()))?;
        let class = classes
            .get(key)
            .ok_or_else(|| corrupt(format!("no tensor has the storage {}", printable(key))))?;
        let element = element_size(class).ok_or_else(|| CheckpointError::UnsupportedTensor {
            path: path.into(),
            tensor: format!("in the storage {}", printable(key)),
            kind: printable(class),
        })?;
        let cut = |end: usize| CheckpointError::Truncated {
            path: path.into(),
            detail: format!(
                "its storage {} ends at byte {end}, but it has {} bytes",
                printable(key),
                source.size()
            ),
        };
        let start = at + COUNT_BYTES;
        if start > source.size() {
            return Err(cut(start));
        }
        let mut count = [0; COUNT_BYTES];
        source.fill(at, &mut count)?;
        let length = usize::try_from(i64::from_le_bytes(count))
            .ok()
            .and_then(|count| count.checked_mul(element));
        let length = length
            .ok_or_else(|| corrupt(format!("its storage {} has no length", printable(key))))?;
        let end = start.saturating_add(length);
        if end > source.size() {
            return Err(cut(end));
        }
        let place = Place {
            file: 0,
            start,
            length,
        };
        storages.insert(key.to_string(), place);
        at = end;
    }
    Ok(storages)
}
