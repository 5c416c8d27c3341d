//! Label files: which picture shows which class, when no folder says it.
//!
//! A picture is found by its file's name, never by its position in a listing, except in files of
//! one class a line, whose lines are numbered like `ILSVRC2012_val_00000001.JPEG`. Meanings of a
//! number that cannot be told apart are never guessed between.

use std::path::{Path, PathBuf};

use super::class_folders::ClassFolders;
use super::devkit;
use super::folder::is_picture;
use super::label_lines::{self, INDEX_TITLE, Line, Lines};
pub use super::label_names::Found;
use super::label_names::Names;
use super::real;

/// Larger files are no label files.
const MAX_BYTES: u64 = 64 << 20;

/// Files that are looked for beside flat pictures, by their names; no other file has these.
pub const KNOWN: [&str; 3] = [
    "LOC_val_solution.csv",
    "imagenet_2012_validation_synset_labels.txt",
    devkit::GROUND_TRUTH,
];

/// What numbered pictures are called.
const NUMBERED: &str = "ILSVRC2012_val_";

/// Why a label file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}{}: {reason}", path.display(), line.map(|n| format!(", line {n}")).unwrap_or_default())]
pub struct LabelError {
    pub path: PathBuf,
    pub line: Option<usize>,
    pub reason: String,
}

/// The classes of pictures.
#[derive(Debug)]
pub struct Labels {
    pub path: PathBuf,
    by: By,
}

#[derive(Debug)]
enum By {
    Name(Names),
    /// Number in the file name, from one.
    Number(Vec<usize>),
    /// The first of the ReaL labels.
    Real,
}

impl Labels {
    /// Reads a label file; its form is told by its content.
    ///
    /// Forms: `picture<separator>class` with comma, tab, semicolon or blanks between, as
    /// Kaggle's and timm's lists; or one class for each line, line n for picture number n, as the
    /// devkit's and TensorFlow's. A class is a folder's name (a WordNet id) or its index from 0;
    /// in the devkit's ground truth its devkit id.
    ///
    /// # Errors
    /// When the file cannot be read, or does not tell every line's class beyond doubt.
    pub fn read(path: &Path, classes: &ClassFolders) -> Result<Self, LabelError> {
        let fail = |line, reason: String| LabelError {
            path: path.into(),
            line,
            reason,
        };
        let text = read(path)?;
        let lines = label_lines::lines(&text, classes).map_err(|reason| fail(None, reason))?;
        let by = match lines.lines.first() {
            Some(first) if first.picture.is_none() => {
                By::Number(numbered(path, &lines.lines, classes)?)
            }
            Some(_) => {
                By::Name(named(&lines, classes).map_err(|(line, reason)| fail(line, reason))?)
            }
            None if text.trim().is_empty() => return Err(fail(None, "it is empty".into())),
            None => return Err(fail(None, "it has no labels".into())),
        };
        Ok(Self {
            path: path.into(),
            by,
        })
    }

    /// The first ReaL label of each picture of the validation set.
    pub fn real() -> Self {
        Self {
            path: "the ReaL labels".into(),
            by: By::Real,
        }
    }

    /// The class of a picture by its path below the folder or archive of the pictures. A list is
    /// searched for the longest end of the path that it has, so that folders count where names of
    /// files repeat, and do not where they are other ones.
    pub fn find(&self, picture: &str) -> Found {
        let numbered = |classes: &Vec<usize>| {
            let entry = number(picture)?.checked_sub(1)?;
            let class = *classes.get(entry)?;
            Some(Found::Class { class, entry })
        };
        let real = || {
            let (entry, right) = real::number_and_labels(Path::new(picture))?;
            // One without a label is left out before it counts for any class.
            let class = right.first().copied().unwrap_or_default();
            Some(Found::Class { class, entry })
        };
        match &self.by {
            By::Name(names) => names.find(picture),
            By::Number(classes) => numbered(classes).unwrap_or(Found::Nothing),
            By::Real => real().unwrap_or(Found::Nothing),
        }
    }

    /// How many pictures it has labels for; `None` for those that are built in.
    pub fn pictures(&self) -> Option<usize> {
        match &self.by {
            By::Name(names) => Some(names.len()),
            By::Number(classes) => Some(classes.len()),
            By::Real => None,
        }
    }
}

/// The number in the name of a picture of the validation set.
/// `ILSVRC2012_val_00000293_n01440764.JPEG` has a number too.
fn number(picture: &str) -> Option<usize> {
    let digits = stem(picture).strip_prefix(NUMBERED)?.split('_').next()?;
    digits.parse().ok()
}

/// The class of each line's picture.
fn numbered(path: &Path, lines: &[Line], classes: &ClassFolders) -> Result<Vec<usize>, LabelError> {
    let fail = |line, reason: String| LabelError {
        path: path.into(),
        line,
        reason,
    };
    let numbers = lines.iter().all(|line| is_number(&line.class));
    let known = |line: &Line| classes.class_of(&line.class).is_some();
    let devkit = match numbers && !lines.iter().all(known) {
        true if devkit::is_ground_truth(path) => Some(devkit::classes(path, classes)?),
        true => {
            return Err(fail(
                None,
                format!(
                    "its bare numbers may be devkit ids (1..1000, in an order of their own) or indices; if they are the devkit's, call it {}, otherwise give lines of picture and class, or WordNet ids",
                    devkit::GROUND_TRUTH
                ),
            ));
        }
        false => None,
    };
    lines
        .iter()
        .map(|line| {
            if line.picture.is_some() {
                let reason = "it has two columns, the first line has one".into();
                return Err(fail(Some(line.number), reason));
            }
            let class = match &devkit {
                None => classes.class_of(&line.class),
                Some(order) => {
                    let id: Option<usize> = line.class.parse().ok();
                    id.and_then(|id| *order.get(id.checked_sub(1)?)?)
                }
            };
            class.ok_or_else(|| fail(Some(line.number), format!("{:?} is no class", line.class)))
        })
        .collect()
}

/// The class of each picture by its name.
fn named(lines: &Lines, classes: &ClassFolders) -> Result<Names, (Option<usize>, String)> {
    let mut names = Names::default();
    // Numbers that count from 0 show it by a 0, or say so.
    let zero = |line: &Line| line.class.parse() == Ok(0);
    let from_zero = lines.from_zero || lines.lines.iter().any(zero);
    for (position, line) in lines.lines.iter().enumerate() {
        let at = |reason: String| (Some(line.number), reason);
        let Some(picture) = &line.picture else {
            return Err(at("it has no second column".into()));
        };
        let class = match classes.class_of(&line.class) {
            Some(class) => class,
            None if !is_number(&line.class) && position == 0 => continue, // a title
            None if !is_number(&line.class) => {
                return Err(at(format!("{:?} is no class", line.class)));
            }
            None if !from_zero => {
                return Err(at(format!(
                    "the label {} is a number, and no label is 0: it may count from 0 or from 1, in the order of the classes or of devkit ids; give WordNet ids, or, if the numbers are class indices from 0, begin the file with the line picture,{INDEX_TITLE}",
                    line.class
                )));
            }
            None => match line.class.parse().ok().and_then(|c| classes.of_index(c)) {
                Some(class) => class,
                None => {
                    return Err(at(format!(
                        "the label {} is {}; are these devkit ids, or numbers of pictures?",
                        line.class,
                        classes.no_index()
                    )));
                }
            },
        };
        if names.add(picture, class) {
            let picture = stem(picture);
            return Err(at(format!("{picture} has another label further up")));
        }
    }
    match names.is_empty() {
        true => Err((None, "it has no labels".into())),
        false => Ok(names),
    }
}

/// Places of the devkit's files below a folder.
const DEVKIT_PLACES: [&str; 3] = ["", "data", "ILSVRC2012_devkit_t12/data"];

/// Folders up from the pictures in which Kaggle's archive has its label file.
const KAGGLE_UP: usize = 4;

/// The devkit as it is published.
const PACKED_DEVKIT: &str = "ILSVRC2012_devkit_t12.tar.gz";

/// Label files with known names in a folder, its parent, and a `data` or devkit folder in either;
/// Kaggle's also where its archive has it, further up.
pub fn beside(folder: &Path) -> Vec<PathBuf> {
    let near = near(folder).flat_map(|base| DEVKIT_PLACES.map(|inner| base.join(inner)));
    let near = near.flat_map(|place| KNOWN.map(|name| place.join(name)));
    let up = folder.ancestors().take(KAGGLE_UP + 1);
    let kaggle = up.map(|base| base.join(KNOWN[0]));
    let mut found = Vec::new();
    for path in near.chain(kaggle) {
        if path.is_file() && !found.contains(&path) {
            found.push(path);
        }
    }
    found
}

/// The devkit's archive beside the pictures, which has to be unpacked.
pub fn packed_devkit(folder: &Path) -> Option<PathBuf> {
    let mut places = near(folder).map(|base| base.join(PACKED_DEVKIT));
    places.find(|path| path.is_file())
}

/// A folder and its parent.
fn near(folder: &Path) -> impl Iterator<Item = &Path> {
    [Some(folder), folder.parent()].into_iter().flatten()
}

/// A small text file.
pub(super) fn read(path: &Path) -> Result<String, LabelError> {
    check_size(path)?;
    std::fs::read_to_string(path).map_err(|e| LabelError {
        path: path.into(),
        line: None,
        reason: e.to_string(),
    })
}

/// Refuses what is no regular file, or larger than any label file.
pub(super) fn check_size(path: &Path) -> Result<(), LabelError> {
    let fail = |reason: String| LabelError {
        path: path.into(),
        line: None,
        reason,
    };
    let metadata = std::fs::metadata(path).map_err(|e| fail(e.to_string()))?;
    if !metadata.is_file() || metadata.len() > MAX_BYTES {
        return Err(fail("it is no label file".into()));
    }
    Ok(())
}

fn is_number(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit())
}

/// A picture's name without folders and without a picture's ending.
pub(super) fn stem(picture: &str) -> &str {
    let name = picture.rsplit(['/', '\\']).next().unwrap_or(picture);
    match name.rsplit_once('.') {
        Some((stem, _)) if is_picture(Path::new(name)) => stem,
        _ => name,
    }
}
