//! The texts that a classifier is made of.

use std::path::{Path, PathBuf};

use super::parts::folders;
use crate::app::error::Error;
use crate::app::flags::PromptArgs;
use crate::data::ClassFolders;
use crate::text::{ClassNames, PromptList, PromptLists, Templates};
use crate::util::escape;

/// What stands for the built-in templates among files.
const BUILT_IN: &str = "built-in";

/// What stands for the built-in class names without two that are the same.
const DISTINCT: &str = "distinct";

/// Class names and templates, and the folders that the classes have.
#[derive(Debug)]
pub struct Prompts {
    pub classes: ClassNames,
    pub names: NamesFrom,
    pub folders: ClassFolders,
    pub lists: PromptLists,
    /// The file of each list; none for the built-in one.
    pub files: Vec<Option<PathBuf>>,
}

/// Where class names come from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum NamesFrom {
    /// The names that CLIP's authors chose for ImageNet's classes.
    #[default]
    BuiltIn,
    /// The same, told apart.
    Distinct,
    /// The names of ObjectNet's folders.
    ObjectNet,
    File(PathBuf),
}

impl NamesFrom {
    /// As a result names it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::BuiltIn => BUILT_IN,
            Self::Distinct => DISTINCT,
            Self::ObjectNet => "objectnet",
            Self::File(_) => "file",
        }
    }

    pub fn file(&self) -> Option<&PathBuf> {
        match self {
            Self::File(path) => Some(path),
            _ => None,
        }
    }
}

impl Prompts {
    /// The built-in class names and templates.
    pub fn imagenet() -> Self {
        Self {
            classes: ClassNames::imagenet(),
            names: NamesFrom::BuiltIn,
            folders: ClassFolders::imagenet(),
            lists: Templates::imagenet().into(),
            files: vec![None],
        }
    }

    /// Those that flags name, which may not belong together yet; see [`check`](Self::check).
    pub(super) fn new(args: &PromptArgs) -> Result<Self, Error> {
        let mut prompts = Self::imagenet();
        if !args.templates.is_empty() {
            let weights = weights(&args.template_weights, args.templates.len())?;
            let read = |path: &PathBuf| -> Result<(PromptList, Option<PathBuf>), Error> {
                Ok(if path == Path::new(BUILT_IN) {
                    (PromptList::Templates(Templates::imagenet()), None)
                } else {
                    (PromptList::from_file(path)?, Some(path.clone()))
                })
            };
            let lists = args.templates.iter().map(read);
            let lists: Vec<_> = lists.collect::<Result<_, _>>()?;
            let (lists, files): (Vec<_>, Vec<_>) = lists.into_iter().unzip();
            prompts.lists = PromptLists::new(lists.into_iter().zip(weights).collect());
            prompts.files = files;
        }
        match &args.classnames {
            Some(name) if name == Path::new(DISTINCT) => {
                prompts.classes = ClassNames::distinct();
                prompts.names = NamesFrom::Distinct;
            }
            Some(path) => {
                prompts.classes = ClassNames::from_file(path)?;
                prompts.folders = folders(&prompts.classes);
                prompts.names = NamesFrom::File(path.clone());
            }
            None => {}
        }
        Ok(prompts)
    }

    /// Refuses lists that have no prompts for some of the classes.
    pub(super) fn check(self) -> Result<Self, Error> {
        self.lists.check(&self.classes)?;
        Ok(self)
    }

    /// The only file with templates, or the first of several.
    pub fn templates_file(&self) -> Option<&PathBuf> {
        self.files.iter().flatten().next()
    }

    /// All files.
    pub fn all_files(&self) -> impl Iterator<Item = &PathBuf> {
        self.files.iter().flatten().chain(self.names.file())
    }

    /// The lists of prompts for a table's cell.
    pub fn lists_label(&self) -> String {
        let file = |file: &Option<PathBuf>| match file {
            Some(path) => escape::name(path.as_os_str()).into_owned(),
            None => BUILT_IN.into(),
        };
        let lists = self.files.iter().zip(self.lists.weights());
        let lists: Vec<String> = match self.files.len() {
            1 => lists.map(|(path, _)| file(path)).collect(),
            _ => lists
                .map(|(path, weight)| format!("{} ({weight})", file(path)))
                .collect(),
        };
        lists.join(" + ")
    }

    /// Where the class names come from, for a table's cell.
    pub fn names_label(&self) -> String {
        match self.names.file() {
            Some(path) => escape::name(path.as_os_str()).into_owned(),
            None => self.names.name().into(),
        }
    }
}

/// The weights of so many lists.
fn weights(given: &[f64], lists: usize) -> Result<Vec<f64>, Error> {
    if given.is_empty() {
        return Ok(vec![1.0; lists]);
    }
    let hint = "give one weight for each --templates, for instance --template-weights 0.7,0.3";
    if given.len() != lists {
        let message = format!(
            "--template-weights has {} numbers for {lists} --templates",
            given.len()
        );
        return Err(Error::usage(message, hint));
    }
    let fits = |weight: &f64| weight.is_finite() && *weight >= 0.0;
    if !given.iter().all(fits) || given.iter().sum::<f64>() <= 0.0 {
        let message = "--template-weights are numbers from 0, not all of them 0";
        return Err(Error::usage(message, hint));
    }
    Ok(given.to_vec())
}
