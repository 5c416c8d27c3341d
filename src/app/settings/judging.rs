//! Which set pictures are of, the texts of its classes, and how the pictures are judged.

use std::path::Path;
use std::sync::Arc;

use super::evaluate::location;
use super::parts::set;
use super::prompts::{NamesFrom, Prompts};
use crate::app::error::Error;
use crate::app::flags::{EvaluateArgs, LabelsArg};
use crate::data::{Beside, ClassFolders, DataLocation, Protocol, Rules, Set, Truth};
use crate::text::{ClassNames, Templates, imagenet};

/// Pictures, how they are judged, and the texts of their classes.
#[derive(Debug, Clone)]
pub(super) struct Judged {
    pub pictures: DataLocation,
    pub protocol: Protocol,
    pub prompts: Arc<Prompts>,
}

impl Judged {
    /// Decides it: by the flags, and else by the texts that lie beside shards.
    ///
    /// # Errors
    /// When flags contradict each other, or a file cannot be read.
    pub(super) fn of(args: &EvaluateArgs) -> Result<Self, Error> {
        let pictures = location(&args.pictures)?;
        let (protocol, prompts) = judging(args, &pictures)?;
        Ok(Self {
            pictures,
            protocol,
            prompts: prompts.into(),
        })
    }
}

fn judging(args: &EvaluateArgs, location: &DataLocation) -> Result<(Protocol, Prompts), Error> {
    let rules: Rules = args.protocol.into();
    let real = args.pictures.labels == Some(LabelsArg::Real);
    let mut prompts = Prompts::new(&args.prompts)?;
    let mut asked = args.dataset.map(set);
    let beside = if real { None } else { Beside::find(location)? };
    if let Some(beside) = &beside {
        if args.prompts.templates.is_empty() && args.classifier.classifier.is_none() {
            prompts.take_templates(beside)?;
        }
        if asked.is_none() && args.prompts.classnames.is_none() {
            asked = prompts.take_names(beside)?;
            if asked.is_none() {
                return Ok((Protocol::listed(rules, None), prompts.check()?));
            }
        }
    }
    let set = asked.unwrap_or_default();
    if rules == Rules::ObjectNet && set != Set::ObjectNet {
        return Err(Error::usage(
            format!(
                "--protocol objectnet is about objectnet, not about {}",
                set.name()
            ),
            "leave it out, or name the set with --dataset objectnet",
        ));
    }
    let protocol = protocol(rules, set, real, &mut prompts)?;
    Ok((protocol, prompts.check()?))
}

/// How the pictures of a data set are judged; the prompts get its folders.
fn protocol(rules: Rules, set: Set, real: bool, prompts: &mut Prompts) -> Result<Protocol, Error> {
    let by_set = Protocol::by(rules, set);
    let own = set.own_names().filter(|_| by_set.choices.is_none());
    let classes = own.as_ref().map_or(imagenet::CLASSES, Vec::len);
    let listed = prompts.classes.folders().is_some()
        || (prompts.names != NamesFrom::BuiltIn && prompts.classes.len() != classes);
    let mut protocol = match (listed, set) {
        (false, _) => {
            if let (Some(own), NamesFrom::BuiltIn) = (own, &prompts.names) {
                prompts.classes = ClassNames::from_names(own);
                prompts.names = NamesFrom::ObjectNet;
            }
            prompts.folders = by_set.folders().unwrap_or_else(ClassFolders::imagenet);
            by_set
        }
        (true, Set::ImageNet) => Protocol::listed(rules, None),
        (true, Set::ObjectNet) if prompts.classes.folders().is_some() => {
            let folders = prompts.classes.folders().unwrap_or_default();
            prompts.folders = set.listed_folders(folders);
            Protocol::listed(rules, Some(set))
        }
        (true, Set::ObjectNet) => {
            return Err(Error::usage(
                format!(
                    "by the protocol {}, --dataset objectnet has {classes} classes, but --classnames lists {}",
                    rules.name(),
                    prompts.classes.len()
                ),
                "list a name for each of its folders, in their sorted order, or folder<TAB>name on every line",
            ));
        }
        (true, set) => {
            return Err(Error::usage(
                format!(
                    "--dataset {} has ImageNet's classes, but --classnames lists others",
                    set.name()
                ),
                "leave --dataset out to evaluate the folders that the file lists, or list the names of ImageNet's 1000 classes",
            ));
        }
    };
    if real {
        if listed || set != Set::ImageNet {
            return Err(Error::usage(
                "--labels real is about ImageNet's validation set",
                "leave --labels out for other data sets and other classes",
            ));
        }
        protocol.truth = Truth::Real;
    }
    Ok(protocol)
}

impl Prompts {
    /// Takes the templates that lie beside pictures, unless they are the built-in ones.
    fn take_templates(&mut self, beside: &Beside) -> Result<(), Error> {
        let Some(path) = &beside.templates else {
            return Ok(());
        };
        let templates = Templates::from_file(path)?;
        if templates != Templates::imagenet() {
            self.lists = templates.into();
            self.files = vec![Some(path.clone())];
        }
        Ok(())
    }

    /// Takes the class names that lie beside pictures. Returns the set whose classes have them; if
    /// there is none, they are classes of their own, which labels count.
    fn take_names(&mut self, beside: &Beside) -> Result<Option<Set>, Error> {
        let names = ClassNames::from_lines(&beside.class_names)?;
        if let Some(set) = Set::with_names(names.names()) {
            return Ok(Some(set));
        }
        let of_imagenet = names.len() == imagenet::CLASSES;
        if names != ClassNames::imagenet() {
            self.folders = ClassFolders::numbered(names.len());
            self.classes = names;
            self.names = NamesFrom::File(beside.class_names.clone());
        }
        Ok(of_imagenet.then(|| named(&beside.root)))
    }
}

/// The set of all of ImageNet's classes that a folder's name tells.
fn named(folder: &Path) -> Set {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    match plain.to_ascii_lowercase() {
        name if name.contains("imagenetv2") => Set::V2,
        name if name.contains("sketch") => Set::Sketch,
        _ => Set::ImageNet,
    }
}
