//! The labels of WebDataset shards: texts beside each picture.

use std::collections::HashMap;
use std::path::Path;

use crate::data::containers::archive::{self, Member};
use crate::data::containers::file_names::{is_hidden, is_picture};
use crate::data::containers::web_dataset::{ShardPicture, TEXT_ENDINGS, ending, key};
use crate::data::sets::ClassFolders;

/// Fields of a JSON label that name the class.
const FIELDS: [&str; 5] = ["cls", "label", "class", "wnid", "class_id"];

/// Whether a picture has a label beside it. Texts beside pictures in class folders are something
/// else.
pub fn is_labelled(members: &[Member], classes: &ClassFolders) -> bool {
    let labels: HashMap<&str, bool> = members
        .iter()
        .map(|member| (key(&member.name), ending(&member.name)))
        .filter(|(_, ending)| TEXT_ENDINGS.contains(&ending.as_str()))
        .map(|(key, ending)| (key, ending == "txt"))
        .collect();
    let is_foldered = |name: &str| {
        name.split('/')
            .rev()
            .skip(1)
            .any(|f| classes.class_of(f).is_some())
    };
    members
        .iter()
        .filter(|member| is_picture(Path::new(&member.name)) && !is_hidden(&member.name))
        .filter_map(|member| Some((&member.name, labels.get(key(&member.name))?)))
        .any(|(name, is_text)| !is_text || !is_foldered(name))
}

/// The class of a picture by all that is beside it, which has to agree, also with the class folder
/// that it lies in, if any.
///
/// # Errors
/// When there is no label, one that names no class, or two that contradict each other.
pub fn class(picture: &ShardPicture, classes: &ClassFolders) -> Result<usize, String> {
    let ShardPicture { picture, texts } = picture;
    let picture = &picture.name;
    let folder = picture
        .split('/')
        .rev()
        .skip(1)
        .find_map(|folder| Some((format!("its folder {folder}"), classes.claimed_by(folder)?)));
    let of_folders = match folder {
        Some(_) => "; --source tar takes the class folders",
        None => "",
    };
    if texts.is_empty() {
        return Err(format!(
            "{picture} has no .cls, .json or .txt beside it{of_folders}"
        ));
    }
    let mut claims: Vec<(String, usize)> = Vec::new();
    let mut no_class = None;
    for ending in TEXT_ENDINGS {
        let Some(label) = texts.get(ending) else {
            continue;
        };
        let text = archive::text(&label.span).map_err(|e| format!("{}: {e}", label.name))?;
        let said = match ending {
            "json" => classes_in_json(&text, classes),
            _ => class_in_text(&text, classes)
                .into_iter()
                .map(|c| (None, c))
                .collect(),
        };
        if said.is_empty() {
            let start: String = text.trim().chars().take(40).collect();
            let number = start.parse::<usize>().ok();
            let reason = match number {
                Some(number) if number < classes.len() => {
                    format!("; it is {}", classes.no_index())
                }
                Some(_) => format!("; there are {} classes, from 0 on", classes.len()),
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
        let said = said.into_iter();
        claims.extend(said.map(|(field, class)| (named(field), class)));
    }
    let Some((by, class)) = claims.first().cloned() else {
        return Err(no_class.unwrap_or_default());
    };
    match claims
        .into_iter()
        .chain(folder)
        .find(|(_, other)| *other != class)
    {
        Some((other_by, other)) => Err(format!(
            "{picture} is of class {class} by {by}, but of class {other} by {other_by}"
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
