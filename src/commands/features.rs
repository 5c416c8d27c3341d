//! Features that were kept, evaluated again without model and pictures.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use rayon::prelude::*;

use super::evaluate::{demand, exit_code};
use super::page;
use super::sinks::Sinks;
use crate::classifier::file::{self, ClassifierFileError};
use crate::classifier::recipe::Recipe;
use crate::classifiers::{Obtained, Origin};
use crate::data::{Sample, Unreadable};
use crate::error::{Error, ExitCode, Warning};
use crate::evaluation::{Entrant, Finding, Observer, Outcome};
use crate::features::{Features, Record};
use crate::memory;
use crate::metrics::{Prediction, Tally};
use crate::progress::Console;
use crate::ranking::Ranker;
use crate::report::predictions::PredictionsFile;
use crate::report::{self, Report};
use crate::settings::EvaluateFeatures;
use crate::statistics::Statistics;
use crate::text::ClassNames;

/// Evaluates and reports.
///
/// # Errors
/// Whatever stops the evaluation.
pub fn run(settings: &EvaluateFeatures) -> Result<ExitCode, Error> {
    let start = Instant::now();
    let mut console = Console::default();
    let mut sinks = Sinks::open(&settings.outputs)?;
    console.wait_for("reading the features");
    let features = Features::read(&settings.features)?;
    let record = &features.record;
    settings
        .expectations
        .check_published(&record.report.model.name)?;
    let mut seconds = report::Seconds {
        load: start.elapsed().as_secs_f64(),
        ..report::Seconds::default()
    };

    let clock = Instant::now();
    let obtained = classifier(settings, &features)?;
    let ranker = Ranker::new(Arc::clone(&obtained.classifier), record.choices.as_ref());
    seconds.classifier = clock.elapsed().as_secs_f64();

    let clock = Instant::now();
    let samples = samples(record);
    let outcome = evaluate(&features, &ranker, &samples, &mut sinks)?;
    seconds.evaluation = clock.elapsed().as_secs_f64();
    seconds.first_batch = (!samples.is_empty()).then(|| start.elapsed().as_secs_f64());
    seconds.total = start.elapsed().as_secs_f64();
    console.clear();

    let report = report(settings, record, obtained, &ranker, outcome, seconds);
    let exit_code = exit_code(&report);
    let pictures = page::pictures(&report);
    sinks.finish(&report, |name| pictures.get(name).cloned())?;
    demand(report.expectations)?;
    Ok(exit_code)
}

/// The classifier that was kept with the features, or another one of the same text tower.
fn classifier(settings: &EvaluateFeatures, features: &Features) -> Result<Obtained, Error> {
    let record = &features.record;
    let Some(path) = &settings.classifier else {
        return Ok(Obtained {
            classifier: features.classifier.clone().into(),
            recipe: record.recipe.clone(),
            origin: Origin::File(settings.features.clone()),
        });
    };
    let mut wanted = record.recipe.clone();
    if let Some((file, classes)) = &settings.classes {
        check_classes(classes, record, file)?;
        wanted.class_names = Recipe::hash_of_names(classes.names());
    }
    let (classifier, recipe) = file::read(path)?;
    recipe
        .check(&wanted)
        .map_err(|difference| ClassifierFileError::Different {
            path: path.clone(),
            difference,
        })?;
    Ok(Obtained {
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
                file.display()
            ),
            "list a name for each of these, in their order",
        ));
    }
    if classes.folders() != record.classes.folders() {
        return Err(Error::usage(
            format!(
                "{} lists other folders than the features are of",
                file.display()
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
    let report = &record.report;
    let pictures = report.judgements.iter().zip(&record.right);
    pictures
        .map(|(judgement, right)| {
            let label = judgement.label as usize;
            Sample {
                right: right.clone(),
                ..Sample::below(&report.data.path, &judgement.name, label)
            }
        })
        .collect()
}

/// Ranks and counts.
fn evaluate(
    features: &Features,
    ranker: &Ranker,
    samples: &[Sample],
    sinks: &mut Sinks,
) -> Result<Outcome, Error> {
    let finding = |(features, sample): (&[f32], &Sample)| {
        let picture = || sample.name.clone();
        let prediction = ranker.rank(features);
        let prediction = prediction.ok_or_else(|| Error::NotANumber { picture: picture() })?;
        Ok(Finding::Predicted(prediction))
    };
    let findings = features.pictures().zip(samples).map(finding);
    let findings = findings.collect::<Result<Vec<_>, Error>>()?;
    let mut writer = Writer(sinks.records.predictions.as_mut());
    Ok(Entrant::new(Vec::new(), &mut writer, samples, findings)?.outcome)
}

/// The result of the first run, with what another classifier changes.
fn report(
    settings: &EvaluateFeatures,
    record: &Record,
    obtained: Obtained,
    ranker: &Ranker,
    outcome: Outcome,
    seconds: report::Seconds,
) -> Report {
    let first = &record.report;
    let mut prompts = first.prompts.clone();
    prompts.templates = obtained.recipe.templates;
    if settings.classifier.is_some() {
        // Which they were is known to whoever made the classifier.
        prompts.templates_file = None;
    }
    let classes = match &settings.classes {
        Some((file, classes)) => {
            prompts.classnames_file = Some(file.clone());
            classes
        }
        None => &record.classes,
    };
    let judgements = outcome.judgements;
    let statistics = Statistics::of(&judgements, |class| classes.name(class));
    let (top1, top5) = (&statistics.top1, &statistics.top5);
    let model = &first.model.name;
    Report {
        program: report::Program::default(),
        prompts,
        classifier: report::ClassifierFacts::of(&obtained),
        features_file: Some(settings.features.clone()),
        expectations: settings.expectations.check(model, top1, top5),
        tied_classes: ranker.tied_classes(),
        pictures_per_second: judgements.len() as f64 / seconds.evaluation.max(f64::MIN_POSITIVE),
        seconds,
        peak_memory_bytes: memory::peak(),
        statistics,
        judgements,
        ..first.clone()
    }
}

/// Writes predictions.
struct Writer<'a>(Option<&'a mut PredictionsFile>);

impl Observer for Writer<'_> {
    fn found(&mut self, _: usize, _: &[Finding]) -> Result<(), Error> {
        Ok(())
    }

    fn predicted(&mut self, sample: &Sample, prediction: &Prediction) -> Result<(), Error> {
        match &mut self.0 {
            Some(file) => file.add(sample, prediction),
            None => Ok(()),
        }
    }

    fn unreadable(&mut self, _: &Unreadable) -> Result<(), Error> {
        Ok(())
    }

    fn warned(&mut self, _: Warning) {}

    fn batch_done(&mut self, _: &Tally, _: usize) {}
}
