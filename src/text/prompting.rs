//! Lists of prompts: templates that all classes share, or prompts of each class's own, and several
//! of them with weights.
//!
//! A class's own prompts come from JSON, as CuPL's authors publish theirs:
//! `{"tench": ["A tench is a fish.", …], …}`. A key is a class's name, or its folder where two
//! classes have the same name.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::prompts::{ClassNames, Templates, read};
use super::{ListKind, TextError, imagenet};

/// Classes that a message lists.
const LISTED: usize = 5;

/// The key below which files for several data sets have ImageNet's prompts.
const IMAGENET: [&str; 3] = ["imagenet1k", "imagenet", "ImageNet"];

/// Prompts of each class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassPrompts {
    path: PathBuf,
    of_class: HashMap<String, Vec<String>>,
}

/// One list of prompts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PromptList {
    /// The same for all classes.
    Templates(Templates),
    /// Each class's own.
    OfClasses(ClassPrompts),
}

/// Lists of prompts with their weights. A class's vector is the weighted mean of those that the
/// lists give alone.
#[derive(Debug, Clone, PartialEq)]
pub struct PromptLists {
    lists: Vec<(PromptList, f64)>,
}

/// All prompts: list by list, class by class.
#[derive(Debug, Clone, PartialEq)]
pub struct Prompts {
    pub texts: Vec<String>,
    /// For each list, the number of each class's prompts.
    pub counts: Vec<Vec<usize>>,
    /// Of each list.
    pub weights: Vec<f64>,
}

impl ClassPrompts {
    /// Reads prompts from a JSON file.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or says something else.
    pub fn from_file(path: &Path) -> Result<Self, TextError> {
        let text = read(path, ListKind::Templates)?;
        let unfit = |reason: String| TextError::NoClassPrompts {
            path: path.to_owned(),
            reason,
        };
        let value: serde_json::Value =
            serde_json::from_str(&text).map_err(|e| unfit(e.to_string()))?;
        let serde_json::Value::Object(fields) = value else {
            return Err(unfit("it is no object".into()));
        };
        let of_class = match of_imagenet(fields) {
            Ok(fields) => fields,
            Err(sets) => {
                return Err(unfit(format!(
                    "it has prompts for {sets} data sets, and none is imagenet1k"
                )));
            }
        };
        let prompts = |(class, value): (String, serde_json::Value)| {
            let texts: Option<Vec<String>> = value.as_array().and_then(|list| {
                let texts = list
                    .iter()
                    .map(|text| Some(text.as_str()?.trim().to_owned()));
                texts.collect()
            });
            match texts.filter(|texts| !texts.is_empty() && !texts.iter().any(String::is_empty)) {
                Some(texts) => Ok((class.trim().to_owned(), texts)),
                None => Err(unfit(format!("{class:?} has no list of texts"))),
            }
        };
        Ok(Self {
            path: path.to_owned(),
            of_class: of_class
                .into_iter()
                .map(prompts)
                .collect::<Result<_, _>>()?,
        })
    }

    /// The prompts of a class; none if the file has none.
    fn of(&self, classes: &ClassNames, class: usize) -> Option<&[String]> {
        let folder = match classes.folders() {
            Some(folders) => folders.get(class).map(String::as_str),
            None if classes.len() == imagenet::CLASSES => imagenet::wnid_of_class(class),
            None => None,
        };
        let keys = [folder, classes.name(class)];
        let mut found = keys.into_iter().flatten().map(|key| self.of_class.get(key));
        found.find_map(|found| found).map(Vec::as_slice)
    }
}

/// The prompts of ImageNet's classes, in a file that may have those of several data sets.
fn of_imagenet(
    mut fields: serde_json::Map<String, serde_json::Value>,
) -> Result<serde_json::Map<String, serde_json::Value>, usize> {
    if fields.is_empty() || !fields.values().all(serde_json::Value::is_object) {
        return Ok(fields);
    }
    let sets = fields.len();
    let only = fields.keys().next().filter(|_| sets == 1).cloned();
    let named = IMAGENET.iter().find(|name| fields.contains_key(**name));
    let key = named.map(ToString::to_string).or(only).ok_or(sets)?;
    match fields.remove(&key) {
        Some(serde_json::Value::Object(inner)) => Ok(inner),
        _ => Err(sets),
    }
}

impl PromptList {
    /// Reads a list: JSON where the file's name ends so, and otherwise a template on every line.
    ///
    /// # Errors
    ///
    /// As [`ClassPrompts::from_file`] and [`Templates::from_file`].
    pub fn from_file(path: &Path) -> Result<Self, TextError> {
        let is_json = path
            .extension()
            .is_some_and(|ending| ending.eq_ignore_ascii_case("json"));
        Ok(if is_json {
            Self::OfClasses(ClassPrompts::from_file(path)?)
        } else {
            Self::Templates(Templates::from_file(path)?)
        })
    }
}

impl From<Templates> for PromptLists {
    fn from(templates: Templates) -> Self {
        Self {
            lists: vec![(PromptList::Templates(templates), 1.0)],
        }
    }
}

impl PromptLists {
    /// Lists with weights, of which there are some.
    pub fn new(lists: Vec<(PromptList, f64)>) -> Self {
        Self { lists }
    }

    /// Whether these are only the templates that CLIP's authors chose.
    pub fn are_built_in(&self) -> bool {
        *self == Self::from(Templates::imagenet())
    }

    /// The weights of the lists.
    pub fn weights(&self) -> impl Iterator<Item = f64> {
        self.lists.iter().map(|(_, weight)| *weight)
    }

    /// Refuses lists that have no prompts for some of the classes.
    ///
    /// # Errors
    ///
    /// If that is so; some of the classes are named.
    pub fn check(&self, classes: &ClassNames) -> Result<(), TextError> {
        for (list, _) in &self.lists {
            let PromptList::OfClasses(own) = list else {
                continue;
            };
            let without = (0..classes.len()).filter(|class| own.of(classes, *class).is_none());
            let without: Vec<&str> = without.filter_map(|class| classes.name(class)).collect();
            if !without.is_empty() {
                return Err(TextError::ClassesWithoutPrompts {
                    path: own.path.clone(),
                    count: without.len(),
                    classes: classes.len(),
                    examples: without[..without.len().min(LISTED)].join(", "),
                });
            }
        }
        Ok(())
    }

    /// All prompts of some classes, which [`check`](Self::check) did not refuse.
    pub fn prompts(&self, classes: &ClassNames) -> Prompts {
        let mut texts = Vec::new();
        let mut counts = Vec::new();
        for (list, _) in &self.lists {
            let mut of_list = Vec::with_capacity(classes.len());
            for class in 0..classes.len() {
                let before = texts.len();
                match list {
                    PromptList::Templates(templates) => {
                        let name = classes.name(class).unwrap_or_default();
                        texts.extend((0..templates.len()).map(|t| templates.prompt(t, name)));
                    }
                    PromptList::OfClasses(own) => {
                        texts.extend(own.of(classes, class).unwrap_or_default().iter().cloned());
                    }
                }
                of_list.push(texts.len() - before);
            }
            counts.push(of_list);
        }
        Prompts {
            texts,
            counts,
            weights: self.weights().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(json: &str) -> Result<ClassPrompts, TextError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("prompts.json");
        std::fs::write(&path, json).unwrap();
        ClassPrompts::from_file(&path)
    }

    fn names(names: &[&str]) -> ClassNames {
        ClassNames::from_names(names.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn classes_have_as_many_prompts_of_their_own_as_they_like() {
        let own =
            file(r#"{"cat": ["A cat purrs.", "A cat {c}."], "dog ": ["A dog barks."]}"#).unwrap();
        let lists = PromptLists::new(vec![
            (PromptList::OfClasses(own), 0.5),
            (PromptList::Templates(Templates::verbatim()), 2.0),
        ]);
        let classes = names(&["dog", "cat"]);
        lists.check(&classes).unwrap();
        let prompts = lists.prompts(&classes);
        assert_eq!(
            prompts.texts,
            ["A dog barks.", "A cat purrs.", "A cat {c}.", "dog", "cat"]
        );
        assert_eq!(prompts.counts, [[1, 2], [1, 1]]);
        assert_eq!(prompts.weights, [0.5, 2.0]);
        let refused = lists.check(&names(&["dog", "fish", "bird"])).unwrap_err();
        let text = refused.to_string();
        assert!(
            text.ends_with("2 of 3 classes have no prompts (fish, bird)"),
            "{text}"
        );
    }

    #[test]
    fn a_folder_tells_classes_of_one_name_apart() {
        let mut prompts: Vec<String> = ClassNames::imagenet()
            .names()
            .iter()
            .map(|name| format!("{name:?}: [\"a {name}\"]").replace("\\'", "'"))
            .collect();
        prompts.push("\"n04008634\": [\"a thing that is thrown\"]".into());
        let own = file(&format!("{{{}}}", prompts.join(","))).unwrap();
        let lists = PromptLists::new(vec![(PromptList::OfClasses(own), 1.0)]);
        let texts = lists.prompts(&ClassNames::imagenet()).texts;
        assert_eq!(
            (&*texts[657], &*texts[744]),
            ("a missile", "a thing that is thrown")
        );
    }

    #[test]
    fn of_several_data_sets_imagenets_prompts_are_taken() {
        let own = file(r#"{"food101": {"pie": ["x"]}, "imagenet1k": {"cat": ["a cat"]}}"#).unwrap();
        assert!(own.of(&names(&["cat"]), 0).is_some());
        assert!(file(r#"{"pets": {"cat": ["a cat"]}}"#).is_ok());
    }

    #[test]
    fn what_is_no_list_of_prompts_is_refused() {
        for (json, reason) in [
            ("[]", "no object"),
            ("{", "EOF"),
            (r#"{"cat": "a cat"}"#, "\"cat\" has no list of texts"),
            (r#"{"cat": []}"#, "\"cat\" has no list"),
            (r#"{"cat": ["a", 3]}"#, "\"cat\" has no list"),
            (r#"{"cat": [" "]}"#, "\"cat\" has no list"),
            (r#"{"a": {"x": ["y"]}, "b": {"x": ["y"]}}"#, "2 data sets"),
        ] {
            let text = file(json).unwrap_err().to_string();
            assert!(text.contains(reason), "{text}");
        }
    }
}
