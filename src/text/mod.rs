//! Everything between words and token ids: class names, prompt templates, the cleaning of a text
//! and CLIP's tokenizer.
//!
//! | module | what it holds |
//! |---|---|
//! | [`prompts`] | class names and templates, built in or read from a file, and the prompts they make |
//! | [`prompting`] | lists of prompts, also of each class's own, and their weights |
//! | [`imagenet`] | the 1000 ImageNet folder names and the class each of them is |
//! | [`clean`] | what happens to a text before it is split: repair, HTML entities, white space, case |
//! | `mojibake` | the part of that repair that undoes wrong decodings |
//! | [`entities`] | HTML character references, decoded as the reference decodes them |
//! | [`tokenizer`] | CLIP's byte-pair encoding |
//!
//! The lists are compiled in from `assets/text`; the only functions here that touch the disk are
//! `ClassNames::from_file`, `ClassNames::from_lines` and `PromptList::from_file`. Nothing here prints, and nothing here knows
//! the model.

pub mod clean;
pub mod entities;
pub mod imagenet;
mod mojibake;
pub mod prompting;
pub mod prompts;
pub mod tokenizer;

use std::path::{Path, PathBuf};

use crate::util::brief;
use crate::util::escape::Shown;
pub use prompting::{PromptList, PromptLists};

pub use prompts::{ClassNames, Templates, prompts};
pub use tokenizer::{CONTEXT, END_OF_TEXT, START_OF_TEXT, Tokenizer, VOCABULARY};

/// What can be wrong with a list of class names or templates, or with the tokenizer's own tables.
///
/// The message says what and where; [`TextError::hint`] says what to do next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// The file could not be read at all.
    #[error("cannot read the {kind} file {}", path.shown())]
    Read {
        /// What the file was to hold.
        kind: ListKind,
        /// The file.
        path: PathBuf,
        /// The operating system's reason, the next link of the error chain.
        source: std::io::Error,
    },
    /// The file holds bytes that are not UTF-8.
    #[error("{}:{line}: the {kind} file is not valid UTF-8", path.shown())]
    NotUtf8 {
        /// What the file was to hold.
        kind: ListKind,
        /// The file.
        path: PathBuf,
        /// The line of the first bad byte, counted from 1.
        line: usize,
    },
    /// The file has no line with anything on it.
    #[error("{}: the {kind} file is empty", path.shown())]
    Empty {
        /// What the file was to hold.
        kind: ListKind,
        /// The file.
        path: PathBuf,
    },
    /// A line between two others is blank.
    #[error("{}:{line}: blank line inside the {kind} file", path.shown())]
    BlankLine {
        /// What the file was to hold.
        kind: ListKind,
        /// The file.
        path: PathBuf,
        /// The blank line, counted from 1.
        line: usize,
    },
    /// A template has no place for the class name.
    #[error("{}:{line}: template without `{{}}` or `{{c}}`: `{}`", path.shown(), brief::excerpt(template))]
    NoPlaceholder {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// The template as it stands in the file.
        template: String,
    },
    /// A JSON file is none of prompts for classes.
    #[error("{}: no prompts for classes: {reason}", path.shown())]
    NoClassPrompts {
        /// The file.
        path: PathBuf,
        /// What it says instead.
        reason: String,
    },
    /// A JSON file has no prompts for some classes.
    #[error("{}: {count} of {classes} classes have no prompts ({examples})", path.shown())]
    ClassesWithoutPrompts {
        /// The file.
        path: PathBuf,
        /// How many have none.
        count: usize,
        /// How many there are.
        classes: usize,
        /// Some that have none.
        examples: String,
    },
    /// Some lines are `folder<TAB>name`, others a plain name.
    #[error(
        "{}:{line}: {} although line {first} {}",
        path.shown(),
        if *has_tab { "a tab separates folder and name" } else { "plain name without a folder" },
        if *has_tab { "is a plain name" } else { "has a folder, a tab and a name" }
    )]
    MixedColumns {
        /// The file.
        path: PathBuf,
        /// The first line that differs, counted from 1.
        line: usize,
        /// The line that set the form, counted from 1.
        first: usize,
        /// Whether the line that differs is the one with a tab.
        has_tab: bool,
    },
    /// A line is neither a name nor a folder, one tab and a name.
    #[error("{}:{line}: expected `folder<TAB>name`, found {problem}", path.shown())]
    BadColumns {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What stands there instead.
        problem: &'static str,
    },
    /// A line begins with a folder, and no tab separates it from the name.
    #[error("{}:{line}: {separator} between folder and name, where a tab is expected: `{entry}`", path.shown())]
    OtherSeparator {
        /// The file.
        path: PathBuf,
        /// The first such line, counted from 1.
        line: usize,
        /// What stands in the tab's place, in words.
        separator: &'static str,
        /// The line, or its beginning.
        entry: String,
    },
    /// A line is a folder without a name.
    #[error("{}:{line}: `{folder}` is a folder of ImageNet, and no class name", path.shown())]
    FolderAsName {
        /// The file.
        path: PathBuf,
        /// The first such line, counted from 1.
        line: usize,
        /// The folder.
        folder: String,
    },
    /// Two lines name the same folder.
    #[error("{}:{line}: folder `{}` is already on line {first}", path.shown(), brief::excerpt(folder))]
    DuplicateFolder {
        /// The file.
        path: PathBuf,
        /// The second line, counted from 1.
        line: usize,
        /// The line that has it already, counted from 1.
        first: usize,
        /// The folder.
        folder: String,
    },
    /// The built-in merges could not be made into a tokenizer: a fault of this program.
    #[error("the built-in tokenizer tables are damaged: {reason}")]
    Tables {
        /// What did not fit.
        reason: String,
    },
}

impl TextError {
    /// What the person who meets this error can do about it.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Read { kind, source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                format!("check the path, or leave the option out to use the built-in {kind}")
            }
            Self::Read { .. } => "check that this is a file and that you may read it".to_owned(),
            Self::NotUtf8 { path, .. } => format!(
                "save the file as UTF-8; if it is Latin-1: iconv -f LATIN1 -t UTF-8 '{0}' > '{0}.utf8'",
                path.shown()
            ),
            Self::Empty { kind, .. } => match kind {
                ListKind::ClassNames => "write one class name per line, in class order".to_owned(),
                ListKind::Templates => {
                    "write one template per line, such as `a photo of a {}.`".to_owned()
                }
            },
            Self::BlankLine { kind, .. } => match kind {
                ListKind::ClassNames => "every line is one class: a blank line would shift all \
                                         classes after it, so fill it in or remove it"
                    .to_owned(),
                ListKind::Templates => "remove the line".to_owned(),
            },
            Self::NoPlaceholder { .. } => {
                "write `{}` where the class name goes, such as `a photo of a {}.`".to_owned()
            }
            Self::NoClassPrompts { .. } => {
                r#"write {"class": ["prompt", …], …}, with a list of texts for each class"#.to_owned()
            }
            Self::ClassesWithoutPrompts { .. } => {
                "keys are class names as the class list has them, or WordNet ids; --classnames gives other names"
                    .to_owned()
            }
            Self::MixedColumns { .. } => {
                "give every line a folder and a tab, or none of them".to_owned()
            }
            Self::BadColumns { .. } => {
                "a line with a tab is one folder name, one tab and one class name".to_owned()
            }
            Self::OtherSeparator { .. } => {
                "write folder<TAB>name on every line, or names alone; as it is, the whole line would be the class's name".to_owned()
            }
            Self::FolderAsName { .. } => {
                "write folder<TAB>name on every line, or leave --classnames out for the built-in names"
                    .to_owned()
            }
            Self::DuplicateFolder { .. } => {
                "each class has a folder of its own; two classes may share a name, not a folder"
                    .to_owned()
            }
            Self::Tables { .. } => return None,
        };
        Some(text)
    }

    /// The file the error is about, if it is about one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Read { path, .. }
            | Self::NotUtf8 { path, .. }
            | Self::Empty { path, .. }
            | Self::BlankLine { path, .. }
            | Self::NoPlaceholder { path, .. }
            | Self::NoClassPrompts { path, .. }
            | Self::ClassesWithoutPrompts { path, .. }
            | Self::MixedColumns { path, .. }
            | Self::BadColumns { path, .. }
            | Self::OtherSeparator { path, .. }
            | Self::FolderAsName { path, .. }
            | Self::DuplicateFolder { path, .. } => Some(path),
            Self::Tables { .. } => None,
        }
    }
}

/// Which of the two lists a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListKind {
    /// One class name per line.
    ClassNames,
    /// One prompt template per line.
    Templates,
}

impl std::fmt::Display for ListKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::ClassNames => "class names",
            Self::Templates => "templates",
        })
    }
}
