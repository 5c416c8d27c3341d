//! WebDataset shards: tar archives that hold each picture beside texts of the same name.

use std::collections::{BTreeMap, HashSet};

use super::archive::{self, Member};
use super::file_names::{Ignored, is_hidden};

/// Endings of texts that say a picture's class, in the order of preference.
pub const TEXT_ENDINGS: [&str; 3] = ["cls", "json", "txt"];

/// The texts beside a picture by their endings.
pub type Texts = BTreeMap<String, Member>;

/// A picture of a shard.
#[derive(Debug)]
pub struct ShardPicture {
    pub picture: Member,
    pub texts: Texts,
}

/// The pictures of a shard with the texts beside them, in the order of the archive. Other members
/// are counted in `ignored`.
///
/// # Errors
/// When two pictures share a name, or two texts do: why the shard cannot be used.
pub fn pictures(members: Vec<Member>, ignored: &mut Ignored) -> Result<Vec<ShardPicture>, String> {
    let mut texts: BTreeMap<String, Texts> = BTreeMap::new();
    let mut others = Vec::with_capacity(members.len());
    for member in members {
        let ending = ending(&member.name);
        if !TEXT_ENDINGS.contains(&ending.as_str()) || is_hidden(&member.name) {
            others.push(member);
            continue;
        }
        let beside = texts.entry(key(&member.name).into()).or_default();
        if let Some(first) = beside.insert(ending, member) {
            return Err(format!("it holds {} in two spellings", first.name));
        }
    }
    let mut seen = HashSet::new();
    let mut pictures = Vec::new();
    for picture in archive::pictures(others, ignored) {
        let key = key(&picture.name);
        if !seen.insert(key.to_string()) {
            return Err(format!("it holds several pictures called {key}"));
        }
        let texts = texts.remove(key).unwrap_or_default();
        pictures.push(ShardPicture { picture, texts });
    }
    Ok(pictures)
}

/// What a picture and the texts beside it share: everything before the first dot of the file's
/// name.
pub fn key(name: &str) -> &str {
    let file = name.rfind('/').map_or(0, |slash| slash + 1);
    match name[file..].find('.') {
        Some(dot) => &name[..file + dot],
        None => name,
    }
}

/// What follows the last dot of a member's file name, in small letters.
pub fn ending(name: &str) -> String {
    let file = name.rsplit('/').next().unwrap_or(name);
    let ending = file.rsplit_once('.').map_or("", |(_, ending)| ending);
    ending.to_ascii_lowercase()
}
