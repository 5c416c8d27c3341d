//! The ILSVRC devkit's own numbering of the classes, from its `meta.mat` or a list of synsets.
//!
//! Its ids run from 1 and are in another order than the classes, whose order is that of the
//! WordNet ids.

use std::path::{Path, PathBuf};

use super::class_folders::ClassFolders;
use super::labels::{self, LabelError};
use super::matlab::{self, Value};
use crate::text::imagenet;

/// What the devkit's label file is called.
pub const GROUND_TRUTH: &str = "ILSVRC2012_validation_ground_truth.txt";

/// Where its ids are explained, looked for beside it.
const META: &str = "meta.mat";

/// Lists of synsets in the order of the ids, when there is no `meta.mat`.
const SYNSET_LISTS: [&str; 3] = ["map_clsloc.txt", "synsets.txt", "synset_words.txt"];

/// Whether a file is the devkit's ground truth by its name.
pub fn is_ground_truth(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy());
    name.is_some_and(|name| name.to_ascii_lowercase().contains("ground_truth"))
}

/// The class of each devkit id, from 1: `None` for one that is not evaluated.
///
/// # Errors
/// When nothing beside the ground truth explains its ids, or not beyond doubt.
pub fn classes(
    ground_truth: &Path,
    classes: &ClassFolders,
) -> Result<Vec<Option<usize>>, LabelError> {
    let folder = ground_truth.parent().unwrap_or(Path::new(""));
    let beside = |name: &&str| folder.join(name);
    let lists: Vec<PathBuf> = SYNSET_LISTS.iter().map(beside).collect();
    let meta = folder.join(META);
    let (path, wnids) = match lists.into_iter().find(|path| path.is_file()) {
        _ if meta.is_file() => (meta.clone(), from_meta(&meta)?),
        Some(list) => (list.clone(), from_list(&list)?),
        None => {
            return Err(LabelError {
                path: ground_truth.into(),
                line: None,
                reason: format!(
                    "it holds devkit ids, whose order is not that of the classes; put the devkit's {META} beside it, or its synsets, one WordNet id a line in the order of the ids, as {}",
                    SYNSET_LISTS.join(" or ")
                ),
            });
        }
    };
    check(&wnids).map_err(|reason| LabelError {
        path,
        line: None,
        reason,
    })?;
    Ok(wnids.iter().map(|wnid| classes.class_of(wnid)).collect())
}

/// All thousand, each once, and in an order that is not the classes'.
fn check(wnids: &[String]) -> Result<(), String> {
    if let Some(wnid) = wnids.iter().find(|w| imagenet::class_of_wnid(w).is_none()) {
        return Err(format!("{wnid:?} is no class of ILSVRC2012"));
    }
    let mut distinct = wnids.to_vec();
    distinct.sort_unstable();
    let sorted = distinct == wnids;
    distinct.dedup();
    if distinct.len() != imagenet::CLASSES || wnids.len() != imagenet::CLASSES {
        return Err(format!(
            "it lists {} synsets, of them {} different classes; the devkit has {}",
            wnids.len(),
            distinct.len(),
            imagenet::CLASSES
        ));
    }
    match sorted {
        true => Err(
            "its WordNet ids are sorted, which is the order of the classes, not of devkit ids"
                .into(),
        ),
        false => Ok(()),
    }
}

fn from_meta(path: &Path) -> Result<Vec<String>, LabelError> {
    let fail = |reason: String| LabelError {
        path: path.into(),
        line: None,
        reason,
    };
    labels::check_size(path)?;
    let bytes = std::fs::read(path).map_err(|e| fail(e.to_string()))?;
    let synsets = matlab::structs(&bytes, "synsets", &["ILSVRC2012_ID", "WNID"]).map_err(fail)?;
    let mut wnids = vec![String::new(); imagenet::CLASSES];
    for synset in synsets {
        let [Value::Number(id), Value::Text(wnid)] = synset.as_slice() else {
            return Err(fail("a synset has no id or no WNID".into()));
        };
        // The thousand classes come first; the synsets above them in WordNet follow.
        let place = (id.fract() == 0.0 && *id >= 1.0)
            .then(|| wnids.get_mut(*id as usize - 1))
            .flatten();
        match place {
            Some(place) if place.is_empty() => *place = wnid.clone(),
            Some(_) => return Err(fail(format!("it has the id {id} twice"))),
            None => {}
        }
    }
    Ok(wnids)
}

fn from_list(path: &Path) -> Result<Vec<String>, LabelError> {
    let text = labels::read(path)?;
    let mut wnids = Vec::new();
    let mut empty = None;
    for (index, line) in text.lines().enumerate() {
        let mut fields = line.split_whitespace();
        let Some(wnid) = fields.next() else {
            empty = empty.or(Some(index + 1));
            continue;
        };
        if empty.is_some() {
            return Err(LabelError {
                path: path.into(),
                line: empty,
                reason: "it is empty, so that the id of every line below it is in doubt".into(),
            });
        }
        // `n02119789 1 kit_fox` says the id itself.
        let next = wnids.len() + 1;
        if let Some(id) = fields.next().and_then(|id| id.parse::<usize>().ok())
            && id != next
        {
            return Err(LabelError {
                path: path.into(),
                line: Some(index + 1),
                reason: format!("the id is {id}, but {next} is next"),
            });
        }
        wnids.push(wnid.into());
    }
    Ok(wnids)
}
