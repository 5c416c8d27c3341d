//! `uta-eval classifier`: a text classifier built ahead of time.

use crate::app::console::Console;
use crate::app::error::Error;
use crate::app::exit_code::ExitCode;
use crate::app::settings::Classifier;
use crate::app::stdout::show;
use crate::classifier::file;
use crate::inference::classifiers::{
    ClassifierRequest, Origin, ResolvedClassifier, SharedClassifiers, resolve,
};
use crate::inference::loading;
use crate::util::count::count;
use crate::util::escape::Shown;
use crate::util::output_file::OutputError;
use crate::util::temporary_file::TemporaryFile;

/// Builds the classifier (or takes it from the cache) and saves it.
///
/// # Errors
/// When the file exists or cannot be written, or the model cannot be used.
pub fn run(settings: &Classifier) -> Result<ExitCode, Error> {
    let out = &settings.out;
    let failed = |source| OutputError {
        path: out.clone(),
        source,
    };
    if out.symlink_metadata().is_ok() {
        return Err(failed(std::io::ErrorKind::AlreadyExists.into()).into());
    }
    let mut console = Console::default();
    if let Some(remark) = &settings.devices.remark {
        console.warn(remark);
    }
    for warning in &settings.model.warnings {
        console.warn(warning);
    }
    let config = &settings.model.config;
    let location = settings.model.location();
    let weights = loading::open_for(location, config, &mut console)?;
    if let Some(remark) = loading::remark(&weights.checkpoint, location) {
        console.warn(&remark);
    }
    let mut target = TemporaryFile::beside(out).map_err(failed)?;

    console.wait_for("reading the text tower");
    let request = ClassifierRequest {
        weights: &weights,
        fingerprint: &weights.text_fingerprint()?,
        config,
        compute: settings.devices.first(),
        classes: &settings.prompts.classes,
        prompts: &settings.prompts.lists,
    };
    let ResolvedClassifier {
        classifier,
        recipe,
        origin,
    } = resolve(
        &request,
        &settings.classifier_source,
        &mut SharedClassifiers::default(),
        &mut console,
        &mut Vec::new(),
    )?;
    console.clear();
    let bytes = file::to_bytes(&classifier, &recipe).map_err(std::io::Error::other);
    bytes
        .and_then(|bytes| std::io::Write::write_all(&mut target, &bytes))
        .and_then(|()| target.create(out))
        .map_err(failed)?;
    let from = match origin {
        Origin::Cache(path) => format!("from the cache: {}", path.shown()),
        Origin::Built | Origin::File(_) => "built".into(),
    };
    let templates = match recipe.templates {
        0 => "their own prompts".into(),
        templates => count(templates, "template"),
    };
    show(&format!(
        "{}: {} of {templates}, {} dimensions, {from}\n",
        out.shown(),
        count(recipe.classes, "class"),
        classifier.embedding()
    ))?;
    Ok(ExitCode::Success)
}
