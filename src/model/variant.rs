//! Model variants: every dimension of the architecture as plain, validated data.
//!
//! A variant is either built in (the three published models and the demo) or read from a JSON
//! file, so that another size of the same architecture needs no recompilation.

use serde::Deserialize;

use crate::preprocessing::{Interpolation, Preprocessing};

/// Tokens a prompt may have: CLIP's context length, start and end of text included.
pub const CONTEXT: usize = 77;
/// Size of CLIP's byte-pair vocabulary, its two special tokens included.
pub const VOCABULARY: usize = 49408;

/// Name of the demo's variant.
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
pub struct Variant {
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

/// The EVA-02 vision tower's dimensions. The input is `image` x `image` pixels.
#[derive(Debug, Clone, PartialEq)]
pub struct VisionConfig {
    pub image: usize,
    pub patch: usize,
    pub width: usize,
    pub depth: usize,
    pub heads: usize,
    pub mlp_hidden: usize,
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

    pub fn head_dim(&self) -> usize {
        self.width / self.heads
    }
}

/// The OpenCLIP text transformer's dimensions.
#[derive(Debug, Clone, PartialEq)]
pub struct TextConfig {
    pub context: usize,
    pub vocabulary: usize,
    pub width: usize,
    pub depth: usize,
    pub heads: usize,
    pub mlp_hidden: usize,
}

impl TextConfig {
    pub fn head_dim(&self) -> usize {
        self.width / self.heads
    }
}

/// Why a `--model` value does not describe a variant.
#[derive(Debug, thiserror::Error)]
pub enum VariantError {
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

impl VariantError {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        let known: Vec<_> = Variant::built_in().into_iter().map(|v| v.name).collect();
        match self {
            Self::Unknown { .. } => Some(format!(
                "known models are {}, their published names, or a JSON file that describes a variant (see uta-eval guide checkpoints)",
                known.join(", ")
            )),
            Self::Unreadable { .. } => Some(format!(
                "give a built-in name ({}) or an existing JSON file",
                known.join(", ")
            )),
            Self::Syntax { .. } | Self::Invalid { .. } => Some(
                "uta-eval guide checkpoints shows a complete description, under \"Other sizes\""
                    .into(),
            ),
        }
    }
}

impl Variant {
    /// The variants the program knows by name, smallest first.
    ///
    /// Dimensions are those of the reference's model factory (repository `jihaonew/UTA`).
    pub fn built_in() -> Vec<Self> {
        let text = TextConfig {
            context: CONTEXT,
            vocabulary: VOCABULARY,
            width: 1024,
            depth: 24,
            heads: 16,
            mlp_hidden: 4096,
        };
        let variant =
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
        let vision = |image, patch, width, depth, heads, mlp_hidden| VisionConfig {
            image,
            patch,
            width,
            depth,
            heads,
            mlp_hidden,
        };
        let demo_text = TextConfig {
            width: 32,
            depth: 2,
            heads: 2,
            mlp_hidden: 128,
            ..text.clone()
        };
        vec![
            variant(DEMO, None, vision(64, 8, 96, 4, 4, 256), &demo_text, 64),
            variant(
                "eva_base_p16",
                published("UTA-B", ["b", "base"], 77.0),
                vision(224, 16, 768, 12, 12, 2048),
                &text,
                1024,
            ),
            variant(
                "eva_large_p14_336",
                published("UTA-L-pix336", ["l", "large"], 81.4),
                vision(336, 14, 1024, 24, 16, 2730),
                &text,
                1024,
            ),
            variant(
                "eva_giant_p14_336",
                published("UTA-g-pix336", ["g", "giant"], 83.9),
                vision(336, 14, 1408, 40, 16, 4096),
                &text,
                1024,
            ),
        ]
    }

    /// The built-in variant of that name, the reference's or the published one, in any case.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::built_in().into_iter().find(|variant| {
            variant.name.eq_ignore_ascii_case(name)
                || variant
                    .published
                    .is_some_and(|p| p.name.eq_ignore_ascii_case(name))
        })
    }

    /// Reads `--model`: a built-in name or the path of a JSON description.
    ///
    /// # Errors
    /// When the name is unknown, or the file cannot be read or describes no possible model.
    pub fn from_name_or_file(value: &str) -> Result<Self, VariantError> {
        if let Some(variant) = Self::by_name(value) {
            return Ok(variant);
        }
        let path = std::path::Path::new(value);
        let names_a_file = path
            .extension()
            .is_some_and(|e| e.eq_ignore_ascii_case("json"));
        if !names_a_file && !path.is_file() {
            return Err(VariantError::Unknown { name: value.into() });
        }
        let text = std::fs::read_to_string(path).map_err(|source| VariantError::Unreadable {
            path: value.into(),
            source,
        })?;
        Self::from_json(&text, value)
    }

    /// Parses a JSON description; `path` only names it in errors.
    ///
    /// # Errors
    /// When the JSON is malformed, has unknown or missing fields, or dimensions that do not fit.
    pub fn from_json(text: &str, path: &str) -> Result<Self, VariantError> {
        let description: Description =
            serde_json::from_str(text).map_err(|source| VariantError::Syntax {
                path: path.into(),
                source,
            })?;
        description
            .into_variant()
            .map_err(|reason| VariantError::Invalid {
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

/// The JSON form of a variant. Absent fields take CLIP's values.
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
    fn into_variant(self) -> Result<Variant, String> {
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
        Ok(Variant {
            name: self.name,
            published: None,
            vision: VisionConfig {
                image: self.image_size,
                patch: self.patch_size,
                width: self.width,
                depth: self.depth,
                heads: self.heads,
                mlp_hidden: self.mlp_hidden,
            },
            text: TextConfig {
                context: CONTEXT,
                vocabulary: VOCABULARY,
                width: text.width,
                depth: text.depth,
                heads: text.heads,
                mlp_hidden: text_hidden,
            },
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
