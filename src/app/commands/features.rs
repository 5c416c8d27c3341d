//! Features that were kept, evaluated again without model and pictures.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use rayon::prelude::*;

use super::evaluate::{exit_code, judge};
use super::html_report;
use super::result_files::{PictureRecords, ResultFiles, tell_unwritten};
use crate::app::console::Console;
use crate::app::error::Error;
use crate::app::exit_code::ExitCode;
use crate::app::settings::EvaluateFeatures;
use crate::classifier::file::{self, ClassifierFileError};
use crate::classifier::ranker::Ranker;
use crate::classifier::recipe::Recipe;
use crate::data::{Sample, Unreadable};
use crate::evaluation::{EvaluationError, Evaluator, Finding, Observer, Outcome};
use crate::inference::classifiers::{Origin, ResolvedClassifier};
use crate::metrics::Statistics;
use crate::metrics::{Prediction, Tally};
use crate::report::features::{Features, Record};
use crate::report::{self, Report};
use crate::text::ClassNames;
use crate::util::escape::Shown;
use crate::util::memory;
use crate::util::warning::Warning;

/// Evaluates and reports.
///
/// # Errors
/// Whatever stops the evaluation.
pub fn run(settings: &EvaluateFeatures) -> Result<ExitCode, Error> {
    let start = Instant::now();
    let mut console = Console::default();
    let mut result_files = ResultFiles::open(&settings.outputs)?;
    console.wait_for("reading the features");
    let features = Features::read(&settings.features)?;
    let record = &features.record;
    settings
        .expectations
        .check_published(record.model.published.as_ref())?;
    let mut seconds = report::Seconds {
        load: start.elapsed().as_secs_f64(),
        ..report::Seconds::default()
    };

    let clock = Instant::now();
    let resolved = classifier(settings, &features)?;
    let ranker = Ranker::new(Arc::clone(&resolved.classifier), record.choices.as_ref());
    seconds.classifier = clock.elapsed().as_secs_f64();

    let clock = Instant::now();
    let samples = samples(record);
    let outcome = evaluate(&features, &ranker, &samples, &mut result_files)?;
    seconds.evaluation = clock.elapsed().as_secs_f64();
    seconds.first_batch = (!samples.is_empty()).then(|| start.elapsed().as_secs_f64());
    seconds.total = start.elapsed().as_secs_f64();
    console.clear();

    let report = report(
        settings,
        record,
        resolved,
        &ranker,
        outcome,
        (start, seconds),
    );
    let (top1, classes) = (&report.statistics.top1, report.data.classes);
    if let Some(warning) = report::chance_warning(top1, classes) {
        console.warn(&warning);
    }
    let exit_code = exit_code(&report);
    let pictures = html_report::pictures(&report);
    let find = |name: &str| pictures.get(name).cloned();
    let unwritten = result_files.finish(&report, find, None)?;
    let exit_code = judge(&report.expectations, exit_code, &console);
    Ok(tell_unwritten(unwritten, exit_code, &console))
}

/// The classifier that was kept with the features, or another one of the same text tower.
fn classifier(
    settings: &EvaluateFeatures,
    features: &Features,
) -> Result<ResolvedClassifier, Error> {
    let record = &features.record;
    let Some(path) = &settings.classifier else {
        return Ok(ResolvedClassifier {
            classifier: features.classifier.clone().into(),
            recipe: record.recipe.clone(),
            origin: Origin::File(settings.features.clone()),
        });
    };
    let mut request = record.recipe.clone();
    if let Some((file, classes)) = &settings.classes {
        check_classes(classes, record, file)?;
        request.class_names = Recipe::hash_of_names(classes.names());
    }
    let (classifier, recipe) = file::read(path)?;
    recipe
        .check(&request)
        .map_err(|difference| ClassifierFileError::Different {
            path: path.clone(),
            difference,
        })?;
    Ok(ResolvedClassifier {
        classifier: classifier.into(),
        recipe,
        origin: Origin::File(path.clone()),
    })
}

/// Other names must be of the same classes in the same order: labels are kept as indices.
fn check_classes(classes: &ClassNames, record: &Record, file: &Path) -> Result<(), Error> {
    let (given, kept) = (classes.len(), record.classes.len());
    if given != kept {
        return Err(Error::usage(
            format!(
                "{} lists {given} classes, and the features are of {kept}",
                file.shown()
            ),
            "list a name for each of these, in their order",
        ));
    }
    if classes.folders() != record.classes.folders() {
        return Err(Error::usage(
            format!(
                "{} lists other folders than the features are of",
                file.shown()
            ),
            match record.classes.folders() {
                Some(_) => "list the folders of the first run, in the same order",
                None => "list the names alone, without folders, in the classes' order",
            },
        ));
    }
    Ok(())
}

/// The pictures whose features were kept.
fn samples(record: &Record) -> Vec<Sample> {
    let labels = record.labels.iter().zip(&record.right);
    let pictures = record.names.iter().zip(labels);
    pictures
        .map(|(name, (label, right))| Sample {
            right: right.clone(),
            ..Sample::below(&record.data.path, name, *label)
        })
        .collect()
}

/// Ranks and counts.
fn evaluate(
    features: &Features,
    ranker: &Ranker,
    samples: &[Sample],
    result_files: &mut ResultFiles,
) -> Result<Outcome, Error> {
    let finding = |(features, sample): (&[f32], &Sample)| {
        let picture = || sample.name.clone();
        let prediction = ranker.rank(features);
        let prediction =
            prediction.ok_or_else(|| EvaluationError::NotANumber { picture: picture() })?;
        Ok(Finding::Predicted(prediction))
    };
    let findings = features.pictures().zip(samples).map(finding);
    let findings = findings.collect::<Result<Vec<_>, Error>>()?;
    let mut writer = Writer(&mut result_files.records);
    Ok(Evaluator::new(Vec::new(), &mut writer, samples, findings)?.outcome)
}

/// The result of the first run, with what another classifier changes.
fn report(
    settings: &EvaluateFeatures,
    record: &Record,
    resolved: ResolvedClassifier,
    ranker: &Ranker,
    outcome: Outcome,
    (start, seconds): (Instant, report::Seconds),
) -> Report {
    let mut prompts = record.prompts.clone();
    prompts.templates = resolved.recipe.templates;
    if settings.classifier.is_some() {
        // Which they were is known to whoever made the classifier.
        prompts.templates_file = None;
        prompts.lists = Vec::new();
    }
    let classes = match &settings.classes {
        Some((file, classes)) => {
            prompts.classnames = "file".into();
            prompts.classnames_file = Some(file.as_path().into());
            classes
        }
        None => &record.classes,
    };
    let judgements = outcome.judgements;
    let statistics = Statistics::of(&judgements, |class| classes.name(class));
    let (top1, top5) = (&statistics.top1, &statistics.top5);
    let published = record.model.published.as_ref();
    let mut warnings = record.warnings.clone();
    let chance = report::chance_warning(top1, record.data.classes).map(|w| w.to_string());
    warnings.extend(chance.filter(|warning| !record.warnings.contains(warning)));
    Report {
        schema_version: report::SCHEMA_VERSION,
        // Of an interrupted run no features are kept.
        interrupted: false,
        program: report::Program::default(),
        provenance: report::Provenance::since(start),
        prompts,
        classifier: report::ClassifierInfo::of(&resolved),
        features_file: Some(settings.features.as_path().into()),
        expectations: settings.expectations.check(published, top1, top5),
        tied_classes: ranker.tied_classes(),
        pictures_per_second: report::rate(judgements.len(), seconds.evaluation),
        seconds,
        peak_memory_bytes: memory::peak(),
        statistics,
        judgements,
        model: record.model.clone(),
        checkpoint: record.checkpoint.clone(),
        data: record.data.clone(),
        settings: record.settings.clone(),
        unreadable: record.unreadable.clone(),
        // The warnings tell of them.
        changed: Vec::new(),
        warnings,
    }
}

/// Writes predictions.
struct Writer<'a>(&'a mut PictureRecords);

impl Observer for Writer<'_> {
    fn found(&mut self, _: usize, _: &[Finding]) -> Result<(), EvaluationError> {
        Ok(())
    }

    fn predicted(
        &mut self,
        sample: &Sample,
        prediction: &Prediction,
    ) -> Result<(), EvaluationError> {
        self.0.add_prediction(sample, prediction);
        Ok(())
    }

    fn unreadable(&mut self, _: &Unreadable) -> Result<(), EvaluationError> {
        Ok(())
    }

    fn warned(&mut self, _: Warning) {}

    fn batch_done(&mut self, _: &Tally, _: usize) {}
}
