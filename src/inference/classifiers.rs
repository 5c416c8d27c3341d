//! Getting the classifier of a model and classes: from a file, from the cache, or by building it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::info_span;

use crate::app::console::Console;
use crate::app::error::{Error, Warning};
use crate::classifier::cache::Cache;
use crate::classifier::file::{self, ClassifierFileError};
use crate::classifier::recipe::Recipe;
use crate::classifier::{self, Classifier, Progress, Trie};
use crate::inference::loading;
use crate::inference::weights::Weights;
use crate::model::config::Mlp;
use crate::model::{Compute, ModelConfig, TextTower};
use crate::text::{ClassNames, Templates, Tokenizer, prompts};

/// How often the state of a build is kept. Less work than this is not worth going on with.
const KEEP_EVERY: Duration = Duration::from_secs(20);

/// Where to look for a classifier before building it.
#[derive(Debug, Clone)]
pub enum Stock {
    /// This file, and nothing else.
    File(PathBuf),
    /// The cache, in which a new one is kept.
    Cache(Cache),
    /// Nowhere.
    None,
}

/// A classifier and where it came from.
#[derive(Debug, Clone)]
pub struct Obtained {
    pub classifier: Arc<Classifier>,
    pub recipe: Recipe,
    pub origin: Origin,
}

/// Classifiers of this process, by the keys of their recipes: models with equal text towers share
/// one.
#[derive(Debug, Default)]
pub struct Shelf(HashMap<String, Obtained>);

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
pub fn tokens(classes: &ClassNames, templates: &Templates) -> Result<Vec<Vec<u32>>, Error> {
    let texts: Vec<String> = prompts(classes, templates).collect();
    Ok(Tokenizer::clip()?.encode_batch_to_end(&texts))
}

/// Which classifier is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    pub weights: &'a Arc<Weights>,
    /// [`Weights::text_fingerprint`].
    pub fingerprint: &'a str,
    pub config: &'a ModelConfig,
    pub compute: &'a Compute,
    pub classes: &'a ClassNames,
    pub templates: &'a Templates,
}

/// The recipe of the classifier, and all prompts as tokens.
///
/// # Errors
/// Only if the embedded tokenizer is damaged.
pub fn recipe(wanted: &Wanted<'_>) -> Result<(Recipe, Vec<Vec<u32>>), Error> {
    let tokens = tokens(wanted.classes, wanted.templates)?;
    // The number of heads and the kind of GELU are nowhere in the weights, but decide what they mean.
    let transformer = &wanted.config.text.transformer;
    let mut tower = format!("{}, {} heads", wanted.fingerprint, transformer.heads);
    if transformer.mlp == Mlp::QuickGelu {
        tower += ", QuickGELU";
    }
    let names = wanted.classes.names();
    let recipe = Recipe::new(tower, names, &tokens, wanted.compute.precision());
    Ok((recipe, tokens))
}

/// Gets the classifier.
///
/// # Errors
/// When a file was named and cannot be used, or the text tower cannot be loaded.
pub fn obtain(
    wanted: &Wanted<'_>,
    stock: &Stock,
    shelf: &mut Shelf,
    console: &mut Console,
    warnings: &mut Vec<Warning>,
) -> Result<Obtained, Error> {
    let _span = info_span!("get the classifier").entered();
    let (recipe, tokens) = recipe(wanted)?;
    let key = recipe.key();
    if let (Some(obtained), Stock::Cache(_) | Stock::None) = (shelf.0.get(&key), stock) {
        return Ok(obtained.clone());
    }
    let obtained = find_or_build(wanted, stock, recipe, &tokens, console, warnings)?;
    if !matches!(stock, Stock::File(_)) {
        shelf.0.insert(key, obtained.clone());
    }
    Ok(obtained)
}

fn find_or_build(
    wanted: &Wanted<'_>,
    stock: &Stock,
    recipe: Recipe,
    tokens: &[Vec<u32>],
    console: &mut Console,
    warnings: &mut Vec<Warning>,
) -> Result<Obtained, Error> {
    let found = match stock {
        Stock::File(path) => {
            let (classifier, found) = file::read(path)?;
            found
                .check(&recipe)
                .map_err(|difference| ClassifierFileError::Different {
                    path: path.clone(),
                    difference,
                })?;
            let origin = Origin::File(path.clone());
            return Ok(Obtained {
                classifier: classifier.into(),
                recipe: found,
                origin,
            });
        }
        Stock::Cache(cache) => cache.get(&recipe).unwrap_or_else(|e| {
            let reason = describe(&e);
            tell(console, warnings, Warning::UnusableCache { reason });
            None
        }),
        Stock::None => None,
    };
    if let (Some(classifier), Stock::Cache(cache)) = (found, stock) {
        let origin = Origin::Cache(cache.path(&recipe));
        return Ok(Obtained {
            classifier: classifier.into(),
            recipe,
            origin,
        });
    }
    console.wait_for("loading the text tower");
    let tower = loading::text_tower(wanted.weights, wanted.config, wanted.compute)?;
    let cache = match stock {
        Stock::Cache(cache) => Some(cache),
        _ => None,
    };
    let classifier = build(
        &tower,
        tokens,
        wanted.classes.len(),
        cache.map(|c| (c, &recipe)),
        console,
        warnings,
    )?;
    if let Some(cache) = cache
        && let Err(e) = cache.put(&recipe, &classifier)
    {
        let (path, reason) = (cache.path(&recipe), e.to_string());
        tell(console, warnings, Warning::CacheNotWritten { path, reason });
    }
    Ok(Obtained {
        classifier: classifier.into(),
        recipe,
        origin: Origin::Built,
    })
}

/// Encodes prompts, tokens of `classes` classes, with a progress bar.
///
/// With a cache, an interrupted build of the same recipe goes on where it was.
///
/// # Errors
/// When the computation fails.
pub fn build(
    tower: &TextTower,
    tokens: &[Vec<u32>],
    classes: usize,
    cache: Option<(&Cache, &Recipe)>,
    console: &mut Console,
    warnings: &mut Vec<Warning>,
) -> Result<Classifier, Error> {
    let trie = Trie::new(tokens);
    let partial = cache.and_then(|(cache, recipe)| cache.get_partial(recipe));
    if let Some(partial) = &partial {
        let percent = 100 * partial.nodes() / trie.len().max(1);
        console.say(&format!(
            "an interrupted build of the classifier goes on at {percent} %"
        ));
    }
    console.start_classifier(trie.len());
    let mut kept = Instant::now();
    let classifier =
        classifier::build(
            tower,
            &trie,
            classes,
            partial,
            &mut |progress| match progress {
                Progress::Smaller { nodes } => {
                    tell(console, warnings, Warning::SmallerRuns { nodes });
                }
                Progress::Done(partial) => {
                    console.classifier_done(partial.nodes());
                    if let Some((cache, recipe)) = cache
                        && kept.elapsed() > KEEP_EVERY
                    {
                        // If this fails, so will keeping the finished classifier, and that is reported.
                        let _ = cache.put_partial(recipe, partial);
                        kept = Instant::now();
                    }
                }
            },
        )?;
    console.clear();
    Ok(classifier)
}

/// Warns at once, and in the result.
fn tell(console: &Console, warnings: &mut Vec<Warning>, warning: Warning) {
    console.warn(&warning);
    warnings.push(warning);
}

/// An error with its cause, as one line.
fn describe(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
