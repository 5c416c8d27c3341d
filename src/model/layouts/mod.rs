//! Layouts of checkpoints: what files call the tensors that the towers read, and how they hold them.
//!
//! A layout is a table. It finds the place of a tensor in a file, and lists all keys of a
//! configuration's file with their shapes, so that verification speaks in the file's own names.

mod tables;

use super::config::ModelConfig;
use super::schema;
use tables::{Form, KeyPair, Names};

/// How a file names and holds the tensors of both towers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// EVA-CLIP's, for EVA-02 in sizes B and L; UTA's, too.
    EvaClip,
    /// EVA-CLIP's, for EVA-01 and EVA-02 in size E: one weight for queries, keys and values.
    EvaClipFused,
    /// open_clip's, the text tower without a prefix. OpenAI's own files have it, too.
    OpenClip,
    /// open_clip's, the text tower below `text.`.
    OpenClipCustomText,
    /// open_clip's for EVA-02 in sizes B and L, with timm's vision tower.
    Timm,
    /// open_clip's for EVA-01 and EVA-02 in size E, with timm's vision tower.
    TimmFused,
    /// That of `CLIPModel` in transformers.
    Transformers,
}

/// Where the values of a tensor lie in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub key: String,
    /// Which third of the stored tensor's first axis, if it holds three tensors.
    pub third: Option<usize>,
    pub transposed: bool,
    /// How many axes of length 1 the stored tensor has in front.
    pub leading: usize,
}

/// A tensor that a file of a configuration has, or may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileTensor {
    pub key: String,
    /// The shapes that it may have; the first is the usual one.
    pub shapes: Vec<Vec<usize>>,
    /// Whether a file must have it. Rotary tables can be computed.
    pub required: bool,
}

/// Keys that say nothing about the towers.
const IGNORED: [&str; 11] = [
    "logit_scale",
    "logit_bias",
    "attn_mask",
    "text.attn_mask",
    "position_ids",
    "text_model.embeddings.position_ids",
    "vision_model.embeddings.position_ids",
    "input_resolution",
    "context_length",
    "vocab_size",
    // Of an average of models, as PyTorch saves it.
    "n_averaged",
];

impl Layout {
    /// All layouts.
    pub const ALL: [Self; 7] = [
        Self::EvaClip,
        Self::EvaClipFused,
        Self::OpenClip,
        Self::OpenClipCustomText,
        Self::Timm,
        Self::TimmFused,
        Self::Transformers,
    ];

    /// The name that users give and see. Layouts that differ only in what their models differ in
    /// share one.
    pub fn name(self) -> &'static str {
        match self {
            Self::EvaClip | Self::EvaClipFused => "eva-clip",
            Self::OpenClip => "open-clip",
            Self::OpenClipCustomText => "open-clip-custom-text",
            Self::Timm | Self::TimmFused => "open-clip-timm",
            Self::Transformers => "transformers",
        }
    }

    /// The layout that names most of the keys; none if none names any.
    pub fn recognise<'a>(keys: impl Iterator<Item = &'a str> + Clone) -> Option<Self> {
        let mut best = (0, None);
        for layout in Self::ALL {
            let known = keys.clone().filter(|key| layout.knows(key)).count();
            if known > best.0 {
                best = (known, Some(layout));
            }
        }
        best.1
    }

    /// The first layout that has a place for every tensor of a configuration.
    pub fn of_config(config: &ModelConfig) -> Option<Self> {
        Self::ALL.into_iter().find(|layout| layout.holds(config))
    }

    /// Whether it has a place for every tensor of a configuration.
    pub fn holds(self, config: &ModelConfig) -> bool {
        let specs = schema::tensors(config);
        specs.iter().all(|spec| self.locate(&spec.name).is_some())
    }

    /// Where a file has a tensor, by the name that [`schema`] gives it.
    pub fn locate(self, name: &str) -> Option<Place> {
        let (names, rest) = match name.strip_prefix("visual.") {
            Some(rest) => (self.vision(), rest),
            None => (self.text(), name.strip_prefix("text.")?),
        };
        let prefix = names.prefix;
        let (before, pairs, ours) = match rest.strip_prefix("blocks.") {
            Some(rest) => {
                let (number, ours) = rest.split_once('.')?;
                let before = format!("{prefix}{}.{number}.", names.blocks);
                (before, names.block, ours)
            }
            None => (prefix.to_string(), names.top, rest),
        };
        let (pair, suffix) = pairs
            .iter()
            .find_map(|pair| Some((pair, pair.suffix(ours, pair.ours)?)))?;
        Some(Place {
            key: format!("{before}{}{suffix}", pair.theirs),
            third: match pair.form {
                Form::Third(third) => Some(third),
                _ => None,
            },
            transposed: pair.form == Form::Transposed,
            leading: match pair.form {
                Form::Leading(axes) => axes,
                _ => 0,
            },
        })
    }

    /// All tensors of a configuration's file; `None` if the layout has no place for one of them.
    pub fn tensors(self, config: &ModelConfig) -> Option<Vec<FileTensor>> {
        let mut tensors: Vec<FileTensor> = Vec::new();
        for spec in schema::tensors(config) {
            let place = self.locate(&spec.name)?;
            // The other thirds of a tensor are the same key.
            if place.third.is_none_or(|third| third == 0) {
                let shape = place.stored_shape(&spec.shape);
                tensors.push(FileTensor::required(place.key, shape));
            }
        }
        if self == Self::EvaClip && !config.vision.transformer.attention_norm {
            // UTA's program does not load a file without it.
            tensors.push(FileTensor::required("logit_scale".into(), Vec::new()));
        }
        let vision = &config.vision;
        let (grid, head_dim) = (vision.grid(), vision.transformer.head_dim());
        if vision.rope {
            for part in ["cos", "sin"] {
                let keys = self.rope_keys(vision.transformer.depth, part);
                tensors.extend(keys.map(|key| FileTensor {
                    key,
                    shapes: vec![vec![grid * grid, head_dim], vec![grid, grid, head_dim]],
                    required: false,
                }));
            }
        }
        Some(tensors)
    }

    /// The keys under which a file may hold its one pair of rotary tables, in the order in which
    /// loading overwrites it; `part` is `cos` or `sin`.
    pub fn rope_keys(self, depth: usize, part: &str) -> impl Iterator<Item = String> {
        // Those of timm's towers are not stored.
        let blocks = match self {
            Self::EvaClip => Some(0..depth),
            _ => None,
        };
        let first = blocks
            .is_some()
            .then(|| format!("visual.rope.freqs_{part}"));
        let of_blocks = blocks
            .into_iter()
            .flatten()
            .map(move |i| format!("visual.blocks.{i}.attn.rope.freqs_{part}"));
        first.into_iter().chain(of_blocks)
    }

    /// What [`schema`] calls the tensors that lie under a key; none if no tower reads it.
    pub fn names_of(self, key: &str) -> Vec<String> {
        let towers = [("visual", self.vision()), ("text", self.text())];
        let names = towers.into_iter().flat_map(|(tower, names)| {
            let ours = names.ours(key).into_iter();
            ours.map(move |name| format!("{tower}.{name}"))
        });
        names.collect()
    }

    /// Whether a key is that of a temperature or bias of the logits, which belongs to the weights though
    /// no tower reads it.
    pub fn is_scale(key: &str) -> bool {
        matches!(key, "logit_scale" | "logit_bias")
    }

    /// Whether a key is that of a stored rotary table.
    pub fn is_rope_table(key: &str) -> bool {
        key.ends_with("rope.freqs_cos") || key.ends_with("rope.freqs_sin")
    }

    /// Whether a key that no tower reads may be in any file.
    pub fn ignores(key: &str) -> bool {
        IGNORED.contains(&key)
    }

    /// The key without what the layout puts in front of a text tower; `None` if it is no key of one.
    pub fn text_key(self, key: &str) -> Option<&str> {
        let rest = key.strip_prefix(self.text().prefix)?;
        self.text().knows(key).then_some(rest)
    }

    fn knows(self, key: &str) -> bool {
        self.vision().knows(key) || self.text().knows(key)
    }

    fn vision(self) -> &'static Names {
        match self {
            Self::EvaClip => &tables::EVA_VISION,
            Self::EvaClipFused => &tables::EVA_FUSED_VISION,
            Self::OpenClip | Self::OpenClipCustomText => &tables::CLIP_VISION,
            Self::Timm => &tables::TIMM_VISION,
            Self::TimmFused => &tables::TIMM_FUSED_VISION,
            Self::Transformers => &tables::TRANSFORMERS_VISION,
        }
    }

    fn text(self) -> &'static Names {
        match self {
            Self::OpenClip => &tables::CLIP_TEXT,
            Self::Transformers => &tables::TRANSFORMERS_TEXT,
            _ => &tables::CUSTOM_TEXT,
        }
    }
}

impl Place {
    /// The shape of the stored tensor that holds a tensor of shape `shape`.
    pub fn stored_shape(&self, shape: &[usize]) -> Vec<usize> {
        let mut stored = vec![1; self.leading];
        stored.extend(shape);
        if self.transposed {
            stored.reverse();
        }
        if let (Some(_), Some(first)) = (self.third, stored.first_mut()) {
            *first *= 3;
        }
        stored
    }

    /// The shape of a tensor that lies in a stored one of shape `stored`; `None` if none can.
    pub fn shape_in(&self, stored: &[usize]) -> Option<Vec<usize>> {
        let mut shape = stored.get(self.leading..)?.to_vec();
        if self.transposed {
            shape.reverse();
        }
        if self.third.is_some() {
            let first = shape.first_mut()?;
            *first = first.is_multiple_of(3).then_some(*first / 3)?;
        }
        Some(shape)
    }
}

impl FileTensor {
    fn required(key: String, shape: Vec<usize>) -> Self {
        Self {
            key,
            shapes: vec![shape],
            required: true,
        }
    }
}

impl Names {
    fn knows(&self, key: &str) -> bool {
        !self.ours(key).is_empty()
    }

    /// Our names, below the tower, of the tensors under a key.
    fn ours(&self, key: &str) -> Vec<String> {
        let Some(rest) = key.strip_prefix(self.prefix) else {
            return Vec::new();
        };
        let of_block = rest
            .strip_prefix(self.blocks)
            .and_then(|rest| rest.strip_prefix('.')?.split_once('.'));
        let (before, pairs, theirs) = match of_block {
            Some((number, theirs)) if number.parse::<usize>().is_ok() => {
                (format!("blocks.{number}."), self.block, theirs)
            }
            Some(_) => return Vec::new(),
            None => (String::new(), self.top, rest),
        };
        let ours = pairs.iter().filter_map(|pair| {
            let suffix = pair.suffix(theirs, pair.theirs)?;
            Some(format!("{before}{}{suffix}", pair.ours))
        });
        ours.collect()
    }
}

impl KeyPair {
    /// What follows the pair's name (`of`) in `name`, if it is one of the pair's tensors.
    fn suffix<'a>(&self, name: &'a str, of: &str) -> Option<&'a str> {
        let suffix = name.strip_prefix(of)?;
        let wanted = match self.form {
            Form::Layer => matches!(suffix, ".weight" | ".bias"),
            _ => suffix.is_empty(),
        };
        wanted.then_some(suffix)
    }
}
