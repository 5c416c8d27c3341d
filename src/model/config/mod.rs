//! Model configurations: every dimension of the architecture as plain, validated data.
//!
//! A configuration is either built in (the published models and the demo) or read from a JSON file, so
//! that another size of the same families needs no recompilation.
//!
//! | file | what |
//! |---|---|
//! | `transformer` | the dimensions and choices of a transformer |
//! | `built_in` | the configurations that have a name |
//! | `files` | which description a JSON file is |
//! | `own`, `open_clip`, `transformers` | the descriptions: this program's, open_clip's and EVA-CLIP's, transformers' |
//! | `fields` | a JSON object, field by field |
//! | `check` | whether a described model can exist |

mod built_in;
mod check;
mod fields;
mod files;
mod hyperparameters;
mod open_clip;
mod own;
mod transformer;
mod transformers;

pub use files::{OPEN_CLIP_CONFIG, TRANSFORMERS_CONFIG, TRANSFORMERS_PREPROCESSOR};
pub use transformer::{Mlp, NormPlacement, QkvBias, TransformerConfig};

use crate::picture::preprocessing::Preprocessing;
use crate::util::similar::{did_you_mean, similar};

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

/// A model and the preprocessing that belongs to it.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelConfig {
    /// The name that its authors' program gives it, e.g. `eva_base_p16` or `ViT-B-32`.
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

    /// UTA's vision tower: that of EVA-02-CLIP in sizes B and L, but for `attention_norm`, which only
    /// EVA-02-CLIP has.
    fn uta(image: usize, patch: usize, [width, depth, heads, mlp_hidden]: [usize; 4]) -> Self {
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
    #[error("the shapes of {path} fit {}, which differ in what no tensor shows: the kind of GELU", names.join(" and "))]
    Ambiguous { path: String, names: Vec<String> },
    #[error("no weights of {model} have the tag {tag}")]
    UnknownTag {
        model: String,
        tag: String,
        known: Vec<String>,
    },
}

impl ConfigError {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        let known: Vec<_> = ModelConfig::built_in()
            .iter()
            .map(|config| config.name.as_str())
            .collect();
        match self {
            Self::Unknown { name } => Some(match did_you_mean(&similar(name, ModelConfig::names())) {
                Some(meant) => format!("{meant} uta-eval models lists every name"),
                None => format!(
                    "known models are {}, their published names, or a JSON file that describes a configuration (see uta-eval guide checkpoints)",
                    known.join(", ")
                ),
            }),
            Self::Unreadable { .. } => Some(format!(
                "give a built-in name ({}) or an existing JSON file",
                known.join(", ")
            )),
            Self::Ambiguous { names, .. } => Some(format!(
                "name the one that it was trained as: --model {}",
                names.join(" or --model ")
            )),
            Self::UnknownTag { known, .. } if known.is_empty() => Some(
                "tags belong to open_clip's names of models, for instance --model ViT-B-32 --pretrained openai".into(),
            ),
            Self::UnknownTag { tag, known, .. } => {
                let near = similar(tag, known.iter().map(String::as_str));
                let meant = did_you_mean(&near).map_or_else(String::new, |meant| meant + " ");
                Some(format!("{meant}its tags are {}", known.join(", ")))
            }
            Self::Syntax { .. } | Self::Invalid { .. } => {
                Some("uta-eval guide checkpoints shows a complete description, under \"Other sizes\"".into())
            }
        }
    }
}

impl ModelConfig {
    /// The published name when there is one, otherwise the reference's.
    pub fn display_name(&self) -> String {
        match self.published {
            Some(published) => format!("{} ({})", self.name, published.name),
            None => self.name.clone(),
        }
    }
}
