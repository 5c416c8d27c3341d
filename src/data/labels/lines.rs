//! The lines of a label file: which column is the picture, which the class.

use std::path::Path;

use super::error::LabelError;
use crate::data::sets::ClassFolders;
use crate::text::imagenet::is_wnid;
use crate::util::regular_file;

/// Bytes of a label file; a larger file is none.
const MAX_BYTES: u64 = 64 << 20;

/// The class column's title in a file whose numbers are indices from 0 beyond doubt.
pub const INDEX_TITLE: &str = "index_from_0";

/// Titles of columns of pictures, without case and underscores.
const PICTURES: [&str; 9] = [
    "filename",
    "file",
    "image",
    "img",
    "picture",
    "path",
    "filepath",
    "imagepath",
    "imageid",
];

/// Titles of columns of classes, those that leave least open first.
const CLASSES: [&str; 9] = [
    "wnid",
    "synset",
    "indexfrom0",
    "label",
    "class",
    "target",
    "predictionstring",
    "classid",
    "labelid",
];

/// A line: a picture, unless its number is the line's, and the word for its class.
pub struct Line {
    pub number: usize,
    pub picture: Option<String>,
    pub class: String,
}

/// What a file says, line by line.
pub struct Lines {
    pub lines: Vec<Line>,
    /// Whether it has a title, which is none of the lines.
    pub titled: bool,
    /// Whether its title says that numbers are indices from 0.
    pub from_zero: bool,
}

/// Which columns are which.
struct Columns {
    picture: usize,
    class: usize,
    titled: bool,
}

/// Reads a small text file.
///
/// # Errors
/// When it cannot be read, is no regular file, or is larger than any label file.
pub fn read_text(path: &Path) -> Result<String, LabelError> {
    let unreadable = |e: std::io::Error| LabelError::file(path, e.to_string());
    regular_file::read_text(path, MAX_BYTES).map_err(unreadable)
}

/// The lines with something on them. The first one tells what separates the columns: a tab, comma
/// or semicolon if there is one, blanks otherwise.
///
/// # Errors
/// Why it is in doubt which column is which.
pub fn lines(text: &str, classes: &ClassFolders) -> Result<Lines, String> {
    let text = text.trim_start_matches('\u{feff}');
    let first = text.lines().find(|line| !line.trim().is_empty());
    let separator = ['\t', ',', ';']
        .into_iter()
        .find(|separator| first.is_some_and(|line| line.contains(*separator)));
    match separator {
        Some(separator) => separated(text, separator as u8, classes),
        None => blanks(text),
    }
}

/// One word for each line, or a picture, blanks and a class.
fn blanks(text: &str) -> Result<Lines, String> {
    let mut lines: Vec<Line> = Vec::new();
    let mut empty = None;
    for (index, line) in text.lines().map(str::trim).enumerate() {
        if line.is_empty() {
            empty = empty.or(Some(index + 1));
            continue;
        }
        let (picture, class) = match line.rsplit_once(char::is_whitespace) {
            Some((picture, class)) => (Some(picture.trim().to_string()), class),
            None => (None, line),
        };
        // Lines that are numbered like pictures: a gap may be a picture without a class, or not.
        if let (Some(empty), None) = (empty, &picture) {
            return Err(format!(
                "line {empty} is empty, so that the number of every line below it is in doubt; remove it, or give lines of picture and class"
            ));
        }
        lines.push(Line {
            number: index + 1,
            picture,
            class: class.into(),
        });
    }
    let from_zero = lines.first().is_some_and(|line| line.class == INDEX_TITLE);
    Ok(Lines {
        lines,
        titled: false,
        from_zero,
    })
}

fn separated(text: &str, separator: u8, classes: &ClassFolders) -> Result<Lines, String> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .delimiter(separator)
        .from_reader(text.as_bytes());
    let records: Vec<csv::StringRecord> = reader
        .records()
        .collect::<Result<_, _>>()
        .map_err(|e| e.to_string())?;
    let ends: Vec<usize> = text.match_indices('\n').map(|(end, _)| end).collect();
    // The reader counts empty lines to the record behind them.
    let number = |record: &csv::StringRecord| {
        let at = record.position().map_or(0, |p| p.byte() as usize);
        let rest = text.get(at..).unwrap_or_default();
        let begin = at + rest.len() - rest.trim_start_matches(['\r', '\n']).len();
        1 + ends.partition_point(|end| *end < begin)
    };
    let columns = columns(&records, classes)?;
    let title = records.first().filter(|_| columns.titled);
    let from_zero = title
        .and_then(|title| title.get(columns.class))
        .is_some_and(|word| word == INDEX_TITLE);
    let mut lines = Vec::with_capacity(records.len());
    for record in records.iter().skip(usize::from(columns.titled)) {
        let (Some(picture), Some(class)) = (record.get(columns.picture), record.get(columns.class))
        else {
            return Err(match columns.picture.max(columns.class) {
                1 => format!("line {} has no second column", number(record)),
                _ => format!("line {} has fewer columns than the title", number(record)),
            });
        };
        lines.push(Line {
            number: number(record),
            picture: Some(picture.into()),
            class: class_word(class, classes).into(),
        });
    }
    Ok(Lines {
        lines,
        titled: columns.titled,
        from_zero,
    })
}

/// Kaggle's second column goes on with boxes, `n03995372 85 1 499 272`; other blanks belong to the
/// class's name.
fn class_word<'a>(field: &'a str, classes: &ClassFolders) -> &'a str {
    let first = field.split_whitespace().next().unwrap_or_default();
    if classes.class_of(field).is_none() && is_wnid(first) {
        first
    } else {
        field
    }
}

/// The title tells, if there is one. Without, two columns are a picture and its class, and of more
/// the second has to be a WordNet id on every line.
fn columns(records: &[csv::StringRecord], classes: &ClassFolders) -> Result<Columns, String> {
    let Some(first) = records.first() else {
        return Err("it is empty".into());
    };
    let plain = |word: &str| word.to_ascii_lowercase().replace(['_', ' ', '-'], "");
    let titles: Vec<String> = first.iter().map(plain).collect();
    let place = |words: &[&str]| -> Option<usize> {
        let known = |word: &&str| titles.iter().position(|title| title == word);
        words.iter().find_map(known)
    };
    let (picture, class) = (place(&PICTURES), place(&CLASSES));
    // A class may be called as a title is, but then no other word of the line is a title.
    let a_class = |column: usize| {
        first
            .get(column)
            .is_some_and(|w| classes.class_of(w).is_some())
    };
    if let Some(class) = class.filter(|class| picture.is_some() || !a_class(*class)) {
        let others = || {
            CLASSES
                .iter()
                .filter(|word| titles.iter().any(|t| t == *word))
        };
        let sure = ["wnid", "synset", "indexfrom0"].contains(&titles[class].as_str());
        if others().count() > 1 && !sure {
            let named: Vec<&str> = others().copied().collect();
            return Err(format!(
                "its title names several columns of classes ({}); leave one",
                named.join(", ")
            ));
        }
        let other = |class: usize| (titles.len() == 2).then_some(1 - class);
        return match picture.or(other(class)) {
            Some(picture) if picture != class => Ok(Columns {
                picture,
                class,
                titled: true,
            }),
            _ => Err(format!(
                "its title says which column is the class ({}), but not which is the picture; call that one filename",
                first.get(class).unwrap_or_default()
            )),
        };
    }
    let two = Columns {
        picture: 0,
        class: 1,
        titled: false,
    };
    let wnid = |record: &csv::StringRecord| {
        let word = record.get(1).map(|field| class_word(field, classes));
        word.is_some_and(is_wnid)
    };
    if records.iter().all(|record| record.len() <= 2) || records.iter().skip(1).all(wnid) {
        Ok(two)
    } else {
        Err("it has more than two columns, and no title says which are the picture and its class; begin it with a line such as filename,…,wnid".into())
    }
}
