//! The checkpoints that are published for open_clip's architectures, and what their names tell.

use std::sync::LazyLock;

use super::config::{Mlp, ModelConfig, QkvBias};
use crate::picture::preprocessing::ResizeMode;

/// See the README beside it.
const TABLE: &str = include_str!("../../assets/models/published_clip.tsv");

static ALL: LazyLock<Vec<Pretrained>> = LazyLock::new(|| {
    TABLE
        .lines()
        .skip(1)
        .filter_map(Pretrained::parse)
        .collect()
});

/// A published checkpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct Pretrained {
    /// The architecture, as open_clip names it.
    pub model: &'static str,
    /// What open_clip calls the weights.
    pub tag: &'static str,
    /// Where they are on the Hugging Face Hub: `OWNER/REPOSITORY`.
    pub repository: &'static str,
    /// [`Mlp::Gelu`] or [`Mlp::QuickGelu`], with which they were trained.
    pub gelu: Mlp,
    pub resize: ResizeMode,
    /// The mean and standard deviation of all channels, where they are not CLIP's.
    pub mean_and_std: Option<f32>,
    /// Published top-1 accuracies in percent: ImageNet, V2, A, R, Sketch, ObjectNet.
    pub top1_percent: [Option<f64>; 6],
}

impl Pretrained {
    /// All of them.
    pub fn all() -> &'static [Self] {
        &ALL
    }

    /// The weights of an architecture that have a tag, in any case.
    pub fn by_tag(model: &str, tag: &str) -> Option<&'static Self> {
        Self::all().iter().find(|known| {
            known.model.eq_ignore_ascii_case(model) && known.tag.eq_ignore_ascii_case(tag)
        })
    }

    /// The weights in a repository.
    pub fn by_repository(repository: &str) -> Option<&'static Self> {
        Self::all()
            .iter()
            .find(|known| known.repository.eq_ignore_ascii_case(repository))
    }

    fn parse(line: &'static str) -> Option<Self> {
        let mut columns = line.split('\t');
        let mut next = || columns.next();
        let (model, tag, repository) = (next()?, next()?, next()?);
        let gelu = match next()? {
            "quick" => Mlp::QuickGelu,
            "erf" => Mlp::Gelu,
            _ => return None,
        };
        let (_image, _interpolation) = (next()?, next()?);
        let resize = match next()? {
            "shortest" => ResizeMode::Shortest,
            "squash" => ResizeMode::Squash,
            _ => return None,
        };
        let mean_and_std = match next()? {
            "clip" => None,
            triple => {
                let first = triple.trim_start_matches('(').split(',').next()?;
                Some(first.parse().ok()?)
            }
        };
        let mut top1_percent = [None; 6];
        for percent in &mut top1_percent {
            *percent = match next()? {
                "" => None,
                // The table has fractions of four digits.
                fraction => Some((fraction.parse::<f64>().ok()? * 1e4).round() / 100.0),
            };
        }
        Some(Self {
            model,
            tag,
            repository,
            gelu,
            resize,
            mean_and_std,
            top1_percent,
        })
    }

    /// The configuration, its pictures prepared as those that the weights were trained on.
    pub fn prepare(&self, mut config: ModelConfig) -> ModelConfig {
        config.preprocessing.resize = self.resize;
        if let Some(value) = self.mean_and_std {
            config.preprocessing.mean = [value; 3];
            config.preprocessing.std = [value; 3];
        }
        config
    }
}

/// The kind of GELU that a name tells, and the part of the name that tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    pub gelu: Mlp,
    pub by: String,
}

/// Which kind of GELU a model has, told by the name of a file, a repository or a configuration; `None`
/// if it tells none, or the architecture never has QuickGELU.
///
/// A repository or tag of the table counts most, then the data set or the group in whose names all of the
/// table agree.
pub fn gelu_told_by(name: &str, config: &ModelConfig) -> Option<Told> {
    if config.vision.transformer.qkv_bias != QkvBias::All {
        return None;
    }
    let name = plain(name);
    let told = |gelu, by: &str| {
        Some(Told {
            gelu,
            by: by.into(),
        })
    };
    let same = |known: &&Pretrained| {
        ModelConfig::by_name(known.model).is_some_and(|other| same_shapes(&other, config))
    };
    let known: Vec<&Pretrained> = Pretrained::all().iter().filter(same).collect();
    let words = |known: &&Pretrained| {
        let repository = known.repository.rsplit('/').next().unwrap_or_default();
        [(repository, known.gelu), (known.tag, known.gelu)]
    };
    let named = known.iter().flat_map(words);
    let named = named.filter(|(word, _)| has_words(&name, &plain(word)));
    if let Some((word, gelu)) = named.max_by_key(|(word, _)| word.len()) {
        return told(gelu, word);
    }
    // DFN's, MetaCLIP's and OpenAI's models were trained with QuickGELU, whatever the version.
    if let Some(word) = ["openai", "dfn", "metaclip"]
        .into_iter()
        .find(|word| has_start_of_word(&name, word))
    {
        return told(Mlp::QuickGelu, word);
    }
    if let Some(word) = ["quickgelu", "quick_gelu"]
        .into_iter()
        .find(|word| name.contains(word))
    {
        return told(Mlp::QuickGelu, word);
    }
    for word in ["laion400m", "laion2b", "datacomp", "commonpool"] {
        if has_words(&name, word) {
            let mut of_word = known.iter().filter(|known| known.tag.starts_with(word));
            let gelu = of_word.next().map_or(Mlp::Gelu, |known| known.gelu);
            return told(gelu, word);
        }
    }
    None
}

/// Whether two models differ in the kind of GELU at most.
fn same_shapes(a: &ModelConfig, b: &ModelConfig) -> bool {
    let plain = |config: &ModelConfig| {
        let mut config = config.clone();
        for mlp in [
            &mut config.vision.transformer.mlp,
            &mut config.text.transformer.mlp,
        ] {
            if *mlp == Mlp::QuickGelu {
                *mlp = Mlp::Gelu;
            }
        }
        (config.vision, config.text, config.embedding)
    };
    plain(a) == plain(b)
}

/// In lower case, with one underscore for each run of other characters than letters and digits.
fn plain(name: &str) -> String {
    let words: Vec<&str> = name
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    words.join("_").to_ascii_lowercase()
}

/// Whether whole words of a plain name are these.
fn has_words(name: &str, words: &str) -> bool {
    format!("_{name}_").contains(&format!("_{words}_"))
}

fn has_start_of_word(name: &str, start: &str) -> bool {
    format!("_{name}").contains(&format!("_{start}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(name: &str, model: &str) -> Option<Mlp> {
        gelu_told_by(name, &ModelConfig::by_name(model).unwrap()).map(|told| told.gelu)
    }

    #[test]
    fn the_table_is_read_to_the_last_line() {
        assert_eq!(Pretrained::all().len(), TABLE.lines().count() - 1);
        let squash = Pretrained::all().iter();
        assert_eq!(squash.filter(|p| p.resize == ResizeMode::Squash).count(), 4);
        let laion = Pretrained::by_tag("vit-l-14", "laion2b_s32b_b82k").unwrap();
        assert_eq!(laion.mean_and_std, Some(0.5));
        assert_eq!(laion.top1_percent[0], Some(75.25));
        for known in Pretrained::all() {
            assert!(
                ModelConfig::by_name(known.model).is_some(),
                "{}",
                known.model
            );
        }
    }

    #[test]
    fn names_tell_the_kind_of_gelu() {
        let quick = Some(Mlp::QuickGelu);
        for (name, model, gelu) in [
            ("timm/vit_base_patch32_clip_224.openai", "ViT-B-32", quick),
            ("clip/ViT-B-16-openai.pt", "ViT-B-16", quick),
            ("apple/DFN2B-CLIP-ViT-L-14", "ViT-L-14", quick),
            (
                "apple/DFN2B-CLIP-ViT-L-14-39B/x.bin",
                "ViT-L-14",
                Some(Mlp::Gelu),
            ),
            ("metaclip_h14_v2.pt", "ViT-H-14", quick),
            (
                "vit_huge_patch14_clip_224.metaclip_altogether",
                "ViT-H-14",
                Some(Mlp::Gelu),
            ),
            (
                "vit_b_32-quickgelu-laion400m_e32-46683a32.pt",
                "ViT-B-32",
                quick,
            ),
            (
                "vit_b_16-laion400m_e32-55e67d44.pt",
                "ViT-B-16",
                Some(Mlp::Gelu),
            ),
            (
                "laion/CLIP-ViT-B-32-laion2B-s34B-b79K",
                "ViT-B-32-quickgelu",
                Some(Mlp::Gelu),
            ),
            ("my-datacomp-run", "ViT-B-16-quickgelu", Some(Mlp::Gelu)),
            ("epoch_32.pt", "ViT-B-32", None),
            ("openai_eva.pt", "EVA02-B-16", None),
            ("uta_openai.pt", "eva_base_p16", None),
        ] {
            assert_eq!(told(name, model), gelu, "{name}");
        }
    }
}
