//! Class names, prompt templates and the prompts they make together.
//!
//! A list is one entry per line in UTF-8; there is no comment syntax, because a class name may well
//! begin with `#`. A byte order mark, CRLF line ends and blank lines at the very end are accepted. A
//! blank line anywhere else is an error: the line number is the class, and a list that is quietly
//! one short gives every later class the wrong name and an accuracy near zero.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::imagenet::is_wnid;
use super::{ListKind, TextError};
use crate::util::{brief, regular_file};

/// Bytes of a file; a larger one is something else.
const MOST_BYTES: u64 = 256 << 20;

/// The places in a template where the class name goes: as Python's formats number and name it.
const PLACEHOLDER: &str = "{}";
const NAMED_PLACEHOLDER: &str = "{c}";

/// The names of the classes, in class order. Two classes may bear the same name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassNames {
    names: Vec<String>,
    folders: Option<Vec<String>>,
}

impl ClassNames {
    /// The 1000 ImageNet names that the published accuracies were measured with, in the order of
    /// the sorted wnids.
    pub fn imagenet() -> Self {
        let names = include_str!("../../assets/text/imagenet_classnames.txt");
        Self {
            names: names.lines().map(str::to_owned).collect(),
            folders: None,
        }
    }

    /// The same, with names of their own for the two classes that share one with another: the first
    /// words that WordNet has for them.
    pub fn distinct() -> Self {
        let mut distinct = Self::imagenet();
        for (class, name) in [(744, "projectile"), (836, "sunglass")] {
            distinct.names[class] = name.to_owned();
        }
        distinct
    }

    /// Names given one by one.
    pub fn from_names(names: Vec<String>) -> Self {
        Self {
            names,
            folders: None,
        }
    }

    /// Reads names from a file: on every line a name, or on every line a folder, a tab and a name.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, is not UTF-8, is empty, has a blank line inside, mixes the two
    /// forms or names a folder twice. The error names the line.
    pub fn from_file(path: &Path) -> Result<Self, TextError> {
        let text = read(path, ListKind::ClassNames)?;
        let lines = entries(&text, path, ListKind::ClassNames)?;
        let tabbed = lines.first().is_some_and(|line| line.contains('\t'));
        if !tabbed {
            check_names(path, &lines)?;
        }
        let mut names = Vec::with_capacity(lines.len());
        let mut folders = Vec::new();
        let mut seen: HashMap<&str, usize> = HashMap::new();
        for (line, entry) in (1..).zip(&lines) {
            if entry.contains('\t') != tabbed {
                let path = path.to_owned();
                return Err(TextError::MixedColumns {
                    path,
                    line,
                    first: 1,
                    has_tab: !tabbed,
                });
            }
            if !tabbed {
                names.push(entry.trim().to_owned());
                continue;
            }
            let (folder, name) = columns(entry).map_err(|problem| TextError::BadColumns {
                path: path.to_owned(),
                line,
                problem,
            })?;
            if let Some(first) = seen.insert(folder, line) {
                let (path, folder) = (path.to_owned(), folder.to_owned());
                return Err(TextError::DuplicateFolder {
                    path,
                    line,
                    first,
                    folder,
                });
            }
            folders.push(folder.to_owned());
            names.push(name.to_owned());
        }
        Ok(Self {
            names,
            folders: tabbed.then_some(folders),
        })
    }

    /// Reads names from a file with a name on every line, whatever is in it.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, is not UTF-8, is empty or has a blank line inside.
    pub fn from_lines(path: &Path) -> Result<Self, TextError> {
        let text = read(path, ListKind::ClassNames)?;
        let lines = entries(&text, path, ListKind::ClassNames)?;
        let names = lines.iter().map(|line| line.trim().to_owned());
        Ok(Self::from_names(names.collect()))
    }

    /// How many classes there are; never 0.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there are no classes: never the case for a list from a file or built in.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The names in class order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The name of one class, or `None` when there is no such class.
    pub fn name(&self, class: usize) -> Option<&str> {
        self.names.get(class).map(String::as_str)
    }

    /// The folders in class order, if the file gave them.
    pub fn folders(&self) -> Option<&[String]> {
        self.folders.as_deref()
    }
}

/// Prompt templates, each with at least one `{}` or `{c}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Templates {
    templates: Vec<String>,
}

impl Templates {
    /// The 80 ImageNet templates that the published accuracies were measured with.
    pub fn imagenet() -> Self {
        let templates = include_str!("../../assets/text/imagenet_templates.txt");
        Self {
            templates: templates.lines().map(str::to_owned).collect(),
        }
    }

    /// The one template that adds nothing: a prompt is the class name itself.
    pub fn verbatim() -> Self {
        Self {
            templates: vec![PLACEHOLDER.to_owned()],
        }
    }

    /// Reads templates from a file, one per line, each with `{}` or `{c}` once or more.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, is not UTF-8, is empty, has a blank line inside or a template
    /// without a place for the name. The error names the line.
    pub fn from_file(path: &Path) -> Result<Self, TextError> {
        let text = read(path, ListKind::Templates)?;
        let lines = entries(&text, path, ListKind::Templates)?;
        let mut templates = Vec::with_capacity(lines.len());
        for (line, entry) in (1..).zip(lines) {
            let template = entry.trim().to_owned();
            if !template.contains(PLACEHOLDER) && !template.contains(NAMED_PLACEHOLDER) {
                return Err(TextError::NoPlaceholder {
                    path: path.to_owned(),
                    line,
                    template,
                });
            }
            templates.push(template.replace(NAMED_PLACEHOLDER, PLACEHOLDER));
        }
        Ok(Self { templates })
    }

    /// How many templates there are; never 0.
    pub fn len(&self) -> usize {
        self.templates.len()
    }

    /// Whether there are no templates: never the case for a list from a file or built in.
    pub fn is_empty(&self) -> bool {
        self.templates.is_empty()
    }

    /// The templates in order.
    pub fn templates(&self) -> &[String] {
        &self.templates
    }

    /// Template number `t` with every place for the name filled by `name`.
    ///
    /// # Panics
    ///
    /// If there is no template `t`.
    pub fn prompt(&self, t: usize, name: &str) -> String {
        self.templates[t].replace(PLACEHOLDER, name)
    }
}

/// All prompts, class by class, and template by template within a class.
pub fn prompts<'a>(
    classes: &'a ClassNames,
    templates: &'a Templates,
) -> impl Iterator<Item = String> + 'a {
    classes
        .names
        .iter()
        .flat_map(move |name| (0..templates.len()).map(move |t| templates.prompt(t, name)))
}

/// Reads a file as UTF-8, without its byte order mark.
pub(super) fn read(path: &Path, kind: ListKind) -> Result<String, TextError> {
    let bytes = regular_file::read(path, MOST_BYTES).map_err(|source| TextError::Read {
        kind,
        path: path.to_owned(),
        source,
    })?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + valid.iter().filter(|&&byte| byte == b'\n').count();
        TextError::NotUtf8 {
            kind,
            path: path.to_owned(),
            line,
        }
    })?;
    Ok(match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    })
}

/// The lines up to the last one with anything on it; none of them is blank.
fn entries<'a>(text: &'a str, path: &Path, kind: ListKind) -> Result<Vec<&'a str>, TextError> {
    let mut lines: Vec<&str> = text.lines().collect();
    while lines.last().is_some_and(|line| line.trim().is_empty()) {
        lines.pop();
    }
    if lines.is_empty() {
        return Err(TextError::Empty {
            kind,
            path: path.to_owned(),
        });
    }
    match lines.iter().position(|line| line.trim().is_empty()) {
        Some(blank) => Err(TextError::BlankLine {
            kind,
            path: path.to_owned(),
            line: blank + 1,
        }),
        None => Ok(lines),
    }
}

/// Refuses lines that are folders, or folders and names without a tab between: their whole text would be
/// the class's name.
fn check_names(path: &Path, lines: &[&str]) -> Result<(), TextError> {
    for (line, entry) in (1..).zip(lines) {
        let entry = entry.trim();
        let end = entry.find(|c: char| !c.is_ascii_alphanumeric());
        let (first, rest) = entry.split_at(end.unwrap_or(entry.len()));
        if !is_wnid(first) {
            continue;
        }
        let path = path.to_owned();
        return Err(match rest.chars().next() {
            None => TextError::FolderAsName {
                path,
                line,
                folder: first.to_owned(),
            },
            Some(c) => TextError::OtherSeparator {
                path,
                line,
                separator: in_words(c),
                entry: brief::excerpt(entry).into_owned(),
            },
        });
    }
    // Of other folders: a word without blanks, another one on each line, and a name right behind.
    for separator in [',', ';'] {
        let pairs = lines.iter().map(|line| line.trim().split_once(separator));
        let Some(pairs) = pairs.collect::<Option<Vec<_>>>() else {
            continue;
        };
        let is_pair = |(folder, name): &(&str, &str)| {
            let word = !folder.is_empty() && !folder.contains(char::is_whitespace);
            word && name.starts_with(|c: char| !c.is_whitespace())
        };
        let folders: HashSet<&str> = pairs.iter().map(|(folder, _)| *folder).collect();
        if lines.len() > 1 && folders.len() == lines.len() && pairs.iter().all(is_pair) {
            return Err(TextError::OtherSeparator {
                path: path.to_owned(),
                line: 1,
                separator: in_words(separator),
                entry: brief::excerpt(lines[0].trim()).into_owned(),
            });
        }
    }
    Ok(())
}

fn in_words(separator: char) -> &'static str {
    match separator {
        ',' => "a comma",
        ';' => "a semicolon",
        ':' => "a colon",
        c if c.is_whitespace() => "a blank",
        _ => "something else",
    }
}

/// Folder and name of a line with a tab, or what is wrong with it.
fn columns(line: &str) -> Result<(&str, &str), &'static str> {
    let mut parts = line.split('\t').map(str::trim);
    match (parts.next(), parts.next(), parts.next()) {
        (_, _, Some(_)) => Err("more than one tab"),
        (Some(""), _, _) => Err("nothing before the tab"),
        (_, None | Some(""), _) => Err("nothing after the tab"),
        (Some(folder), Some(name), None) => Ok((folder, name)),
        (None, _, _) => Err("nothing"),
    }
}
