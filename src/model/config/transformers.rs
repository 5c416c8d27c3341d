//! transformers' description of a `CLIPModel` (`config.json`), and of its preprocessing
//! (`preprocessor_config.json`).
//!
//! Sources: transformers 4.57, `configuration_clip.py` and `image_processing_clip.py`, whose defaults
//! these are.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::fields::Fields;
use super::transformer::Mlp;
use super::{ModelConfig, TextConfig, VisionConfig};
use crate::picture::preprocessing::{Interpolation, Preprocessing, ResizeMode};

/// An activation by transformers' name.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Activation {
    Gelu,
    QuickGelu,
}

impl Activation {
    fn mlp(self) -> Mlp {
        match self {
            Self::Gelu => Mlp::Gelu,
            Self::QuickGelu => Mlp::QuickGelu,
        }
    }
}

/// Reads a `config.json`.
///
/// # Errors
/// When it describes another model than CLIP, or a field has a value that no model here has.
pub(super) fn read(name: &str, value: Value) -> Result<ModelConfig, String> {
    let mut fields = Fields::new("", value)?;
    fields.only("model_type", &[json!("clip")])?;
    let embedding = fields.or("projection_dim", 512)?;
    let vision = vision(tower(&mut fields, "vision_config")?)?;
    let text = text(tower(&mut fields, "text_config")?)?;
    // The many other fields are about training, generation and versions.
    Ok(ModelConfig {
        name: name.into(),
        published: None,
        preprocessing: Preprocessing::clip(vision.image),
        vision,
        text,
        embedding,
    })
}

/// A tower's fields; those of an old `vision_config_dict` or `text_config_dict` count more, as they do
/// for transformers.
fn tower(fields: &mut Fields, name: &str) -> Result<Fields, String> {
    let old = format!("{name}_dict");
    let empty = Value::Object(Map::new());
    let value: Value = match fields.optional(&old)? {
        Some(value) => value,
        None => fields.or(name, empty)?,
    };
    Fields::new(name, value)
}

fn vision(mut fields: Fields) -> Result<VisionConfig, String> {
    fields.only("num_channels", &[json!(3)])?;
    let sizes = [
        fields.or("hidden_size", 768)?,
        fields.or("num_hidden_layers", 12)?,
        fields.or("num_attention_heads", 12)?,
        fields.or("intermediate_size", 3072)?,
    ];
    let (image, patch) = (fields.or("image_size", 224)?, fields.or("patch_size", 32)?);
    let activation = fields.or("hidden_act", Activation::QuickGelu)?;
    let mut vision = VisionConfig::clip(image, patch, sizes, activation.mlp());
    vision.transformer.eps = fields.or("layer_norm_eps", vision.transformer.eps)?;
    Ok(vision)
}

fn text(mut fields: Fields) -> Result<TextConfig, String> {
    let sizes = [
        fields.or("hidden_size", 512)?,
        fields.or("num_hidden_layers", 12)?,
        fields.or("num_attention_heads", 8)?,
        fields.or("intermediate_size", 2048)?,
    ];
    let activation = fields.or("hidden_act", Activation::QuickGelu)?;
    let mut text = TextConfig::clip(sizes, activation.mlp());
    text.vocabulary = fields.or("vocab_size", text.vocabulary)?;
    text.context = fields.or("max_position_embeddings", text.context)?;
    text.transformer.eps = fields.or("layer_norm_eps", text.transformer.eps)?;
    Ok(text)
}

/// A size in a `preprocessor_config.json`.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(untagged)]
enum Size {
    One(usize),
    Shortest { shortest_edge: usize },
    Both { height: usize, width: usize },
}

/// Reads a `preprocessor_config.json` for a model whose input is `image` pixels wide and high.
///
/// # Errors
/// When it prepares pictures in a way that is not implemented, or for another size.
pub(super) fn preprocessing(value: Value, image: usize) -> Result<Preprocessing, String> {
    let default = Preprocessing::clip(image);
    let mut fields = Fields::new("", value)?;
    for step in ["do_resize", "do_center_crop", "do_rescale", "do_normalize"] {
        fields.only(step, &[json!(true)])?;
    }
    let rescale: f64 = fields.or("rescale_factor", 1.0 / 255.0)?;
    if (rescale * 255.0 - 1.0).abs() > 1e-6 {
        return Err(format!("`rescale_factor` is {rescale}, not 1/255"));
    }
    let resize = match fields.or("size", Size::One(image))? {
        Size::One(side)
        | Size::Shortest {
            shortest_edge: side,
        } if side == image => ResizeMode::Shortest,
        Size::Both { height, width } if (height, width) == (image, image) => ResizeMode::Squash,
        size => return Err(other_size("size", size, image)),
    };
    match fields.or("crop_size", Size::One(image))? {
        Size::One(side) if side == image => {}
        Size::Both { height, width } if (height, width) == (image, image) => {}
        size => return Err(other_size("crop_size", size, image)),
    }
    Ok(Preprocessing {
        size: image,
        mean: fields.or("image_mean", default.mean)?,
        std: fields.or("image_std", default.std)?,
        // Pillow's numbers.
        interpolation: match fields.or("resample", 3)? {
            2 => Interpolation::Bilinear,
            3 => Interpolation::Bicubic,
            other => {
                return Err(format!(
                    "`resample` is {other}, not 2 (bilinear) or 3 (bicubic)"
                ));
            }
        },
        resize,
    })
}

fn other_size(field: &str, size: Size, image: usize) -> String {
    format!("`{field}` is {size:?}, but the model's pictures have {image} x {image} pixels")
}
