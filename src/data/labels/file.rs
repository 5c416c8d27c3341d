//! Label files: which picture shows which class, when no folder says it.
//!
//! A picture is found by its file's name, never by its position in a listing, except in files of
//! one class a line, whose lines are numbered like `ILSVRC2012_val_00000001.JPEG`. Meanings of a
//! number that cannot be told apart are never guessed between.

use std::path::{Path, PathBuf};

use super::devkit;
use super::error::LabelError;
use super::lines::{self, INDEX_TITLE, Line, Lines, read_text};
use super::names::{Lookup, Names};
use super::real;
use crate::data::containers::file_names::{is_picture, stem};
use crate::data::sets::{ClassFolders, spelled};
use crate::util::brief;

/// What numbered pictures are called.
const NUMBERED: &str = "ILSVRC2012_val_";

/// Where the classes of pictures without class folders are from.
#[derive(Debug)]
pub enum Labels {
    File(LabelFile),
    /// The first ReaL label of each picture of the validation set.
    Real,
}

/// The classes that a file says.
#[derive(Debug)]
pub struct LabelFile {
    pub path: PathBuf,
    order: Order,
}

/// What the lines of a label file belong to.
#[derive(Debug)]
enum Order {
    /// Pictures that they name.
    Names(Names),
    /// Numbers of pictures, from 1.
    Numbers(Vec<usize>),
}

impl Labels {
    /// The class of a picture by its path below the folder or archive of the pictures. A list is
    /// searched for the longest end of the path that it has, so that folders count where names of
    /// files repeat, and do not where they are other ones.
    pub fn find(&self, picture: &str) -> Lookup {
        match self {
            Self::File(file) => file.find(picture),
            Self::Real => {
                let file = picture.rsplit('/').next().unwrap_or(picture);
                match real::number_and_labels(file) {
                    // One without a label is left out before it counts for any class.
                    Some((entry, right)) => Lookup::Label {
                        class: right.first().copied().unwrap_or_default(),
                        entry,
                    },
                    None => Lookup::Absent,
                }
            }
        }
    }

    /// What messages call them.
    pub fn path(&self) -> &Path {
        match self {
            Self::File(file) => &file.path,
            Self::Real => Path::new("the ReaL labels"),
        }
    }
}

impl LabelFile {
    /// Reads a label file; its content tells its form.
    ///
    /// Forms: `picture<separator>class` with comma, tab, semicolon or blanks between, as
    /// Kaggle's and timm's lists; or one class for each line, line n for picture number n, as the
    /// devkit's and TensorFlow's. A class is a folder's name (a WordNet id) or its index from 0;
    /// in the devkit's ground truth its devkit id.
    ///
    /// # Errors
    /// When the file cannot be read, or does not tell every line's class beyond doubt.
    pub fn read(path: &Path, classes: &ClassFolders) -> Result<Self, LabelError> {
        let text = read_text(path)?;
        let fail = |reason: String| LabelError::file(path, reason);
        let lines = lines::lines(&text, classes).map_err(fail)?;
        let order = match lines.lines.first() {
            Some(first) if first.picture.is_none() => {
                Order::Numbers(numbered(path, &lines.lines, classes)?)
            }
            Some(_) => Order::Names(named(path, &lines, classes)?),
            None if text.trim().is_empty() => return Err(fail("it is empty".into())),
            None => return Err(fail("it has no labels".into())),
        };
        Ok(Self {
            path: path.into(),
            order,
        })
    }

    /// How many pictures it has labels for.
    pub fn pictures(&self) -> usize {
        match &self.order {
            Order::Names(names) => names.len(),
            Order::Numbers(classes) => classes.len(),
        }
    }

    fn find(&self, picture: &str) -> Lookup {
        let classes = match &self.order {
            Order::Names(names) => return names.find(picture),
            Order::Numbers(classes) => classes,
        };
        let entry = number(picture).and_then(|number| number.checked_sub(1));
        let label = entry.and_then(|entry| Some((entry, *classes.get(entry)?)));
        match label {
            Some((entry, class)) => Lookup::Label { class, entry },
            None => Lookup::Absent,
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
    if let Some(line) = lines.iter().find(|line| line.picture.is_some()) {
        let reason = "it has two columns, the first line has one";
        return Err(LabelError::line(path, line.number, reason));
    }
    let numbers = lines.iter().all(|line| is_number(&line.class));
    let known = |line: &Line| classes.class_of(&line.class).is_some();
    if numbers && !lines.iter().all(known) {
        return by_devkit_ids(path, lines, classes);
    }
    let class = |line: &Line| {
        let class = classes.class_of(&line.class);
        class.ok_or_else(|| no_class(path, line, classes))
    };
    lines.iter().map(class).collect()
}

/// The class of each line's picture by its devkit id.
fn by_devkit_ids(
    path: &Path,
    lines: &[Line],
    classes: &ClassFolders,
) -> Result<Vec<usize>, LabelError> {
    if !devkit::is_ground_truth(path) {
        return Err(LabelError::file(
            path,
            format!(
                "its bare numbers may be devkit ids (1..1000, in an order of their own) or indices; if they are the devkit's, call it {}, otherwise give lines of picture and class, or WordNet ids",
                devkit::GROUND_TRUTH
            ),
        ));
    }
    let wnid = |line: &Line| devkit::wnid(&line.class).ok_or_else(|| no_class(path, line, classes));
    let wnids: Vec<&str> = lines.iter().map(wnid).collect::<Result<_, _>>()?;
    devkit::check(path, &wnids)?;
    let class = |(wnid, line): (&&str, &Line)| {
        let class = classes.class_of(wnid);
        class.ok_or_else(|| no_class(path, line, classes))
    };
    wnids.iter().zip(lines).map(class).collect()
}

/// The class of each picture by its name.
fn named(path: &Path, lines: &Lines, classes: &ClassFolders) -> Result<Names, LabelError> {
    let mut names = Names::default();
    // Numbers that count from 0 show it by a 0, or say so.
    let zero = |line: &Line| line.class.parse() == Ok(0);
    let from_zero = lines.from_zero || lines.lines.iter().any(zero);
    for (position, line) in lines.lines.iter().enumerate() {
        let fail = |reason: String| LabelError::line(path, line.number, reason);
        let Some(picture) = &line.picture else {
            return Err(fail("it has no second column".into()));
        };
        let class = match classes.class_of(&line.class) {
            Some(class) => class,
            // A title, unless there was one, or a picture stands there.
            None if !is_number(&line.class)
                && position == 0
                && !lines.titled
                && !is_picture(Path::new(picture)) =>
            {
                continue;
            }
            None if !is_number(&line.class) => return Err(no_class(path, line, classes)),
            None if !from_zero => {
                return Err(fail(format!(
                    "the label {} is a number, and no label is 0: it may count from 0 or from 1, in the order of the classes or of devkit ids; give WordNet ids, or, if the numbers are class indices from 0, begin the file with the line picture,{INDEX_TITLE}",
                    line.class
                )));
            }
            None => match line.class.parse().ok().and_then(|c| classes.of_index(c)) {
                Some(class) => class,
                None => {
                    return Err(fail(format!(
                        "the label {} is {}; are these devkit ids, or numbers of pictures?",
                        line.class,
                        classes.no_index()
                    )));
                }
            },
        };
        if names.add(picture, class) {
            let picture = stem(picture);
            return Err(fail(format!("{picture} has another label further up")));
        }
    }
    if names.is_empty() {
        return Err(LabelError::file(path, "it has no labels"));
    }
    Ok(names)
}

fn no_class(path: &Path, line: &Line, classes: &ClassFolders) -> LabelError {
    let class = &*line.class;
    let reason = match classes.like(class) {
        Some(like) => format!(
            "{} is no class, but {} is one: they differ in blanks or in the Unicode form",
            spelled(class),
            spelled(like)
        ),
        None => format!("{:?} is no class", brief::excerpt(class)),
    };
    LabelError::line(path, line.number, reason)
}

fn is_number(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit())
}
