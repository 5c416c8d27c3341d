//! Looking at a data set's pictures without evaluating them: what they are, and which are the same.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::{DataError, DataSet, Sample, Set, loader};
use crate::picture::{self, Facts, Scratch};

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
    pub facts: Result<Facts, String>,
    /// A hash over its length and the bytes that were read, and whether these are all.
    content: Option<(Hash, bool)>,
}

type Hash = [u8; 32];

/// Finds out which set a path holds, and its pictures.
///
/// # Errors
/// When it is none of the sets: why it is not ImageNet.
pub fn recognise(path: &Path) -> Result<(Set, DataSet), DataError> {
    let scan = |set: Set| DataSet::scan(path, &set.folders()).map(|data| (set, data));
    let (set, data) = match scan(Set::ImageNet) {
        Ok(found) => found,
        Err(e) => {
            let mut others = Set::ALL.into_iter().skip(1).map(scan);
            return others.find_map(Result::ok).ok_or(e);
        }
    };
    let is_sketch = |sample: &Sample| {
        let name = sample.path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with("sketch_"))
    };
    let set = if data.samples.iter().all(is_sketch) {
        Set::Sketch
    } else {
        Set::with_classes(&data.classes_there()).unwrap_or(set)
    };
    Ok((set, data))
}

/// Looks at every picture, in order. `seen` is told of each.
pub fn look(samples: &[Sample], depth: Depth, seen: &(dyn Fn() + Sync)) -> Vec<Look> {
    let one = |state: &mut (Vec<u8>, Scratch), sample: &Sample| {
        let look = look_at(sample, depth, state);
        seen();
        look
    };
    samples.par_iter().map_init(Default::default, one).collect()
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
            loader::read(&samples[index].path, &mut bytes)?;
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

fn look_at(sample: &Sample, depth: Depth, (bytes, scratch): &mut (Vec<u8>, Scratch)) -> Look {
    let length = match read(&sample.path, depth, bytes) {
        Ok(length) => length,
        Err(e) => {
            return Look {
                bytes: 0,
                facts: Err(e.to_string()),
                content: None,
            };
        }
    };
    let mut whole = bytes.len() as u64 == length;
    let content = Some((hash(length, bytes), whole));
    let mut facts = picture::facts(bytes);
    if facts.is_err() && !whole {
        // The header may be long.
        whole = loader::read(&sample.path, bytes).is_ok();
        facts = picture::facts(bytes);
    }
    if depth == Depth::Full && whole {
        let decoded = picture::check(bytes, scratch);
        facts = facts.and_then(|facts| decoded.map(|()| facts));
    }
    Look {
        bytes: length,
        facts: facts.map_err(|e| e.to_string()),
        content,
    }
}

/// Reads as much of a file as is needed. Returns its length.
fn read(path: &Path, depth: Depth, bytes: &mut Vec<u8>) -> io::Result<u64> {
    let length = loader::length(path)?;
    match depth {
        Depth::Full => loader::read(path, bytes)?,
        Depth::Fast => {
            bytes.clear();
            File::open(path)?.take(FIRST_LOOK).read_to_end(bytes)?;
        }
    }
    Ok(length)
}

fn hash(length: u64, bytes: &[u8]) -> Hash {
    let mut hash = Sha256::new();
    hash.update(length.to_le_bytes());
    hash.update(bytes);
    hash.finalize().into()
}
