//! WebDataset shards: tar archives that hold each picture beside its label.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use super::archive::{self, Entry};
use super::class_folders::ClassFolders;
use super::folder::Ignored;
use super::sample::{Sample, Storage};

/// Endings of labels, in the order of preference.
const LABEL_ENDINGS: [&str; 3] = ["cls", "json", "txt"];

/// Fields of a JSON label that name the class.
const FIELDS: [&str; 5] = ["cls", "label", "class", "wnid", "class_id"];

/// Whether a picture has a label beside it. Texts beside pictures in class folders are something
/// else.
pub fn is_labelled(entries: &[Entry], classes: &ClassFolders) -> bool {
    let labels: HashMap<&str, bool> = entries
        .iter()
        .map(|entry| (key(&entry.name), ending(&entry.name)))
        .filter(|(_, ending)| LABEL_ENDINGS.contains(&ending.as_str()))
        .map(|(key, ending)| (key, ending == "txt"))
        .collect();
    let is_foldered = |name: &str| {
        name.split('/')
            .rev()
            .skip(1)
            .any(|f| classes.class_of(f).is_some())
    };
    entries
        .iter()
        .filter(|entry| archive::is_shown_picture(&entry.name))
        .filter_map(|entry| Some((&entry.name, labels.get(key(&entry.name))?)))
        .any(|(name, is_text)| !is_text || !is_foldered(name))
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
        let ending = ending(&entry.name);
        match LABEL_ENDINGS.contains(&ending.as_str()) && !archive::is_hidden(&entry.name) {
            true => {
                let beside = labels.entry(key(&entry.name).to_string()).or_default();
                if let Some(first) = beside.insert(ending, entry) {
                    return Err(format!("it holds {} in two spellings", first.name));
                }
            }
            false => others.push(entry),
        }
    }
    let mut samples: Vec<Sample> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for entry in archive::pictures(others, ignored) {
        let key = key(&entry.name);
        if !seen.insert(key.to_string()) {
            return Err(format!("it holds several pictures called {key}"));
        }
        let label = class(&entry.name, labels.get(key), classes)?;
        samples.push(Sample {
            path: archive::display(shard, &entry.name),
            label,
            right: None,
            storage: Storage::Member(entry.member),
        });
    }
    Ok(samples)
}

/// The class of a picture by all that is beside it, which has to agree, also with the class folder
/// that it lies in, if any.
fn class(
    picture: &str,
    beside: Option<&BTreeMap<String, Entry>>,
    classes: &ClassFolders,
) -> Result<usize, String> {
    let folder = picture
        .split('/')
        .rev()
        .skip(1)
        .find_map(|folder| Some((format!("its folder {folder}"), classes.claimed_by(folder)?)));
    let of_folders = match folder {
        Some(_) => "; --source tar takes the class folders",
        None => "",
    };
    let Some(beside) = beside else {
        return Err(format!(
            "{picture} has no .cls, .json or .txt beside it{of_folders}"
        ));
    };
    let mut claims: Vec<(String, usize)> = Vec::new();
    let mut no_class = None;
    for ending in LABEL_ENDINGS {
        let Some(label) = beside.get(ending) else {
            continue;
        };
        let text = archive::text(&label.member).map_err(|e| format!("{}: {e}", label.name))?;
        let found = match ending {
            "json" => classes_in_json(&text, classes),
            _ => class_in_text(&text, classes)
                .into_iter()
                .map(|c| (None, c))
                .collect(),
        };
        if found.is_empty() {
            let start: String = text.trim().chars().take(40).collect();
            let reason = match start.parse::<usize>().ok().filter(|n| *n < classes.len()) {
                Some(_) => format!("; it is {}", classes.no_index()),
                None => of_folders.to_string(),
            };
            let message = format!("{} holds no class: {start:?}{reason}", label.name);
            // A text may be a caption, and JSON anything; a .cls is a label.
            if ending == "cls" {
                return Err(message);
            }
            no_class = no_class.or(Some(message));
        }
        let named = |field: Option<&str>| match field {
            Some(field) => format!("{field} in {}", label.name),
            None => label.name.clone(),
        };
        claims.extend(
            found
                .into_iter()
                .map(|(field, class)| (named(field), class)),
        );
    }
    let Some((by, class)) = claims.first().cloned() else {
        return Err(no_class.unwrap_or_default());
    };
    match claims
        .into_iter()
        .chain(folder)
        .find(|(_, other)| *other != class)
    {
        Some((other, said)) => Err(format!(
            "{picture} is of class {class} by {by}, but of class {said} by {other}"
        )),
        None => Ok(class),
    }
}

fn class_in_text(text: &str, classes: &ClassFolders) -> Option<usize> {
    let text = text.trim();
    let number = || classes.of_index(text.parse().ok()?);
    classes.class_of(text).or_else(number)
}

/// The fields of a JSON label that name a class, or its value.
fn classes_in_json(text: &str, classes: &ClassFolders) -> Vec<(Option<&'static str>, usize)> {
    let class = |label: &serde_json::Value| match label {
        serde_json::Value::String(text) => class_in_text(text, classes),
        other => class_in_text(&other.as_u64()?.to_string(), classes),
    };
    let Ok(value) = serde_json::from_str::<serde_json::Value>(text) else {
        return Vec::new();
    };
    match &value {
        serde_json::Value::Object(fields) => FIELDS
            .into_iter()
            .filter_map(|name| Some((Some(name), class(fields.get(name)?)?)))
            .collect(),
        other => class(other)
            .into_iter()
            .map(|class| (None, class))
            .collect(),
    }
}

/// A member's key: everything before the first dot of its file name.
fn key(name: &str) -> &str {
    let file = name.rfind('/').map_or(0, |slash| slash + 1);
    match name[file..].find('.') {
        Some(dot) => &name[..file + dot],
        None => name,
    }
}

/// What follows the last dot of a member's file name, in small letters.
fn ending(name: &str) -> String {
    let file = name.rsplit('/').next().unwrap_or(name);
    let ending = file.rsplit_once('.').map_or("", |(_, ending)| ending);
    ending.to_ascii_lowercase()
}
