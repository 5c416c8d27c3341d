//! WebDataset shards: tar archives that hold each picture beside its label.

use std::collections::BTreeMap;
use std::path::Path;

use super::archive::{self, Entry};
use super::class_folders::ClassFolders;
use super::folder::Ignored;
use super::sample::{Sample, Storage};

/// Endings of labels, in the order of preference.
const LABEL_ENDINGS: [&str; 3] = ["cls", "json", "txt"];

/// Fields of a JSON label that name the class.
const FIELDS: [&str; 5] = ["cls", "label", "class", "wnid", "class_id"];

/// Whether a picture has a label beside it.
pub fn is_labelled(entries: &[Entry]) -> bool {
    let labels: std::collections::HashSet<&str> = entries
        .iter()
        .map(|entry| key(&entry.name))
        .filter(|(_, ending)| LABEL_ENDINGS.contains(ending))
        .map(|(key, _)| key)
        .collect();
    entries
        .iter()
        .any(|entry| archive::is_shown_picture(&entry.name) && labels.contains(key(&entry.name).0))
}

/// The pictures of one shard, each with the label beside it, in the order of the archive.
///
/// # Errors
/// When a picture has no label, or one that names no class.
pub fn samples(
    shard: &Path,
    entries: Vec<Entry>,
    classes: &ClassFolders,
    ignored: &mut Ignored,
) -> Result<Vec<Sample>, String> {
    let mut labels: BTreeMap<String, BTreeMap<String, Entry>> = BTreeMap::new();
    let mut others = Vec::with_capacity(entries.len());
    for entry in entries {
        let (key, ending) = key(&entry.name);
        match LABEL_ENDINGS.contains(&ending) && !archive::is_hidden(&entry.name) {
            true => {
                let (key, ending) = (key.to_string(), ending.to_string());
                labels.entry(key).or_default().insert(ending, entry);
            }
            false => others.push(entry),
        }
    }
    let mut samples: Vec<Sample> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for entry in archive::pictures(others, ignored) {
        let (key, _) = key(&entry.name);
        if !seen.insert(key.to_string()) {
            return Err(format!("it holds several pictures called {key}"));
        }
        let label = labels.get(key).and_then(|beside| {
            let label = |ending: &&str| beside.get(*ending);
            LABEL_ENDINGS.iter().find_map(label)
        });
        let Some(label) = label else {
            return Err(format!(
                "{} has no .cls, .json or .txt beside it",
                entry.name
            ));
        };
        let text = archive::text(&label.member).map_err(|e| format!("{}: {e}", label.name))?;
        let class = match label.name.ends_with("json") {
            true => class_in_json(&text, classes),
            false => class_in_text(&text, classes),
        };
        let Some(class) = class else {
            let start: String = text.trim().chars().take(40).collect();
            return Err(format!("{} holds no class: {start:?}", label.name));
        };
        samples.push(Sample {
            path: archive::display(shard, &entry.name),
            label: class,
            right: None,
            storage: Storage::Member(entry.member),
        });
    }
    Ok(samples)
}

fn class_in_text(text: &str, classes: &ClassFolders) -> Option<usize> {
    let text = text.trim();
    let number = || classes.of_index(text.parse().ok()?);
    classes.class_of(text).or_else(number)
}

fn class_in_json(text: &str, classes: &ClassFolders) -> Option<usize> {
    let value: serde_json::Value = serde_json::from_str(text).ok()?;
    let label = match &value {
        serde_json::Value::Object(fields) => FIELDS.iter().find_map(|name| fields.get(*name))?,
        other => other,
    };
    match label {
        serde_json::Value::String(text) => class_in_text(text, classes),
        other => class_in_text(&other.as_u64()?.to_string(), classes),
    }
}

/// A member's key and ending: everything before the first dot of its file name, and what follows
/// the last.
fn key(name: &str) -> (&str, &str) {
    let file = name.rfind('/').map_or(0, |slash| slash + 1);
    let key = match name[file..].find('.') {
        Some(dot) => &name[..file + dot],
        None => name,
    };
    let ending = name[file..]
        .rfind('.')
        .map_or("", |dot| &name[file + dot + 1..]);
    (key, ending)
}
