//! Small models of every family against the numbers of the families' own code (EVA-CLIP, open_clip,
//! transformers), to the same tolerances as in `golden`.

use candle_core::{IndexOp, Tensor};
use uta_eval::classifier::{Classifier, Trie};
use uta_eval::inference::loading;
use uta_eval::inference::zero_shot::{ImageEncoder, ZeroShot};
use uta_eval::kernels::Precision;
use uta_eval::model::config::{Mlp, NormPlacement, QkvBias, TextConfig, TransformerConfig};
use uta_eval::model::config::{ModelConfig, VisionConfig};
use uta_eval::model::{Compute, Forest, Kept, TextTower, VisionTower};
use uta_eval::text::{ClassNames, Templates, Tokenizer, prompts};

use crate::golden::{BLOCKS, COLUMNS, LOGITS, text_features, texts};
use crate::support::{
    Golden, bf16_ways, fixture, largest_difference, open, relative_error, tiny, towers_by, ways,
};

/// A small model, its checkpoint and its numbers.
pub struct Family {
    pub checkpoint: &'static str,
    expected: &'static str,
    pub config: ModelConfig,
}

impl Family {
    pub fn expected(&self) -> Golden {
        Golden::load(&format!("families/{}_expected.safetensors", self.expected))
    }

    pub fn towers(&self, compute: &Compute) -> (VisionTower, TextTower) {
        let file = fixture(&format!("families/{}", self.checkpoint));
        towers_by(compute, &file, &self.config)
    }
}

/// Image and patch; width, depth, heads and hidden channels of the vision tower.
fn config([image, patch]: [usize; 2], vision: [usize; 4]) -> ModelConfig {
    let transformer = |[width, depth, heads, mlp_hidden]: [usize; 4]| TransformerConfig {
        width,
        depth,
        heads,
        mlp_hidden,
        eps: 1e-5,
        norm: NormPlacement::Before,
        qkv_bias: QkvBias::All,
        attention_norm: false,
        mlp: Mlp::Gelu,
    };
    let mut preprocessing = tiny().preprocessing;
    preprocessing.size = image;
    ModelConfig {
        vision: VisionConfig {
            image,
            patch,
            patch_bias: false,
            pre_norm: true,
            rope: false,
            projection_bias: false,
            transformer: transformer(vision),
        },
        text: TextConfig {
            transformer: transformer([16, 2, 2, 64]),
            ..tiny().text
        },
        embedding: 24,
        preprocessing,
        ..tiny()
    }
}

/// EVA's vision towers, which end in a bias and have none in front of the blocks.
fn eva(vision: [usize; 4]) -> ModelConfig {
    let mut config = config([32, 8], vision);
    config.vision.patch_bias = true;
    config.vision.pre_norm = false;
    config.vision.projection_bias = true;
    config.vision.transformer.eps = 1e-6;
    config.vision.transformer.qkv_bias = QkvBias::QueryValue;
    config
}

fn eva02() -> ModelConfig {
    let mut config = eva([48, 3, 4, 128]);
    config.vision.rope = true;
    config.vision.transformer.attention_norm = true;
    config.vision.transformer.mlp = Mlp::SwiGlu;
    config
}

fn eva02_e() -> ModelConfig {
    let mut config = eva([48, 2, 2, 411]);
    config.vision.transformer.norm = NormPlacement::After;
    config
}

fn quick_gelu() -> ModelConfig {
    let mut config = config([32, 16], [40, 2, 2, 160]);
    config.vision.transformer.mlp = Mlp::QuickGelu;
    config.text.transformer.mlp = Mlp::QuickGelu;
    config
}

pub fn families() -> Vec<Family> {
    let family = |checkpoint, expected, config| Family {
        checkpoint,
        expected,
        config,
    };
    let custom_text = config([40, 8], [48, 2, 2, 192]);
    vec![
        family("eva02_clip.safetensors", "eva02_clip", eva02()),
        family("eva02_clip_timm_names.safetensors", "eva02_clip", eva02()),
        family("eva02_clip_e.safetensors", "eva02_clip_e", eva02_e()),
        family(
            "eva01_clip_g.safetensors",
            "eva01_clip_g",
            eva([44, 2, 2, 192]),
        ),
        family(
            "openclip_gelu.safetensors",
            "openclip_gelu",
            config([32, 8], [48, 3, 4, 209]),
        ),
        family(
            "openclip_quickgelu.safetensors",
            "openclip_quickgelu",
            quick_gelu(),
        ),
        family(
            "openclip_custom_text.safetensors",
            "openclip_custom_text",
            custom_text,
        ),
        family("hf_clip/model.safetensors", "hf_clip", quick_gelu()),
    ]
}

/// The classes of the golden classifiers.
const CLASSES: [&str; 12] = [
    "tench",
    "rooster",
    "Golden Retriever",
    "lion",
    "giant panda",
    "candle",
    "missile",
    "missile",
    "sunglasses",
    "sunglasses",
    "traffic light",
    "toilet paper",
];

pub fn classifier(tower: &TextTower) -> Classifier {
    let names = ClassNames::from_names(CLASSES.map(String::from).to_vec());
    let texts: Vec<String> = prompts(&names, &Templates::imagenet()).collect();
    let trie = Trie::new(&Tokenizer::clip().unwrap().encode_batch_to_end(&texts));
    uta_eval::classifier::build(tower, &trie, CLASSES.len(), None, &mut |_| ()).unwrap()
}

/// Block by block, then the features.
pub fn check_vision(what: &str, tower: &VisionTower, golden: &Golden, tolerance: f64) {
    let mut stages = Vec::new();
    let features = tower
        .forward_observed(golden.get("image"), &mut |x| {
            stages.push(x);
            Ok(())
        })
        .unwrap();
    for (block, stage) in stages.iter().skip(1).enumerate() {
        let error = relative_error(stage, golden.get(&format!("vision_block_{block}")));
        assert!(error <= tolerance, "{what}: vision block {block}: {error}");
    }
    let error = relative_error(&features, golden.get("image_features"));
    assert!(error <= tolerance, "{what}: image features: {error}");
    // Without an observer, only class tokens go through the end of the last block.
    let features = tower.forward(golden.get("image")).unwrap();
    let error = relative_error(&features, golden.get("image_features"));
    assert!(error <= tolerance, "{what}: image features: {error}");
}

pub fn check_text(what: &str, tower: &TextTower, golden: &Golden, tolerance: f64) {
    for (row, ids) in texts(golden.get("text_ids")).iter().enumerate() {
        let mut block = 0;
        let mut check = |x: Tensor| {
            let expected = golden.get(&format!("text_block_{block}")).i(row)?;
            let error = relative_error(&x, &expected.narrow(0, 0, ids.len())?);
            assert!(
                error <= tolerance,
                "{what}: text {row}, block {block}: {error}"
            );
            block += 1;
            Ok(())
        };
        let (forest, mut kept) = (Forest::chain(ids), Kept::default());
        tower
            .states_observed(&forest, &mut kept, &[], &mut check)
            .unwrap();
        let expected = golden.get("text_features").narrow(0, row, 1).unwrap();
        let error = relative_error(&text_features(tower, ids), &expected);
        assert!(
            error <= tolerance,
            "{what}: features of text {row}: {error}"
        );
    }
}

#[test]
fn blocks_and_features_of_every_family_are_those_of_its_own_code() {
    for family in families() {
        let golden = family.expected();
        for (way, compute) in ways() {
            let (vision, text) = family.towers(&compute);
            let what = format!("{} by {way}", family.checkpoint);
            check_vision(&what, &vision, &golden, BLOCKS);
            check_text(&what, &text, &golden, BLOCKS);
        }
    }
}

/// A bfloat16 has eight bits; the tolerance is that of GPUs.
#[test]
fn in_bf16_they_differ_by_roundings_on_every_instruction_set() {
    for (way, compute) in bf16_ways() {
        for family in families() {
            let golden = family.expected();
            let what = format!("{} in bf16 by {way}", family.checkpoint);
            let (vision, text) = family.towers(&compute);
            check_vision(&what, &vision, &golden, 1.6e-2);
            check_text(&what, &text, &golden, 1.6e-2);
        }
    }
}

#[test]
fn classifiers_and_logits_of_every_family_are_those_of_its_own_code() {
    for family in families() {
        let golden = family.expected();
        let columns: Vec<Vec<f32>> = golden.get("classifier").t().unwrap().to_vec2().unwrap();
        let logits: Vec<Vec<f32>> = golden.get("logits").to_vec2().unwrap();
        let pixels = golden.get("image_u8").flatten_all().unwrap();
        let pixels: Vec<u8> = pixels.to_vec1().unwrap();
        for (way, compute) in ways() {
            let what = format!("{} by {way}", family.checkpoint);
            let (vision, text) = family.towers(&compute);
            let classifier = classifier(&text);
            for (class, expected) in columns.iter().enumerate() {
                let difference = largest_difference(classifier.column(class), expected);
                assert!(
                    difference <= COLUMNS,
                    "{what}: column {class} differs by {difference}"
                );
            }
            let encoder = ImageEncoder::new(vision, &family.config.preprocessing, &compute);
            let zero_shot = ZeroShot::new(encoder.unwrap(), classifier).unwrap();
            for (found, expected) in zero_shot.logits(&pixels).unwrap().iter().zip(&logits) {
                let difference = largest_difference(found, expected);
                assert!(
                    difference <= LOGITS,
                    "{what}: logits differ by {difference}"
                );
            }
        }
    }
}

/// What a family's settings are for: features with one of them changed are far off.
#[test]
fn a_wrong_setting_moves_the_features_by_far_more_than_the_tolerance() {
    let wrong = |name: &str, change: fn(&mut ModelConfig)| {
        let all = families();
        let family = all.iter().find(|f| f.checkpoint == name).unwrap();
        let (golden, compute) = (family.expected(), Compute::cpu(Precision::F32));
        let weights = open(&fixture(&format!("families/{name}")), &family.config);
        let mut config = family.config.clone();
        change(&mut config);
        let vision = loading::vision_tower(&weights, &config, &compute, &mut |_| ()).unwrap();
        let features = vision.forward(golden.get("image")).unwrap();
        let error = relative_error(&features, golden.get("image_features"));
        assert!(error > 100.0 * BLOCKS, "{name}: image features: {error}");
        let text = loading::text_tower(&weights, &config, &compute).unwrap();
        if config.text != family.config.text {
            let ids = &texts(golden.get("text_ids"))[0];
            let expected = golden.get("text_features").narrow(0, 0, 1).unwrap();
            let error = relative_error(&text_features(&text, ids), &expected);
            assert!(error > 100.0 * BLOCKS, "{name}: text features: {error}");
        }
    };
    fn set(config: &mut ModelConfig, mlp: Mlp) {
        config.vision.transformer.mlp = mlp;
        config.text.transformer.mlp = mlp;
    }
    wrong("openclip_gelu.safetensors", |c| set(c, Mlp::QuickGelu));
    wrong("openclip_quickgelu.safetensors", |c| set(c, Mlp::Gelu));
    wrong("eva02_clip.safetensors", |c| {
        c.vision.transformer.attention_norm = false;
    });
    wrong("eva02_clip.safetensors", |c| c.vision.rope = false);
    wrong("eva02_clip_e.safetensors", |c| {
        c.vision.transformer.norm = NormPlacement::Before;
    });
    wrong("openclip_gelu.safetensors", |c| c.vision.pre_norm = false);
}
