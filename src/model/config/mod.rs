//! Model configurations: every dimension of the architecture as plain, validated data.
//!
//! A configuration is either built in (the three published models and the demo) or read from a JSON
//! file, so that another size of the same architecture needs no recompilation.

mod facts;
mod transformer;

use serde::Deserialize;

pub use transformer::{Mlp, NormPlacement, QkvBias, TransformerConfig};

use crate::picture::preprocessing::{Interpolation, Preprocessing};

/// Tokens a prompt may have: CLIP's context length, start and end of text included.
pub const CONTEXT: usize = 77;
/// Size of CLIP's byte-pair vocabulary, its two special tokens included.
pub const VOCABULARY: usize = 49408;

/// Name of the demo's configuration.
pub const DEMO: &str = "uta_demo";

/// LayerNorm epsilon of the vision tower (EVA-02's `partial(LayerNorm, eps=1e-6)`).
pub const VISION_EPS: f64 = 1e-6;
/// LayerNorm epsilon of the text tower (PyTorch's default, which OpenCLIP keeps).
pub const TEXT_EPS: f64 = 1e-5;

/// OpenAI CLIP's channel means, which all UTA models use.
const CLIP_MEAN: [f32; 3] = [0.48145466, 0.4578275, 0.40821073];
/// OpenAI CLIP's channel standard deviations, with the digits of the source.
#[allow(clippy::excessive_precision)]
const CLIP_STD: [f32; 3] = [0.26862954, 0.26130258, 0.27577711];

/// One size of the UTA architecture and the preprocessing that belongs to it.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelConfig {
    /// The reference's name, e.g. `eva_base_p16`.
    pub name: String,
    /// What the paper publishes about it, if it is one of the paper's models.
    pub published: Option<Published>,
    pub vision: VisionConfig,
    pub text: TextConfig,
    /// Dimensions of the space that pictures and texts share.
    pub embedding: usize,
    pub preprocessing: Preprocessing,
}

/// Facts published with a model (arXiv 2405.19009, table 1).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Published {
    pub name: &'static str,
    /// How names of files may tell its size, in lower case.
    pub size_words: [&'static str; 2],
    /// ImageNet-1K zero-shot top-1 accuracy, in percent.
    pub top1_percent: f64,
}

/// The vision tower: a transformer over the patches of a picture and a class token, whose last state
/// is normalised and projected. The input is `image` x `image` pixels.
#[derive(Debug, Clone, PartialEq)]
pub struct VisionConfig {
    /// Side of the picture, in pixels.
    pub image: usize,
    /// Side of a patch, in pixels.
    pub patch: usize,
    /// Whether the patch embedding has a bias.
    pub patch_bias: bool,
    /// Whether a LayerNorm stands in front of the blocks (CLIP's `ln_pre`).
    pub pre_norm: bool,
    /// Whether queries and keys of patches are rotated by their place (EVA-02's rotary embedding, whose
    /// tables were made for a grid of 16 x 16).
    pub rope: bool,
    /// Whether the projection has a bias.
    pub projection_bias: bool,
    pub transformer: TransformerConfig,
}

impl VisionConfig {
    /// Patches along one side of the picture.
    pub fn grid(&self) -> usize {
        self.image / self.patch
    }

    /// Tokens of one picture: the class token and the patches.
    pub fn tokens(&self) -> usize {
        1 + self.grid() * self.grid()
    }

    /// The vision tower of UTA and of EVA-02-CLIP in sizes B and L, but for `attention_norm`, which only
    /// EVA-02-CLIP has.
    fn eva02(image: usize, patch: usize, [width, depth, heads, mlp_hidden]: [usize; 4]) -> Self {
        Self {
            image,
            patch,
            patch_bias: true,
            pre_norm: false,
            rope: true,
            projection_bias: true,
            transformer: TransformerConfig {
                width,
                depth,
                heads,
                mlp_hidden,
                eps: VISION_EPS,
                norm: NormPlacement::Before,
                qkv_bias: QkvBias::QueryValue,
                attention_norm: false,
                mlp: Mlp::SwiGlu,
            },
        }
    }
}

/// The text tower: a causal transformer over tokens, whose state at the end of the text is normalised
/// and projected, without a bias.
#[derive(Debug, Clone, PartialEq)]
pub struct TextConfig {
    /// Tokens that a text may have.
    pub context: usize,
    /// Size of the vocabulary.
    pub vocabulary: usize,
    pub transformer: TransformerConfig,
}

impl TextConfig {
    /// CLIP's text tower.
    fn clip([width, depth, heads, mlp_hidden]: [usize; 4], mlp: Mlp) -> Self {
        Self {
            context: CONTEXT,
            vocabulary: VOCABULARY,
            transformer: TransformerConfig {
                width,
                depth,
                heads,
                mlp_hidden,
                eps: TEXT_EPS,
                norm: NormPlacement::Before,
                qkv_bias: QkvBias::All,
                attention_norm: false,
                mlp,
            },
        }
    }
}

/// Why a `--model` value does not describe a configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("unknown model \"{name}\"")]
    Unknown { name: String },
    #[error("the model description {path} cannot be read")]
    Unreadable {
        path: String,
        source: std::io::Error,
    },
    #[error("the model description {path} is not valid")]
    Syntax {
        path: String,
        source: serde_json::Error,
    },
    #[error("the model description {path} is not valid: {reason}")]
    Invalid { path: String, reason: String },
}

impl ConfigError {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        let known: Vec<_> = ModelConfig::built_in()
            .into_iter()
            .map(|v| v.name)
            .collect();
        match self {
            Self::Unknown { .. } => Some(format!(
                "known models are {}, their published names, or a JSON file that describes a configuration (see the README)",
                known.join(", ")
            )),
            Self::Unreadable { .. } => Some(format!(
                "give a built-in name ({}) or an existing JSON file",
                known.join(", ")
            )),
            Self::Syntax { .. } | Self::Invalid { .. } => {
                Some("the README's section \"Other sizes\" shows a complete description".into())
            }
        }
    }
}

impl ModelConfig {
    /// The configurations the program knows by name, smallest first.
    ///
    /// Dimensions are those of the reference's model factory (repository `jihaonew/UTA`).
    pub fn built_in() -> Vec<Self> {
        let text = TextConfig::clip([1024, 24, 16, 4096], Mlp::Gelu);
        let demo_text = TextConfig::clip([32, 2, 2, 128], Mlp::Gelu);
        let config =
            |name: &str, published, vision: VisionConfig, text: &TextConfig, embedding| Self {
                name: name.into(),
                published,
                preprocessing: clip_preprocessing(vision.image),
                vision,
                text: text.clone(),
                embedding,
            };
        let published = |name, size_words, top1_percent| {
            Some(Published {
                name,
                size_words,
                top1_percent,
            })
        };
        let vision = VisionConfig::eva02;
        vec![
            config(DEMO, None, vision(64, 8, [96, 4, 4, 256]), &demo_text, 64),
            config(
                "eva_base_p16",
                published("UTA-B", ["b", "base"], 77.0),
                vision(224, 16, [768, 12, 12, 2048]),
                &text,
                1024,
            ),
            config(
                "eva_large_p14_336",
                published("UTA-L-pix336", ["l", "large"], 81.4),
                vision(336, 14, [1024, 24, 16, 2730]),
                &text,
                1024,
            ),
            config(
                "eva_giant_p14_336",
                published("UTA-g-pix336", ["g", "giant"], 83.9),
                vision(336, 14, [1408, 40, 16, 4096]),
                &text,
                1024,
            ),
        ]
    }

    /// The built-in configuration of that name, the reference's or the published one, in any case.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::built_in().into_iter().find(|config| {
            config.name.eq_ignore_ascii_case(name)
                || config
                    .published
                    .is_some_and(|p| p.name.eq_ignore_ascii_case(name))
        })
    }

    /// Reads `--model`: a built-in name or the path of a JSON description.
    ///
    /// # Errors
    /// When the name is unknown, or the file cannot be read or describes no possible model.
    pub fn from_name_or_file(value: &str) -> Result<Self, ConfigError> {
        if let Some(config) = Self::by_name(value) {
            return Ok(config);
        }
        let path = std::path::Path::new(value);
        let names_a_file = path
            .extension()
            .is_some_and(|e| e.eq_ignore_ascii_case("json"));
        if !names_a_file && !path.is_file() {
            return Err(ConfigError::Unknown { name: value.into() });
        }
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable {
            path: value.into(),
            source,
        })?;
        Self::from_json(&text, value)
    }

    /// Parses a JSON description; `path` only names it in errors.
    ///
    /// # Errors
    /// When the JSON is malformed, has unknown or missing fields, or dimensions that do not fit.
    pub fn from_json(text: &str, path: &str) -> Result<Self, ConfigError> {
        let description: Description =
            serde_json::from_str(text).map_err(|source| ConfigError::Syntax {
                path: path.into(),
                source,
            })?;
        description
            .into_config()
            .map_err(|reason| ConfigError::Invalid {
                path: path.into(),
                reason,
            })
    }

    /// The published name when there is one, otherwise the reference's.
    pub fn display_name(&self) -> String {
        match self.published {
            Some(published) => format!("{} ({})", self.name, published.name),
            None => self.name.clone(),
        }
    }
}

fn clip_preprocessing(size: usize) -> Preprocessing {
    Preprocessing {
        size,
        mean: CLIP_MEAN,
        std: CLIP_STD,
        interpolation: Interpolation::Bicubic,
    }
}

/// The JSON form of a configuration. Absent fields take CLIP's values.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    name: String,
    image_size: usize,
    patch_size: usize,
    width: usize,
    depth: usize,
    heads: usize,
    mlp_hidden: usize,
    embedding: usize,
    #[serde(default = "clip_mean")]
    mean: [f32; 3],
    #[serde(default = "clip_std")]
    std: [f32; 3],
    #[serde(default)]
    interpolation: Interpolation,
    text: TextDescription,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TextDescription {
    width: usize,
    depth: usize,
    heads: usize,
    /// Four times the width when absent, as in CLIP.
    mlp_hidden: Option<usize>,
    #[serde(default = "context")]
    context: usize,
    #[serde(default = "vocabulary")]
    vocabulary: usize,
}

fn clip_mean() -> [f32; 3] {
    CLIP_MEAN
}
fn clip_std() -> [f32; 3] {
    CLIP_STD
}
fn context() -> usize {
    CONTEXT
}
fn vocabulary() -> usize {
    VOCABULARY
}

impl Description {
    fn into_config(self) -> Result<ModelConfig, String> {
        // Upper bounds keep every later product of dimensions far from overflow, and a typing
        // slip from asking for terabytes.
        let text = &self.text;
        let text_hidden = text.mlp_hidden.unwrap_or(text.width.saturating_mul(4));
        for (field, value, most) in [
            ("image_size", self.image_size, 4096),
            ("patch_size", self.patch_size, 1024),
            ("width", self.width, 16_384),
            ("depth", self.depth, 512),
            ("heads", self.heads, 1024),
            ("mlp_hidden", self.mlp_hidden, 131_072),
            ("embedding", self.embedding, 16_384),
            ("text.width", text.width, 16_384),
            ("text.depth", text.depth, 512),
            ("text.heads", text.heads, 1024),
            ("text.mlp_hidden", text_hidden, 131_072),
        ] {
            if value == 0 || value > most {
                return Err(format!(
                    "`{field}` is {value}, but must lie between 1 and {most}"
                ));
            }
        }
        if self.name.trim().is_empty() {
            return Err("`name` is empty".into());
        }
        if !self.image_size.is_multiple_of(self.patch_size) {
            return Err(format!(
                "`image_size` {} is not a multiple of `patch_size` {}",
                self.image_size, self.patch_size
            ));
        }
        for (field, width, heads) in [
            ("width", self.width, self.heads),
            ("text.width", text.width, text.heads),
        ] {
            if !width.is_multiple_of(heads) {
                return Err(format!(
                    "`{field}` {width} does not divide into {heads} heads"
                ));
            }
        }
        if !(self.width / self.heads).is_multiple_of(4) {
            return Err(format!(
                "the head dim, `width` / `heads` = {}, must be a multiple of 4: the rotary embedding \
                 rotates pairs of channels, half of them by row and half by column",
                self.width / self.heads
            ));
        }
        if text.context != CONTEXT || text.vocabulary != VOCABULARY {
            return Err(format!(
                "`text.context` and `text.vocabulary` are {} and {}, but CLIP's tokenizer needs {CONTEXT} and {VOCABULARY}",
                text.context, text.vocabulary
            ));
        }
        let fits = |v: &f32| v.is_finite();
        if !self.mean.iter().all(fits) || !self.std.iter().all(|v| v.is_finite() && *v > 0.0) {
            return Err("`mean` must be finite and `std` finite and above zero".into());
        }
        Ok(ModelConfig {
            name: self.name,
            published: None,
            vision: VisionConfig::eva02(
                self.image_size,
                self.patch_size,
                [self.width, self.depth, self.heads, self.mlp_hidden],
            ),
            text: TextConfig::clip([text.width, text.depth, text.heads, text_hidden], Mlp::Gelu),
            embedding: self.embedding,
            preprocessing: Preprocessing {
                size: self.image_size,
                mean: self.mean,
                std: self.std,
                interpolation: self.interpolation,
            },
        })
    }
}
