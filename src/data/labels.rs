//! Label files: which picture shows which class, when no folder says it.
//!
//! A picture is found by its file's name, never by its position in a listing, except in files of
//! one class a line, whose lines are numbered like `ILSVRC2012_val_00000001.JPEG`. Meanings of a
//! number that cannot be told apart are never guessed between.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::class_folders::ClassFolders;
use super::devkit;
use super::folder::is_picture;

/// Larger files are no label files.
const MAX_BYTES: u64 = 64 << 20;

/// Files that are looked for beside flat pictures, by their names; no other file has these.
pub const KNOWN: [&str; 3] = [
    "LOC_val_solution.csv",
    "imagenet_2012_validation_synset_labels.txt",
    devkit::GROUND_TRUTH,
];

/// The second column's title in a file whose numbers are indices from 0 beyond doubt.
const INDEX_TITLE: &str = "index_from_0";

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
    /// File name without folders and ending.
    Name(HashMap<String, usize>),
    /// Number in the file name, from one.
    Number(Vec<usize>),
}

/// A line: a picture, unless its number is the line's, and the word for its class.
struct Line {
    number: usize,
    picture: Option<String>,
    class: String,
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
        let lines = lines(&text).map_err(|reason| fail(None, reason))?;
        let Some(first) = lines.first() else {
            return Err(fail(None, "it is empty".into()));
        };
        let by = match first.picture {
            None => By::Number(numbered(path, &lines, classes)?),
            Some(_) => {
                By::Name(named(&lines, classes).map_err(|(line, reason)| fail(line, reason))?)
            }
        };
        Ok(Self {
            path: path.into(),
            by,
        })
    }

    /// The class of a picture by its path or name.
    pub fn class_of(&self, picture: &str) -> Option<usize> {
        let stem = stem(picture);
        match &self.by {
            By::Name(classes) => classes.get(stem).copied(),
            By::Number(classes) => {
                // `ILSVRC2012_val_00000293_n01440764.JPEG` has a number too.
                let digits = stem.strip_prefix(NUMBERED)?.split('_').next()?;
                let number: usize = digits.parse().ok()?;
                classes.get(number.checked_sub(1)?).copied()
            }
        }
    }

    /// How many pictures it has labels for.
    pub fn len(&self) -> usize {
        match &self.by {
            By::Name(classes) => classes.len(),
            By::Number(classes) => classes.len(),
        }
    }

    /// Never, since an empty file is refused.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
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
fn named(
    lines: &[Line],
    classes: &ClassFolders,
) -> Result<HashMap<String, usize>, (Option<usize>, String)> {
    let mut by_name = HashMap::with_capacity(lines.len());
    // Numbers that count from 0 show it by a 0, or say so.
    let title = lines.first().is_some_and(|line| line.class == INDEX_TITLE);
    let zero = |line: &Line| line.class.parse() == Ok(0);
    let from_zero = title || lines.iter().any(zero);
    for (position, line) in lines.iter().enumerate() {
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
                        "the label {} is beyond the {} classes, numbered from 0; are these devkit ids, or numbers of pictures?",
                        line.class,
                        classes.len()
                    )));
                }
            },
        };
        let picture = stem(picture);
        if by_name
            .insert(picture.to_string(), class)
            .is_some_and(|before| before != class)
        {
            return Err(at(format!("{picture} has another label further up")));
        }
    }
    match by_name.is_empty() {
        true => Err((None, "it has no labels".into())),
        false => Ok(by_name),
    }
}

/// Label files with known names in a folder, its parent, and a `data` or devkit folder in either.
pub fn beside(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for base in [Some(folder), folder.parent()].into_iter().flatten() {
        for inner in ["", "data", "ILSVRC2012_devkit_t12/data"] {
            for name in KNOWN {
                let path = base.join(inner).join(name);
                if path.is_file() && !found.contains(&path) {
                    found.push(path);
                }
            }
        }
    }
    found
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

/// The lines with something on them. The first one tells what separates the columns: a tab, comma
/// or semicolon if there is one, blanks otherwise.
fn lines(text: &str) -> Result<Vec<Line>, String> {
    let text = text.trim_start_matches('\u{feff}');
    let first = text.lines().find(|line| !line.trim().is_empty());
    let separator = ['\t', ',', ';']
        .into_iter()
        .find(|separator| first.is_some_and(|line| line.contains(*separator)));
    let Some(separator) = separator else {
        let numbered = text.lines().map(str::trim).enumerate();
        return Ok(numbered
            .filter(|(_, line)| !line.is_empty())
            .map(
                |(index, line)| match line.rsplit_once(char::is_whitespace) {
                    Some((picture, class)) => (index, Some(picture.trim().to_string()), class),
                    None => (index, None, line),
                },
            )
            .map(|(index, picture, class)| Line {
                number: index + 1,
                picture,
                class: class.into(),
            })
            .collect());
    };
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .delimiter(separator as u8)
        .from_reader(text.as_bytes());
    let mut lines = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|e| e.to_string())?;
        let number = record.position().map_or(0, |p| p.line() as usize);
        let (picture, class) = match (record.get(0), record.get(1)) {
            (Some(picture), Some(class)) => (picture, class),
            _ => return Err(format!("line {number} has no second column")),
        };
        lines.push(Line {
            number,
            picture: Some(picture.into()),
            // Kaggle's second column goes on with boxes: `n03995372 85 1 499 272`.
            class: class.split_whitespace().next().unwrap_or_default().into(),
        });
    }
    Ok(lines)
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
