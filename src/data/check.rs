//! Looking at a data set's pictures without evaluating them: what they are, and which are the same.

use std::collections::HashMap;
use std::io;

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::containers::read::{PictureReader, read};
use super::sample::Sample;
use super::unreadable::patiently;
use crate::picture::{self, Header, Scratch};

/// Bytes of a file that are read for a first look. Nearly all headers end before.
const FIRST_LOOK: u64 = 64 << 10;

/// How closely to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Depth {
    /// Read the headers.
    Fast,
    /// Decode every picture.
    Full,
}

/// What was seen of a picture.
#[derive(Debug, Clone)]
pub struct Look {
    /// Of the file; 0 when it cannot be opened.
    pub bytes: u64,
    /// What its header says; or why it cannot be read.
    pub header: Result<Header, String>,
    /// A hash over its length and the bytes that were read, and whether these are all.
    content: Option<(Hash, bool)>,
}

type Hash = [u8; 32];

/// Pictures that one thread looks at in turn: rows of a table follow from each other.
const IN_A_ROW: usize = 64;

/// Looks at every picture, in order. `seen` is told of each.
pub fn look(samples: &[Sample], depth: Depth, seen: &(dyn Fn() + Sync)) -> Vec<Look> {
    let one = |state: &mut State, sample: &Sample| {
        let look = look_at(sample, depth, state);
        seen();
        look
    };
    samples
        .par_iter()
        .with_min_len(IN_A_ROW)
        .map_init(State::default, one)
        .collect()
}

/// What is used from picture to picture.
#[derive(Default)]
struct State {
    bytes: Vec<u8>,
    scratch: Scratch,
    reader: PictureReader,
}

/// Groups of pictures with the same content, as places in `samples`; in order.
///
/// # Errors
/// When a picture that could be read before cannot be read any more.
pub fn duplicates(samples: &[Sample], looks: &[Look]) -> io::Result<Vec<Vec<usize>>> {
    let mut groups: HashMap<Hash, Vec<usize>> = HashMap::new();
    for (index, look) in looks.iter().enumerate() {
        if let Some((hash, _)) = look.content {
            groups.entry(hash).or_default().push(index);
        }
    }
    // What begins alike and is as long need not be the same.
    let whole = |group: Vec<usize>| -> io::Result<Vec<Vec<usize>>> {
        if looks[group[0]].content.is_some_and(|(_, whole)| whole) {
            return Ok(vec![group]);
        }
        let mut groups: HashMap<Hash, Vec<usize>> = HashMap::new();
        let mut bytes = Vec::new();
        for index in group {
            read(&samples[index].storage, &mut bytes)?;
            groups.entry(hash(0, &bytes)).or_default().push(index);
        }
        Ok(groups.into_values().filter(|g| g.len() > 1).collect())
    };
    let alike: Vec<Vec<usize>> = groups.into_values().filter(|g| g.len() > 1).collect();
    let groups: Vec<Vec<Vec<usize>>> =
        alike.into_par_iter().map(whole).collect::<Result<_, _>>()?;
    let mut groups: Vec<Vec<usize>> = groups.into_iter().flatten().collect();
    groups.sort_unstable();
    Ok(groups)
}

fn look_at(sample: &Sample, depth: Depth, state: &mut State) -> Look {
    let State {
        bytes,
        scratch,
        reader,
    } = state;
    let most = match depth {
        Depth::Full => u64::MAX,
        Depth::Fast => FIRST_LOOK,
    };
    let length = match patiently(|| reader.read_beginning(&sample.storage, most, bytes)) {
        Ok(found) => found.length,
        Err(e) => {
            return Look {
                bytes: 0,
                header: Err(e.to_string()),
                content: None,
            };
        }
    };
    let mut whole = bytes.len() as u64 == length;
    let content = Some((hash(length, bytes), whole));
    let mut header = picture::header(bytes);
    if header.is_err() && !whole {
        // The header may be long.
        whole = reader.read(&sample.storage, bytes).is_ok();
        header = picture::header(bytes);
    }
    if depth == Depth::Full && whole {
        let decoded = picture::check(bytes, scratch);
        header = header.and_then(|header| decoded.map(|()| header));
    }
    Look {
        bytes: length,
        header: header.map_err(|e| e.to_string()),
        content,
    }
}

fn hash(length: u64, bytes: &[u8]) -> Hash {
    let mut hash = Sha256::new();
    hash.update(length.to_le_bytes());
    hash.update(bytes);
    hash.finalize().into()
}
