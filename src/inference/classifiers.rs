//! Getting the classifier of a model and classes: from a file, from the cache, or by building it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::info_span;

use crate::classifier::cache::Cache;
use crate::classifier::file::{self, ClassifierFileError};
use crate::classifier::recipe::Recipe;
use crate::classifier::{self, Averaging, Classifier, Trie};
use crate::inference::loading;
use crate::inference::weights::Weights;
use crate::inference::{InferenceError, Progress, Work};
use crate::model::config::{Mlp, TEXT_EPS};
use crate::model::{Compute, ModelConfig, TextTower};
use crate::text::{ClassNames, PromptLists, Templates, Tokenizer, prompts};
use crate::util::warning::Warning;

/// How often the state of a build is kept. Less work than this is not worth going on with.
const KEEP_EVERY: Duration = Duration::from_secs(20);

/// Where to look for a classifier before building it.
#[derive(Debug, Clone)]
pub enum ClassifierSource {
    /// This file, and nothing else.
    File(PathBuf),
    /// The cache, in which a new one is kept.
    Cache(Cache),
    /// Nowhere.
    None,
}

/// A classifier and where it came from.
#[derive(Debug, Clone)]
pub struct ResolvedClassifier {
    pub classifier: Arc<Classifier>,
    pub recipe: Recipe,
    pub origin: Origin,
}

/// Classifiers of this process, by the keys of their recipes: models with equal text towers share
/// one.
#[derive(Debug, Default)]
pub struct SharedClassifiers {
    by_key: HashMap<String, ResolvedClassifier>,
    /// The text tower that was loaded last, and what names it: several classifiers may be built by
    /// it.
    tower: Option<(String, TextTower)>,
}

impl SharedClassifiers {
    /// Frees the text tower, when no other classifier is built by it.
    pub fn drop_tower(&mut self) {
        self.tower = None;
    }

    /// The text tower that is asked for, loaded unless it is there.
    fn tower(
        &mut self,
        request: &ClassifierRequest<'_>,
        recipe: &Recipe,
        progress: &mut dyn Progress,
    ) -> Result<&TextTower, InferenceError> {
        let compute = request.compute;
        let name = format!(
            "{} {} {}",
            recipe.text_tower,
            compute.precision(),
            compute.device()
        );
        let loaded = match self.tower.take().filter(|(known, _)| *known == name) {
            Some(loaded) => loaded,
            None => {
                progress.start(Work::Waiting("loading the text tower"));
                let tower = loading::text_tower(request.weights, request.config, compute)?;
                (name, tower)
            }
        };
        Ok(&self.tower.insert(loaded).1)
    }
}

/// Where a classifier came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    Built,
    Cache(PathBuf),
    File(PathBuf),
}

/// All prompts of the classes as tokens, class by class.
///
/// # Errors
/// Only if the embedded tokenizer is damaged.
pub fn tokens(
    classes: &ClassNames,
    templates: &Templates,
) -> Result<Vec<Vec<u32>>, InferenceError> {
    let texts: Vec<String> = prompts(classes, templates).collect();
    Ok(Tokenizer::clip()?.encode_batch_to_end(&texts))
}

/// Which classifier is asked for.
#[derive(Debug, Clone, Copy)]
pub struct ClassifierRequest<'a> {
    pub weights: &'a Arc<Weights>,
    /// [`Weights::text_fingerprint`].
    pub fingerprint: &'a str,
    pub config: &'a ModelConfig,
    pub compute: &'a Compute,
    pub classes: &'a ClassNames,
    pub prompts: &'a PromptLists,
}

/// All prompts as tokens, and how they are averaged.
#[derive(Debug, Clone)]
pub struct PromptTokens {
    pub tokens: Vec<Vec<u32>>,
    pub averaging: Averaging,
}

/// The recipe of the classifier, and all prompts as tokens.
///
/// # Errors
/// Only if the embedded tokenizer is damaged.
pub fn recipe(request: &ClassifierRequest<'_>) -> Result<(Recipe, PromptTokens), InferenceError> {
    let prompts = request.prompts.prompts(request.classes);
    let tokens = Tokenizer::clip()?.encode_batch_to_end(&prompts.texts);
    // The number of heads, the kind of GELU and the epsilon are nowhere in the weights, but decide what
    // they mean.
    let transformer = &request.config.text.transformer;
    let mut tower = format!("{}, {} heads", request.fingerprint, transformer.heads);
    if transformer.mlp == Mlp::QuickGelu {
        tower += ", QuickGELU";
    }
    if transformer.eps != TEXT_EPS {
        tower += &format!(", epsilon {}", transformer.eps);
    }
    let names = request.classes.names();
    let recipe = Recipe::new(tower, names, &tokens, request.compute.precision())
        .of_lists(&prompts.counts, &prompts.weights);
    let averaging = Averaging::of_lists(prompts.counts, prompts.weights);
    Ok((recipe, PromptTokens { tokens, averaging }))
}

/// Gets the classifier.
///
/// # Errors
/// When a file was named and cannot be used, or the text tower cannot be loaded.
pub fn resolve(
    request: &ClassifierRequest<'_>,
    source: &ClassifierSource,
    shared: &mut SharedClassifiers,
    progress: &mut dyn Progress,
    warnings: &mut Vec<Warning>,
) -> Result<ResolvedClassifier, InferenceError> {
    let _span = info_span!("get the classifier").entered();
    progress.start(Work::Waiting("preparing the prompts"));
    let (recipe, tokens) = recipe(request)?;
    let key = recipe.key();
    if let (Some(resolved), ClassifierSource::Cache(_) | ClassifierSource::None) =
        (shared.by_key.get(&key), source)
    {
        return Ok(resolved.clone());
    }
    let resolved = find_or_build(request, source, shared, recipe, tokens, progress, warnings)?;
    if !matches!(source, ClassifierSource::File(_)) {
        shared.by_key.insert(key, resolved.clone());
    }
    Ok(resolved)
}

fn find_or_build(
    request: &ClassifierRequest<'_>,
    source: &ClassifierSource,
    shared: &mut SharedClassifiers,
    recipe: Recipe,
    prompts: PromptTokens,
    progress: &mut dyn Progress,
    warnings: &mut Vec<Warning>,
) -> Result<ResolvedClassifier, InferenceError> {
    let found = match source {
        ClassifierSource::File(path) => {
            let (classifier, found) = file::read(path)?;
            found
                .check(&recipe)
                .map_err(|difference| ClassifierFileError::Different {
                    path: path.clone(),
                    difference,
                })?;
            let origin = Origin::File(path.clone());
            return Ok(ResolvedClassifier {
                classifier: classifier.into(),
                recipe: found,
                origin,
            });
        }
        ClassifierSource::Cache(cache) => cache.get(&recipe).unwrap_or_else(|e| {
            let reason = describe(&e);
            tell(progress, warnings, Warning::UnusableCache { reason });
            None
        }),
        ClassifierSource::None => None,
    };
    if let (Some(classifier), ClassifierSource::Cache(cache)) = (found, source) {
        let origin = Origin::Cache(cache.path(&recipe));
        return Ok(ResolvedClassifier {
            classifier: classifier.into(),
            recipe,
            origin,
        });
    }
    let tower = shared.tower(request, &recipe, progress)?;
    let cache = match source {
        ClassifierSource::Cache(cache) => Some(cache),
        _ => None,
    };
    let classifier = build(
        tower,
        &prompts.tokens,
        prompts.averaging,
        cache.map(|c| (c, &recipe)),
        progress,
        warnings,
    )?;
    if let Some(cache) = cache
        && let Err(e) = cache.put(&recipe, &classifier)
    {
        let (path, reason) = (cache.path(&recipe), e.to_string());
        tell(
            progress,
            warnings,
            Warning::CacheNotWritten { path, reason },
        );
    }
    Ok(ResolvedClassifier {
        classifier: classifier.into(),
        recipe,
        origin: Origin::Built,
    })
}

/// Encodes prompts, given as tokens, with a progress bar.
///
/// With a cache, an interrupted build of the same recipe goes on where it was.
///
/// # Errors
/// When the computation fails.
pub fn build(
    tower: &TextTower,
    tokens: &[Vec<u32>],
    averaging: impl Into<Averaging>,
    cache: Option<(&Cache, &Recipe)>,
    progress: &mut dyn Progress,
    warnings: &mut Vec<Warning>,
) -> Result<Classifier, InferenceError> {
    let trie = Trie::new(tokens);
    let partial = cache.and_then(|(cache, recipe)| cache.get_partial(recipe));
    if let Some(partial) = &partial {
        let percent = 100 * partial.nodes() / trie.len().max(1);
        progress.say(&format!(
            "an interrupted build of the classifier goes on at {percent} %"
        ));
    }
    progress.start(Work::Classifier(trie.len()));
    let mut kept = Instant::now();
    let classifier =
        classifier::build(tower, &trie, averaging, partial, &mut |event| match event {
            classifier::Progress::Smaller { nodes } => {
                tell(progress, warnings, Warning::SmallerRuns { nodes });
            }
            classifier::Progress::Done(partial) => {
                progress.advance(partial.nodes());
                if let Some((cache, recipe)) = cache
                    && kept.elapsed() > KEEP_EVERY
                {
                    // If this fails, so will keeping the finished classifier, and that is reported.
                    let _ = cache.put_partial(recipe, partial);
                    kept = Instant::now();
                }
            }
        })?;
    progress.finish();
    Ok(classifier)
}

/// Warns at once, and in the result.
fn tell(progress: &mut dyn Progress, warnings: &mut Vec<Warning>, warning: Warning) {
    progress.warn(&warning);
    warnings.push(warning);
}

/// An error with its cause, as one line.
fn describe(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
