//! What a check of a data set found, as data and as a person reads it.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::sync::Arc;

use serde::Serialize;

use super::Program;
use crate::data::check::Depth;
use crate::data::{Ignored, Source, Unreadable};
use crate::util::brief;
use crate::util::count::{count, picks};
use crate::util::escape::Lines;
use crate::util::path_text::PathText;

/// Entries of a list that the text shows; the JSON form has all.
const LISTED: usize = 5;

/// What was found in a folder of pictures.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    pub schema_version: u32,
    pub program: Program,
    /// The folder with the class folders.
    pub path: PathText,
    /// How the pictures are kept.
    pub source: Source,
    /// The set it is or should be, as `--dataset` names it; `null` for listed classes.
    pub dataset: Option<&'static str>,
    pub depth: Depth,
    pub pictures: usize,
    /// Of all pictures' files.
    pub bytes: u64,
    /// Class folders with at least one picture.
    pub classes_present: usize,
    /// Class folders of the whole set.
    pub classes: usize,
    /// Pictures of the whole set; `null` for listed classes.
    pub whole_set: Option<usize>,
    pub ignored: Ignored,
    /// What is odd about the source.
    pub remarks: Vec<String>,
    /// How many pictures are of each format, by content.
    pub formats: BTreeMap<&'static str, usize>,
    pub missing_classes: Vec<Class>,
    /// Classes with another number of pictures than all should have.
    pub odd_counts: Vec<Class>,
    /// What they should have; `null` where that differs from class to class.
    pub pictures_in_a_class: Option<usize>,
    /// Groups of files with equal content.
    pub duplicates: Vec<Vec<Arc<str>>>,
    /// Those groups among them whose files are in different classes.
    pub duplicates_across_classes: usize,
    pub unreadable: Vec<Unreadable>,
    pub gray: Vec<Arc<str>>,
    pub cmyk: Vec<Arc<str>>,
    /// Pictures that EXIF asks to be shown turned or mirrored; models get them as they are stored.
    pub turned: Vec<Arc<str>>,
    /// Files whose ending names another format than their content has.
    pub misnamed: Vec<Misnamed>,
    /// Whether the set is whole.
    pub whole: bool,
}

#[derive(Debug, Clone, Serialize)]
pub struct Class {
    pub class: usize,
    pub folder: Option<String>,
    pub name: String,
    pub pictures: usize,
}

#[derive(Debug, Clone, Serialize)]
pub struct Misnamed {
    #[serde(rename = "path")]
    pub name: Arc<str>,
    /// What it is.
    pub format: &'static str,
}

impl Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let f = &mut Lines::new(f);
        writeln!(f, "data         {} ({})", self.path, self.source)?;
        match (self.dataset, self.whole_set) {
            (Some(set), Some(whole)) => writeln!(
                f,
                "set          {set}, which has {} of {}",
                count(whole, "picture"),
                count(self.classes, "class")
            )?,
            _ => writeln!(f, "set          {}", count(self.classes, "listed class"))?,
        }
        writeln!(
            f,
            "pictures     {} of {}, {:.2} GB",
            self.pictures,
            count(self.classes_present, "class"),
            self.bytes as f64 / 1e9
        )?;
        let formats = self.formats.iter().map(|(name, n)| format!("{n} {name}"));
        line(f, "formats", &formats.collect::<Vec<_>>().join(", "))?;
        let read = match self.depth {
            Depth::Fast => "headers only; --full decodes every picture",
            Depth::Full => "every picture was decoded",
        };
        line(f, "looked at", read)?;
        if self.ignored != Ignored::default() {
            let Ignored {
                hidden,
                not_pictures,
                other_folders,
            } = self.ignored;
            line(
                f,
                "ignored",
                &format!(
                    "{}, {}, {} of other classes",
                    count(hidden, "hidden file"),
                    count(not_pictures, "other file"),
                    count(other_folders, "folder")
                ),
            )?;
        }
        for remark in &self.remarks {
            line(f, "remark", remark)?;
        }
        list(
            f,
            "missing",
            ["class has no picture", "classes have no picture"],
            &self.missing_classes,
        )?;
        if let Some(expected) = self.pictures_in_a_class {
            let expected = count(expected, "picture");
            let [one, several] =
                ["class has", "classes have"].map(|have| format!("{have} not {expected}"));
            list(f, "counts", [&one, &several], &self.odd_counts)?;
        }
        if !self.duplicates.is_empty() {
            let across = self.duplicates_across_classes;
            let what = format!("of equal files, {across} of them across classes");
            let [one, several] = ["group", "groups"].map(|groups| format!("{groups} {what}"));
            let groups = self
                .duplicates
                .iter()
                .map(|group| brief::list_by(group, " = "));
            list(
                f,
                "duplicates",
                [&one, &several],
                &groups.collect::<Vec<_>>(),
            )?;
        }
        let unreadable = self.unreadable.iter();
        let unreadable = unreadable.map(|u| format!("{}: {}", u.name, u.reason));
        let unreadable: Vec<String> = unreadable.collect();
        let what = ["picture cannot be read", "pictures cannot be read"];
        list(f, "unreadable", what, &unreadable)?;
        let what = ["picture has no colour", "pictures have no colour"];
        list(f, "gray", what, &self.gray)?;
        let what = ["picture is stored as inks", "pictures are stored as inks"];
        list(f, "CMYK", what, &self.cmyk)?;
        let what = [
            "picture would be turned by EXIF; it is evaluated as stored",
            "pictures would be turned by EXIF; they are evaluated as stored",
        ];
        list(f, "turned", what, &self.turned)?;
        let misnamed = self.misnamed.iter();
        let misnamed = misnamed.map(|m| format!("{} is {}", m.name, m.format));
        let what = [
            "file has another format than its ending says",
            "files have another format than their ending says",
        ];
        list(f, "misnamed", what, &misnamed.collect::<Vec<_>>())?;
        let verdict = match (self.whole, self.unreadable.is_empty()) {
            (true, true) => "whole, and every picture can be read",
            (true, false) => "whole, but some pictures cannot be read",
            (false, true) => "not whole; every picture can be read",
            (false, false) => "not whole, and some pictures cannot be read",
        };
        line(f, "result", verdict)
    }
}

impl Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let folder = self.folder.as_deref().unwrap_or("–");
        let pictures = count(self.pictures, "picture");
        write!(f, "{folder} ({}): {pictures}", self.name)
    }
}

fn line(f: &mut Lines<&mut fmt::Formatter<'_>>, name: &str, text: &str) -> fmt::Result {
    writeln!(f, "{name:<12} {text}")
}

/// How many there are, with what is said of one or of several, and the first of them, if there are any.
fn list<T: Display>(
    f: &mut Lines<&mut fmt::Formatter<'_>>,
    name: &str,
    [one, several]: [&str; 2],
    all: &[T],
) -> fmt::Result {
    if all.is_empty() {
        return Ok(());
    }
    let what = picks(all.len(), one, several);
    line(f, name, &format!("{} {what}", all.len()))?;
    for one in all.iter().take(LISTED) {
        line(f, "", &one.to_string())?;
    }
    match all.len().saturating_sub(LISTED) {
        0 => Ok(()),
        more => line(f, "", &format!("and {more} more")),
    }
}
