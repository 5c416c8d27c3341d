//! From a checkpoint file to the towers of a configuration.

use std::path::Path;
use std::sync::Arc;

use candle_core::{DType, Device};
use tracing::info_span;

use crate::app::console::Console;
use crate::app::error::{Error, Warning};
use crate::checkpoint::hub::{HubFile, PublishedModel};
use crate::checkpoint::{Checkpoint, CheckpointError, Mismatch, load_with};
use crate::inference::identity;
use crate::inference::weights::{Weights, fit};
use crate::model::rope::RopeTables;
use crate::model::{Compute, ModelConfig, TextTower, VisionTower};

/// Opens a checkpoint; one at an address `hf://…`, or that of a published model that is only named, is
/// downloaded first if it is not in the cache.
///
/// # Errors
/// When it cannot be downloaded or opened.
pub fn open(path: &Path) -> Result<Checkpoint, CheckpointError> {
    let file = match (HubFile::parse(path)?, PublishedModel::parse(path)) {
        (Some(file), _) => file,
        (None, Some(model)) => model.find()?,
        (None, None) => return Checkpoint::open(path),
    };
    let mut console = Console::default();
    let mut started = false;
    let downloaded = file.fetch(&mut |done, total| {
        if !started {
            console.start_download(total);
            started = true;
        }
        console.downloaded(done);
    });
    console.clear();
    Checkpoint::open(&downloaded?)
}

/// Opens a checkpoint and compares its keys with the configuration's, before any weight is read.
///
/// # Errors
/// When it cannot be opened or does not fit, with every difference.
pub fn open_for(path: &Path, config: &ModelConfig) -> Result<Arc<Weights>, CheckpointError> {
    let _span = info_span!("open the checkpoint", path = %path.display()).entered();
    let checkpoint = open(path)?;
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

/// What a checkpoint that does not fit may be.
fn advice(checkpoint: &Checkpoint, mismatch: &Mismatch, config: &ModelConfig) -> Option<String> {
    match identity::looks_like(checkpoint) {
        Some(found) if found.name != config.name => {
            let name = found.name;
            Some(format!(
                "the checkpoint looks like {name}: try --model {name}"
            ))
        }
        _ if mismatch.is_total() && mismatch.extra_prefix().is_none() => {
            Some("no key fits: is it a UTA checkpoint with keys visual.* and text.*?".into())
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
) -> Result<VisionTower, Error> {
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

/// Builds the vision tower for each lane.
///
/// # Errors
/// As [`vision_tower`].
pub fn vision_towers<'a>(
    weights: &Arc<Weights>,
    config: &ModelConfig,
    lanes: impl Iterator<Item = &'a Compute>,
    warn: &mut dyn FnMut(Warning),
) -> Result<Vec<VisionTower>, Error> {
    let mut told = false;
    lanes
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
) -> Result<TextTower, Error> {
    let _span = info_span!("load the text tower").entered();
    fits(config, compute)?;
    load_with(weights, &compute.device, |vb| {
        TextTower::new(&config.text, config.embedding, compute, vb.pp("text"))
    })
}

/// Whether the device's kernels can take a model of such dimensions.
fn fits(config: &ModelConfig, compute: &Compute) -> Result<(), Error> {
    compute
        .backend
        .check(config)
        .map_err(|reason| Error::TooLarge {
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
) -> Result<RopeTables, Error> {
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
