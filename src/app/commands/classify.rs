//! `uta-eval classify`: which of some labels fits a picture.

use std::fmt;

use serde::Serialize;

use super::prepared::preprocessor;
use super::shared_pass::TOLD;
use crate::app::console::Console;
use crate::app::error::Error;
use crate::app::exit_code::ExitCode;
use crate::app::json_output::{self, JsonOutput};
use crate::app::settings::Classify;
use crate::data::Name;
use crate::data::loader::load_one;
use crate::evaluation::EvaluationError;
use crate::inference::classifiers;
use crate::inference::loading;
use crate::inference::zero_shot::{ImageEncoder, ZeroShot};
use crate::report::SCHEMA_VERSION;
use crate::util::escape::{Lines, Shown};
use crate::util::path_text::PathText;
use crate::util::vector::softmax;
use crate::util::warning::Warning;

/// What the command prints.
#[derive(Debug, Serialize)]
struct Classification {
    schema_version: u32,
    model: String,
    checkpoint: PathText,
    /// The key under which the weights lie in the file.
    weights: Option<String>,
    pictures: Vec<Picture>,
}

#[derive(Debug, Serialize)]
struct Picture {
    path: PathText,
    /// In the order in which the labels were given.
    labels: Vec<Label>,
}

#[derive(Debug, Clone, Serialize)]
struct Label {
    label: String,
    /// Softmax over the labels, 0..=1.
    probability: f32,
    /// 100 times the cosine.
    logit: f32,
}

/// Classifies and prints each picture's probabilities.
///
/// # Errors
/// When the model cannot be used, or the result cannot be written.
pub fn run(settings: &Classify) -> Result<ExitCode, Error> {
    let mut console = Console::default();
    if let Some(remark) = &settings.devices.remark {
        console.warn(remark);
    }
    for warning in &settings.model.warnings {
        console.warn(warning);
    }
    for warning in doubts(settings.labels.names()) {
        console.warn(&warning);
    }
    let config = &settings.model.config;
    let output = settings.json.as_ref().map(JsonOutput::open).transpose()?;

    // The pictures first: they are quickly read, the model is not.
    // As the demos of CLIP prepare pictures; evaluations convert to RGB first.
    let preprocessor = preprocessor(config).resizing_first();
    let mut crops = Vec::new();
    let mut unreadable = 0;
    for path in &settings.pictures {
        match load_one(path, preprocessor) {
            Ok(crop) => crops.push((path, crop)),
            Err(reason) => {
                unreadable += 1;
                if unreadable <= TOLD {
                    console.say(&format!("unreadable: {}: {reason}", path.shown()));
                }
            }
        }
    }
    let location = settings.model.location();
    let weights = loading::open_for(location, config, &mut console)?;
    if let Some(remark) = loading::remark(&weights.checkpoint, location) {
        console.warn(&remark);
    }
    let compute = settings.devices.first();
    console.wait_for("loading the checkpoint");
    let vision = loading::vision_tower(&weights, config, compute, &mut |w| console.warn(&w))?;
    let text = loading::text_tower(&weights, config, compute)?;
    let tokens = classifiers::tokens(&settings.labels, &settings.templates)?;
    let labels = settings.labels.len();
    let (console, warnings) = (&mut console, &mut Vec::new());
    let classifier = classifiers::build(&text, &tokens, labels, None, console, warnings)?;
    let encoder = ImageEncoder::new(vision, &config.preprocessing, compute)?;
    let zero_shot = ZeroShot::new(encoder, classifier)?;

    let mut pictures = Vec::new();
    for (path, crop) in crops {
        let logits = zero_shot.logits(&crop)?.remove(0);
        if logits.iter().any(|logit| !logit.is_finite()) {
            let picture = Name::alone(path);
            return Err(EvaluationError::NotANumber { picture }.into());
        }
        let mut probabilities = logits.clone();
        softmax(&mut probabilities);
        let labels = settings
            .labels
            .names()
            .iter()
            .zip(probabilities)
            .zip(logits);
        let labels = labels
            .map(|((label, probability), logit)| Label {
                label: label.clone(),
                probability,
                logit,
            })
            .collect();
        pictures.push(Picture {
            path: path.as_path().into(),
            labels,
        });
    }
    console.clear();
    if unreadable > 0 {
        console.warn(&Warning::UnreadablePictures { count: unreadable });
    }
    json_output::write(
        output,
        &Classification {
            schema_version: SCHEMA_VERSION,
            model: config.name.clone(),
            checkpoint: settings.model.checkpoint.as_path().into(),
            weights: weights.checkpoint.nested_under().map(Into::into),
            pictures,
        },
    )?;
    Ok(if unreadable > 0 {
        ExitCode::SkippedPictures
    } else {
        ExitCode::Success
    })
}

/// What is odd about labels: they are one, or were meant to be several.
fn doubts(labels: &[String]) -> Vec<Warning> {
    let semicolon = labels.iter().find(|label| label.contains(';'));
    match (semicolon, labels) {
        (Some(label), _) => vec![Warning::SemicolonInLabel {
            label: label.clone(),
        }],
        (None, [_]) => vec![Warning::OneLabel],
        _ => Vec::new(),
    }
}

impl fmt::Display for Classification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let f = &mut Lines::new(f);
        for picture in &self.pictures {
            writeln!(f, "{}", picture.path)?;
            let mut labels = picture.labels.clone();
            // A stable sort: equal probabilities stay in the order given.
            labels.sort_by(|a, b| b.probability.total_cmp(&a.probability));
            for Label {
                label, probability, ..
            } in labels
            {
                writeln!(f, "  {:6.2} %  {label}", 100.0 * probability)?;
            }
        }
        Ok(())
    }
}
