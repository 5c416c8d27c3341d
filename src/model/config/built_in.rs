//! The configurations that have a name.

use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::transformer::Mlp;
use super::{DEMO, ModelConfig, Published, TextConfig, VisionConfig, open_clip};
use crate::picture::preprocessing::Preprocessing;

/// open_clip's own descriptions of its architectures, by name.
const OPEN_CLIP: &str = include_str!("../../../assets/models/open_clip.json");

static BUILT_IN: LazyLock<Vec<ModelConfig>> = LazyLock::new(|| {
    let mut all = uta();
    all.extend(of_open_clip());
    all
});

impl ModelConfig {
    /// The configurations the program knows by name: UTA's, smallest first, then open_clip's.
    pub fn built_in() -> &'static [Self] {
        &BUILT_IN
    }

    /// Every name of a built-in configuration, published ones first.
    pub fn names() -> impl Iterator<Item = &'static str> {
        let all = || Self::built_in().iter();
        let published = all().filter_map(|config| Some(config.published?.name));
        published.chain(all().map(|config| config.name.as_str()))
    }

    /// The built-in configuration of that name: the reference's or the published one, open_clip's, or
    /// EVA-CLIP's for the same model (`EVA02-CLIP-B-16`); in any case.
    pub fn by_name(name: &str) -> Option<Self> {
        let found = Self::built_in().iter().find(|config| {
            config.name.eq_ignore_ascii_case(name)
                || config
                    .published
                    .is_some_and(|p| p.name.eq_ignore_ascii_case(name))
        });
        if found.is_some() {
            return found.cloned();
        }
        // `ViT-B/16` is how papers and OpenAI write `ViT-B-16`.
        let lower = name.to_ascii_lowercase().replace('/', "-");
        let plain = match lower.split_once("-clip-") {
            Some((eva, size)) if eva.starts_with("eva") => {
                format!("{eva}-{}", size.replacen("bige", "e", 1))
            }
            _ => lower,
        };
        let mut all = Self::built_in().iter();
        all.find(|config| config.name.eq_ignore_ascii_case(&plain))
            .cloned()
    }

    /// The same architecture under its built-in name, if it has one; preprocessing may differ.
    pub(super) fn built_in_twin(&self) -> Option<&'static Self> {
        Self::built_in().iter().find(|config| {
            (&config.vision, &config.text, config.embedding)
                == (&self.vision, &self.text, self.embedding)
        })
    }

    /// The configuration that differs in nothing but the kind of GELU, if it is built in.
    pub fn other_gelu(&self) -> Option<&'static Self> {
        let mut other = self.clone();
        let swap = |mlp: &mut Mlp| {
            *mlp = match *mlp {
                Mlp::Gelu => Mlp::QuickGelu,
                Mlp::QuickGelu => Mlp::Gelu,
                Mlp::SwiGlu => Mlp::SwiGlu,
            }
        };
        swap(&mut other.vision.transformer.mlp);
        swap(&mut other.text.transformer.mlp);
        other.built_in_twin()
    }
}

/// UTA's, with the dimensions of the reference's model factory (repository `jihaonew/UTA`).
fn uta() -> Vec<ModelConfig> {
    let text = TextConfig::clip([1024, 24, 16, 4096], Mlp::Gelu);
    let demo_text = TextConfig::clip([32, 2, 2, 128], Mlp::Gelu);
    let config =
        |name: &str, published, vision: VisionConfig, text: &TextConfig, embedding| ModelConfig {
            name: name.into(),
            published,
            preprocessing: Preprocessing::clip(vision.image),
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
    let vision = VisionConfig::uta;
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

/// Those of the asset, all of which a test reads.
fn of_open_clip() -> Vec<ModelConfig> {
    let all: Map<String, Value> = serde_json::from_str(OPEN_CLIP).unwrap_or_default();
    all.into_iter()
        .filter_map(|(name, value)| open_clip::read(&name, value).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_architecture_of_the_asset_is_built_in_and_can_exist() {
        let all: Map<String, Value> = serde_json::from_str(OPEN_CLIP).unwrap();
        assert_eq!(all.len(), 24);
        for (name, value) in all {
            let config = open_clip::read(&name, value).unwrap();
            config.check().unwrap();
            assert_eq!(ModelConfig::by_name(&name), Some(config.clone()));
            assert_eq!(config.built_in_twin().unwrap().name, name);
        }
    }

    #[test]
    fn evas_and_openais_spellings_mean_open_clips_models() {
        for (name, meant) in [
            ("EVA02-CLIP-B-16", "EVA02-B-16"),
            ("eva02-clip-l-14-336", "EVA02-L-14-336"),
            ("EVA02-CLIP-bigE-14-plus", "EVA02-E-14-plus"),
            ("EVA01-CLIP-g-14", "EVA01-g-14"),
            ("ViT-B/16", "ViT-B-16"),
            ("vit-l-14-336-quickgelu", "ViT-L-14-336-quickgelu"),
            ("uta-b", "eva_base_p16"),
        ] {
            assert_eq!(ModelConfig::by_name(name).unwrap().name, meant);
        }
        for name in ["EVA03-CLIP-B-16", "ViT-B", "-clip-", ""] {
            assert_eq!(ModelConfig::by_name(name), None);
        }
    }

    #[test]
    fn a_models_twin_differs_in_the_kind_of_gelu() {
        let plain = ModelConfig::by_name("ViT-B-32").unwrap();
        let twin = plain.other_gelu().unwrap();
        assert_eq!(twin.name, "ViT-B-32-quickgelu");
        assert_eq!(twin.other_gelu().unwrap().name, "ViT-B-32");
        let eva = ModelConfig::by_name("EVA02-B-16").unwrap();
        assert_eq!(eva.other_gelu(), None);
    }

    #[test]
    fn the_dimensions_are_those_that_the_published_models_have() {
        let blocks = |name: &str| {
            let config = ModelConfig::by_name(name).unwrap();
            let (v, t) = (config.vision.transformer, config.text.transformer);
            ([v.head_dim(), v.mlp_hidden], [t.head_dim(), t.mlp_hidden])
        };
        assert_eq!(blocks("ViT-H-14"), ([80, 5120], [64, 4096]));
        assert_eq!(blocks("ViT-g-14"), ([88, 6144], [64, 4096]));
        assert_eq!(blocks("ViT-bigG-14"), ([104, 8192], [64, 5120]));
        assert_eq!(blocks("EVA02-L-14"), ([64, 2730], [64, 3072]));
        assert_eq!(blocks("EVA02-E-14-plus"), ([112, 15_360], [64, 5120]));
        assert_eq!(blocks("EVA01-g-14"), ([88, 6144], [64, 3072]));
    }
}
