//! From a checkpoint file to the towers of a configuration.

use std::path::Path;
use std::sync::Arc;

use candle_core::{DType, Device};
use tracing::info_span;

use crate::checkpoint::hub::{self, HubError, HubFile, HubRepository};
use crate::checkpoint::{Checkpoint, CheckpointError, Mismatch, load_with, within};
use crate::inference::identity;
use crate::inference::published::PublishedModel;
use crate::inference::weights::{Weights, fit};
use crate::inference::{InferenceError, Progress, Work};
use crate::model::rope::RopeTables;
use crate::model::{Compute, ModelConfig, TextTower, VisionTower};
use crate::util::warning::Warning;

/// Where a checkpoint is, and which of its weights are meant.
#[derive(Debug, Clone, Copy)]
pub struct Location<'a> {
    /// A path, an address `hf://…`, or the name of a published model.
    pub path: &'a Path,
    /// Their key in the file, if it is said.
    pub weights: Option<&'a str>,
}

impl<'a, P: AsRef<Path> + ?Sized> From<&'a P> for Location<'a> {
    fn from(path: &'a P) -> Self {
        Self {
            path: path.as_ref(),
            weights: None,
        }
    }
}

/// The file of the hub that a checkpoint's address `hf://…` means, or the name of a published model;
/// `None` for a path.
///
/// # Errors
/// When the address names no file, and the repository's cannot be listed or have none of the usual names.
pub fn hub_file(path: &Path) -> Result<Option<HubFile>, HubError> {
    if let Some(repository) = HubRepository::parse(path) {
        return repository.weights().map(Some);
    }
    match (HubFile::parse(path)?, PublishedModel::parse(path)) {
        (Some(file), _) => Ok(Some(file)),
        (None, Some(model)) => model.find().map(Some),
        (None, None) => Ok(None),
    }
}

/// Refuses what is no address of the hub and no file, and asks nobody else.
///
/// # Errors
/// When it is so.
pub fn check(path: &Path) -> Result<(), CheckpointError> {
    let elsewhere = HubRepository::parse(path).is_some()
        || HubFile::parse(path)?.is_some()
        || PublishedModel::parse(path).is_some();
    if elsewhere {
        return Ok(());
    }
    Checkpoint::check(path)
}

/// Whether the checkpoint is on a disk already.
pub fn is_local(path: &Path) -> bool {
    within(path).is_file()
}

/// Opens a checkpoint; one at an address `hf://…`, or that of a published model that is only named, is
/// downloaded first if it is not in the cache.
///
/// # Errors
/// When it cannot be downloaded or opened.
pub fn open<'a>(
    location: impl Into<Location<'a>>,
    progress: &mut dyn Progress,
) -> Result<Checkpoint, CheckpointError> {
    let Location { path, weights } = location.into();
    let Some(file) = hub_file(path)? else {
        return Checkpoint::open_weights(path, weights);
    };
    let mut before = None;
    let downloaded = file.fetch_all(&mut |done, total| {
        // Each file has a bar of its own.
        if before.is_none_or(|before| done < before) {
            progress.start(Work::Download(total));
        }
        before = Some(done);
        progress.advance(done);
    });
    progress.finish();
    if let Some(warning) = hub::warning() {
        progress.warn(&warning);
    }
    Checkpoint::open_weights(&downloaded?, weights)
}

/// Opens a checkpoint and compares its keys with the configuration's, before any weight is read.
///
/// # Errors
/// When it cannot be opened or does not fit, with every difference.
pub fn open_for<'a>(
    location: impl Into<Location<'a>>,
    config: &ModelConfig,
    progress: &mut dyn Progress,
) -> Result<Arc<Weights>, CheckpointError> {
    let location = location.into();
    let path = location.path;
    let _span = info_span!("open the checkpoint", path = %path.display()).entered();
    let checkpoint = open(location, progress)?;
    match fit(&checkpoint, config) {
        Ok(layout) => Ok(Arc::new(Weights { checkpoint, layout })),
        Err(mismatch) => Err(CheckpointError::Mismatch {
            path: path.into(),
            model: config.name.clone(),
            advice: advice(&checkpoint, &mismatch, config),
            mismatch,
        }),
    }
}

/// What is worth a warning about the weights of a checkpoint, where nobody said which are meant.
pub fn remark(checkpoint: &Checkpoint, location: Location<'_>) -> Option<Warning> {
    let (None, Some(taken)) = (location.weights, checkpoint.nested_under()) else {
        return None;
    };
    let others = checkpoint.others();
    (!others.is_empty()).then(|| Warning::OtherWeights {
        taken: taken.into(),
        others: others.to_vec(),
    })
}

/// What a checkpoint that does not fit may be.
fn advice(checkpoint: &Checkpoint, mismatch: &Mismatch, config: &ModelConfig) -> Option<String> {
    match identity::looks_like(checkpoint) {
        Some(found) if found.name != config.name => {
            let name = found.name;
            Some(format!(
                "the checkpoint looks like {name}: try --model {name}; uta-eval inspect lists its keys"
            ))
        }
        _ if mismatch.is_total() && mismatch.extra_prefix().is_none() => {
            Some("no key fits: is it a UTA checkpoint with keys visual.* and text.*? uta-eval inspect lists its keys".into())
        }
        _ => None,
    }
}

/// Builds the vision tower, with UTA's rotary tables as the checkpoint has them.
///
/// # Errors
/// When the device cannot take the model, or a weight cannot be read or is not finite.
pub fn vision_tower(
    weights: &Arc<Weights>,
    config: &ModelConfig,
    compute: &Compute,
    warn: &mut dyn FnMut(Warning),
) -> Result<VisionTower, InferenceError> {
    let _span = info_span!("load the vision tower").entered();
    fits(config, compute)?;
    let tables = if config.vision.rope {
        Some(rope_tables(weights, config, &compute.device, warn)?)
    } else {
        None
    };
    load_with(weights, &compute.device, |vb| {
        VisionTower::new(
            &config.vision,
            config.embedding,
            tables.as_ref(),
            compute,
            vb.pp("visual"),
        )
    })
}

/// Builds the vision tower for each replica.
///
/// # Errors
/// As [`vision_tower`].
pub fn vision_towers<'a>(
    weights: &Arc<Weights>,
    config: &ModelConfig,
    replicas: impl Iterator<Item = &'a Compute>,
    warn: &mut dyn FnMut(Warning),
) -> Result<Vec<VisionTower>, InferenceError> {
    let mut told = false;
    replicas
        .map(|compute| {
            // What is odd about the checkpoint is told once.
            let mut ignore = |_| ();
            let warn: &mut dyn FnMut(Warning) = if told { &mut ignore } else { warn };
            told = true;
            vision_tower(weights, config, compute, warn)
        })
        .collect()
}

/// Builds the text tower.
///
/// # Errors
/// When the device cannot take the model, or a weight cannot be read or is not finite.
pub fn text_tower(
    weights: &Arc<Weights>,
    config: &ModelConfig,
    compute: &Compute,
) -> Result<TextTower, InferenceError> {
    let _span = info_span!("load the text tower").entered();
    fits(config, compute)?;
    load_with(weights, &compute.device, |vb| {
        TextTower::new(&config.text, config.embedding, compute, vb.pp("text"))
    })
}

/// Whether the device's kernels can take a model of such dimensions.
fn fits(config: &ModelConfig, compute: &Compute) -> Result<(), InferenceError> {
    compute
        .backend
        .check(config)
        .map_err(|reason| InferenceError::TooLarge {
            model: config.name.clone(),
            reason,
        })
}

/// The rotary tables as the reference's loading leaves them: one pair shared by all blocks, in
/// which each stored copy overwrites the one before, over computed ones.
fn rope_tables(
    weights: &Weights,
    config: &ModelConfig,
    device: &Device,
    warn: &mut dyn FnMut(Warning),
) -> Result<RopeTables, InferenceError> {
    let vision = &config.vision;
    let mut tables = RopeTables::compute(vision.grid(), vision.transformer.head_dim(), device)?;
    // EVA-02-CLIP's own code computes them whatever a file holds, as the numbers of its small golden model
    // show. Only UTA, which lacks the LayerNorm in attention, takes those of the file.
    if vision.transformer.attention_norm {
        return Ok(tables);
    }
    for (part, table) in [("cos", &mut tables.cos), ("sin", &mut tables.sin)] {
        let checkpoint = &weights.checkpoint;
        let stored = weights
            .layout
            .rope_keys(vision.transformer.depth, part)
            .filter(|key| checkpoint.get(key).is_some())
            .map(|key| checkpoint.tensor(&key, DType::F32, device))
            .collect::<Result<Vec<_>, _>>()?;
        let Some(last) = stored.last() else { continue };
        let values = last.flatten_all()?.to_vec1::<f32>()?;
        for other in &stored {
            if other.flatten_all()?.to_vec1::<f32>()? != values {
                warn(Warning::RopeTablesDiffer { part });
                break;
            }
        }
        // Some files have the rows and columns of the grid as two axes.
        *table = last.reshape(((), vision.transformer.head_dim()))?;
    }
    Ok(tables)
}
