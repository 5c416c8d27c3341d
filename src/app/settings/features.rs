//! The settings of an evaluation of features.

use std::path::PathBuf;

use super::parts::{Outputs, expectations};
use crate::app::error::Error;
use crate::app::flags::EvaluateArgs;
use crate::metrics::expectation::Expectations;
use crate::text::ClassNames;

#[derive(Debug)]
pub struct EvaluateFeatures {
    pub features: PathBuf,
    /// Another classifier than the one that was kept with them.
    pub classifier: Option<PathBuf>,
    /// The names of its classes and their file, where they are others.
    pub classes: Option<(PathBuf, ClassNames)>,
    pub expectations: Expectations,
    pub outputs: Outputs,
}

impl EvaluateFeatures {
    pub(super) fn new(args: EvaluateArgs, features: PathBuf) -> Result<Self, Error> {
        let classifier = args.classifier.classifier;
        let classnames = args.prompts.classnames;
        if classnames.is_some() && classifier.is_none() {
            return Err(Error::usage(
                "features with other class names need the classifier of these",
                "make one with uta-eval classifier --classnames, and give it with --classifier",
            ));
        }
        let names = |path: PathBuf| {
            let names = ClassNames::from_file(&path)?;
            Ok::<_, Error>((path, names))
        };
        let inputs: Vec<&PathBuf> = std::iter::once(&features).chain(&classifier).collect();
        Ok(Self {
            outputs: Outputs::new(args.outputs, None, &inputs)?,
            expectations: expectations(&args.expect)?,
            classes: classnames.map(names).transpose()?,
            classifier,
            features,
        })
    }
}
