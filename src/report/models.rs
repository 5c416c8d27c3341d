//! The models that the program knows by name, as a list to read and as data.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use crate::model::ModelConfig;
use crate::model::published::Pretrained;
use crate::model::size::{operations_per_picture, parameters};

/// Version of the list's JSON form.
pub const MODELS_VERSION: u32 = 1;

/// Models that are known by name.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Models {
    pub schema_version: u32,
    pub models: Vec<Model>,
}

/// A model and the checkpoints that are published for it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Model {
    /// As `--model` takes it.
    pub name: String,
    /// The name that its authors publish it under, if that is another one.
    pub published_name: Option<String>,
    /// Side of the input, in pixels.
    pub image_size: usize,
    /// Side of a patch, in pixels.
    pub patch_size: usize,
    /// Weights of the vision tower.
    pub vision_parameters: usize,
    /// Weights of the text tower.
    pub text_parameters: usize,
    /// Floating-point operations of the vision tower for one picture, in thousands of millions.
    pub gflop_per_picture: f64,
    pub checkpoints: Vec<Checkpoint>,
}

/// A published checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Checkpoint {
    /// As `--pretrained` takes it; `null` for UTA's.
    pub tag: Option<String>,
    /// As `--ckpt-path` takes it.
    pub address: String,
    pub published_top1_percent: Accuracies,
}

/// Published zero-shot top-1 accuracies, in percent. UTA's are from its paper (arXiv 2405.19009), all
/// others from open_clip's table of results, measured by CLIP_benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Accuracies {
    pub imagenet: Option<f64>,
    pub imagenet_v2: Option<f64>,
    pub imagenet_a: Option<f64>,
    pub imagenet_r: Option<f64>,
    pub imagenet_sketch: Option<f64>,
    pub objectnet: Option<f64>,
}

impl Models {
    /// The models whose name, or a checkpoint of which, contains `filter` in any case. Of a model whose
    /// name does not, only such checkpoints are listed.
    pub fn matching(filter: &str) -> Self {
        let filter = filter.to_lowercase();
        let fits = |text: &str| text.to_lowercase().contains(&filter);
        let models = ModelConfig::built_in().iter().filter_map(|config| {
            let mut model = Model::of(config);
            let published = model.published_name.as_deref();
            if !fits(&model.name) && !published.is_some_and(fits) {
                let by_name =
                    |c: &Checkpoint| c.tag.as_deref().is_some_and(fits) || fits(&c.address);
                model.checkpoints.retain(by_name);
                if model.checkpoints.is_empty() {
                    return None;
                }
            }
            Some(model)
        });
        Self {
            schema_version: MODELS_VERSION,
            models: models.collect(),
        }
    }
}

impl Model {
    fn of(config: &ModelConfig) -> Self {
        let size = parameters(config);
        let known = Pretrained::all().iter();
        let known = known.filter(|known| known.model == config.name);
        let mut checkpoints: Vec<Checkpoint> = known.map(Checkpoint::of).collect();
        if let Some(published) = config.published {
            checkpoints.push(Checkpoint {
                tag: None,
                address: published.name.into(),
                published_top1_percent: Accuracies {
                    imagenet: Some(published.top1_percent),
                    ..Accuracies::of([None; 6])
                },
            });
        }
        Self {
            name: config.name.clone(),
            published_name: config.published.map(|published| published.name.into()),
            image_size: config.vision.image,
            patch_size: config.vision.patch,
            vision_parameters: size.vision,
            text_parameters: size.text,
            // A digit more would be noise.
            gflop_per_picture: (operations_per_picture(config) / 1e8).round() / 10.0,
            checkpoints,
        }
    }
}

impl Checkpoint {
    fn of(known: &Pretrained) -> Self {
        Self {
            tag: Some(known.tag.into()),
            address: format!("hf://{}", known.repository),
            published_top1_percent: Accuracies::of(known.top1_percent),
        }
    }
}

impl Accuracies {
    /// In the order of the table.
    fn of(percent: [Option<f64>; 6]) -> Self {
        let [
            imagenet,
            imagenet_v2,
            imagenet_a,
            imagenet_r,
            imagenet_sketch,
            objectnet,
        ] = percent;
        Self {
            imagenet,
            imagenet_v2,
            imagenet_a,
            imagenet_r,
            imagenet_sketch,
            objectnet,
        }
    }
}

impl fmt::Display for Models {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.models.is_empty() {
            return writeln!(f, "no model and no checkpoint has that in its name");
        }
        let head = ["ImageNet", "V2", "A", "R", "Sketch", "ObjectNet"];
        for (place, model) in self.models.iter().enumerate() {
            if place > 0 {
                writeln!(f)?;
            }
            let millions = |weights: usize| weights as f64 / 1e6;
            write!(f, "{}", model.name)?;
            if let Some(name) = &model.published_name {
                write!(f, " ({name})")?;
            }
            writeln!(
                f,
                ": {} pixels, patches of {}, {:.1} M + {:.1} M weights, {:.1} GFLOP a picture",
                model.image_size,
                model.patch_size,
                millions(model.vision_parameters),
                millions(model.text_parameters),
                model.gflop_per_picture
            )?;
            let label = |checkpoint: &Checkpoint| match &checkpoint.tag {
                Some(tag) => tag.clone(),
                None => checkpoint.address.clone(),
            };
            let labels: Vec<String> = model.checkpoints.iter().map(label).collect();
            let Some(width) = labels.iter().map(String::len).max() else {
                continue;
            };
            write!(f, "  {:width$}", "")?;
            for name in head {
                write!(f, " {name:>9}")?;
            }
            writeln!(f)?;
            for (label, checkpoint) in labels.iter().zip(&model.checkpoints) {
                write!(f, "  {label:width$}")?;
                let accuracies = checkpoint.published_top1_percent;
                for percent in [
                    accuracies.imagenet,
                    accuracies.imagenet_v2,
                    accuracies.imagenet_a,
                    accuracies.imagenet_r,
                    accuracies.imagenet_sketch,
                    accuracies.objectnet,
                ] {
                    match percent {
                        Some(percent) => write!(f, " {percent:>9.2}")?,
                        None => write!(f, " {:>9}", "")?,
                    }
                }
                match checkpoint.tag {
                    Some(_) => writeln!(f, "  {}", checkpoint.address)?,
                    None => writeln!(f)?,
                }
            }
        }
        Ok(())
    }
}
