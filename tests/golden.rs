//! Tolerances: 2e-5 relative for block outputs and features, 1e-6 absolute for classifier columns,
//! 1e-3 absolute for logits. The usual mistakes (another GELU, RoPE or epsilon) are well outside.

use candle_core::{Device, IndexOp, Tensor};
use serde::Deserialize;
use uta_eval::classifier::{Classifier, Trie};
use uta_eval::inference::zero_shot::{ImageEncoder, ZeroShot};
use uta_eval::kernels::Precision;
use uta_eval::metrics::Prediction;
use uta_eval::model::rope::RopeTables;
use uta_eval::model::{Compute, Forest, Kept, ModelConfig, TextTower};
use uta_eval::picture::{Preprocessor, Scratch};
use uta_eval::text::{ClassNames, Templates, Tokenizer, prompts};

use crate::support::{
    Folder, Golden, fixture, json, largest_difference, relative_error, tiny, towers, towers_by,
    unpacked, values, ways,
};

pub const BLOCKS: f64 = 2e-5;
pub const COLUMNS: f32 = 1e-6;
pub const LOGITS: f32 = 1e-3;

/// Ids of each row up to the end of text.
pub fn texts(ids: &Tensor) -> Vec<Vec<u32>> {
    let rows: Vec<Vec<i64>> = ids.to_vec2().unwrap();
    rows.into_iter()
        .map(|row| {
            let end = row.iter().position(|id| *id == 49407).unwrap();
            row[..=end].iter().map(|id| *id as u32).collect()
        })
        .collect()
}

pub fn text_features(tower: &TextTower, ids: &[u32]) -> Tensor {
    let states = tower
        .states(&Forest::chain(ids), &mut Kept::default(), &[])
        .unwrap();
    tower
        .project(&states.narrow(0, ids.len() - 1, 1).unwrap())
        .unwrap()
}

fn imagenet_classifier(tower: &TextTower) -> Classifier {
    let (names, templates) = (ClassNames::imagenet(), Templates::imagenet());
    let texts: Vec<String> = prompts(&names, &templates).collect();
    let trie = Trie::new(&Tokenizer::clip().unwrap().encode_batch_to_end(&texts));
    uta_eval::classifier::build(tower, &trie, names.len(), None, &mut |_| ()).unwrap()
}

#[test]
fn rope_tables_of_the_published_models_are_the_references() {
    let golden = Golden::load("golden/rope.safetensors");
    for name in ["eva_base_p16", "eva_large_p14_336", "eva_giant_p14_336"] {
        let vision = ModelConfig::by_name(name).unwrap().vision;
        let tables =
            RopeTables::compute(vision.grid(), vision.transformer.head_dim(), &Device::Cpu)
                .unwrap();
        for (part, table) in [("cos", &tables.cos), ("sin", &tables.sin)] {
            let expected = golden.get(&format!("{name}.{part}"));
            assert_eq!(table.dims(), expected.dims());
            let difference = largest_difference(&values(table), &values(expected));
            assert!(difference <= 2e-6, "{name}.{part} differs by {difference}");
        }
    }
}

#[test]
fn vision_blocks_and_features_are_the_references() {
    let golden = Golden::load("golden/tiny_expected.safetensors");
    for (way, compute) in ways() {
        let (vision, _) = towers_by(&compute, &fixture("golden/tiny.safetensors"), &tiny());
        let mut stages = Vec::new();
        let features = vision
            .forward_observed(golden.get("image"), &mut |x| {
                stages.push(x);
                Ok(())
            })
            .unwrap();
        let names = [
            "vision_embedded",
            "vision_block_0",
            "vision_block_1",
            "vision_block_2",
        ];
        assert_eq!(stages.len(), names.len());
        for (stage, name) in stages.iter().zip(names) {
            let error = relative_error(stage, golden.get(name));
            assert!(error <= BLOCKS, "{way}: {name}: {error}");
        }
        let error = relative_error(&features, golden.get("image_features"));
        assert!(error <= BLOCKS, "{way}: image_features: {error}");
    }
}

#[test]
fn text_blocks_and_features_are_the_references() {
    let golden = Golden::load("golden/tiny_expected.safetensors");
    for (way, compute) in ways() {
        let (_, tower) = towers_by(&compute, &fixture("golden/tiny.safetensors"), &tiny());
        for (row, ids) in texts(golden.get("text_ids")).iter().enumerate() {
            let mut block = 0;
            tower
                .states_observed(&Forest::chain(ids), &mut Kept::default(), &[], &mut |x| {
                    // The reference computes the padding behind the end of text too; causality makes
                    // it meaningless.
                    let expected = golden.get(&format!("text_block_{block}")).i(row)?;
                    let error = relative_error(&x, &expected.narrow(0, 0, ids.len())?);
                    assert!(error <= BLOCKS, "{way}: text {row}, block {block}: {error}");
                    block += 1;
                    Ok(())
                })
                .unwrap();
            assert_eq!(block, 3);
            let expected = golden.get("text_features").narrow(0, row, 1).unwrap();
            let error = relative_error(&text_features(&tower, ids), &expected);
            assert!(error <= BLOCKS, "{way}: features of text {row}: {error}");
        }
    }
}

#[test]
fn each_tower_has_its_own_layer_norm_epsilon() {
    let folder = Folder::new();
    let checkpoint = unpacked("golden/tiny_eps.safetensors", &folder);
    let golden = Golden::load("golden/tiny_eps_expected.safetensors");
    for (way, compute) in ways() {
        let (vision, text) = towers_by(&compute, &checkpoint, &tiny());
        let features = vision.forward(golden.get("image")).unwrap();
        let error = relative_error(&features, golden.get("image_features"));
        assert!(error <= BLOCKS, "{way}: image features: {error}");
        for (row, ids) in texts(golden.get("text_ids")).iter().enumerate() {
            let expected = golden.get("text_features").narrow(0, row, 1).unwrap();
            let error = relative_error(&text_features(&text, ids), &expected);
            assert!(error <= BLOCKS, "{way}: features of text {row}: {error}");
        }
    }
}

#[test]
fn classifier_and_logits_are_the_references() {
    let golden = Golden::load("golden/tiny_expected.safetensors");
    for (way, compute) in ways() {
        let (vision, text) = towers_by(&compute, &fixture("golden/tiny.safetensors"), &tiny());
        let classifier = imagenet_classifier(&text);
        assert_eq!(classifier.classes(), 1000);
        let expected = golden
            .get("classifier")
            .t()
            .unwrap()
            .to_vec2::<f32>()
            .unwrap();
        for (class, expected) in expected.iter().enumerate() {
            let difference = largest_difference(classifier.column(class), expected);
            assert!(
                difference <= COLUMNS,
                "column {class} differs by {difference}"
            );
        }
        assert_eq!(classifier.tied_classes(), [[657, 744], [836, 837]]);

        let encoder = ImageEncoder::new(vision, &tiny().preprocessing, &compute).unwrap();
        let pixels: Vec<u8> = golden
            .get("image_u8")
            .flatten_all()
            .unwrap()
            .to_vec1()
            .unwrap();
        let logits = ZeroShot::new(encoder, classifier)
            .unwrap()
            .logits(&pixels)
            .unwrap();
        let expected = golden.get("logits").to_vec2::<f32>().unwrap();
        assert_eq!(logits.len(), expected.len());
        for (picture, (logits, expected)) in logits.iter().zip(&expected).enumerate() {
            let difference = largest_difference(logits, expected);
            assert!(
                difference <= LOGITS,
                "{way}: logits of picture {picture} differ by {difference}"
            );
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedPrediction {
    file: String,
    top5: Vec<usize>,
    logits: Vec<f32>,
}

#[test]
fn top_five_of_all_sixteen_photographs_are_the_references() {
    let expected: Vec<ExpectedPrediction> = json("golden/tiny_predictions_expected.json");
    assert_eq!(expected.len(), 16);
    let config = tiny();
    let (vision, text) = towers(&fixture("golden/tiny.safetensors"), &config);
    let encoder =
        ImageEncoder::new(vision, &config.preprocessing, &Compute::cpu(Precision::F32)).unwrap();
    let zero_shot = ZeroShot::new(encoder, imagenet_classifier(&text)).unwrap();
    let preprocessor = Preprocessor::new(
        config.preprocessing.size,
        config.preprocessing.interpolation,
    );
    let mut crop = vec![0; preprocessor.crop_bytes()];
    for ExpectedPrediction { file, top5, logits } in expected {
        let bytes = std::fs::read(fixture(&format!("golden/photos/{file}"))).unwrap();
        preprocessor
            .crop(&bytes, &mut crop, &mut Scratch::default())
            .unwrap();
        let prediction = Prediction::from_logits(&zero_shot.logits(&crop).unwrap()[0]);
        assert_eq!(prediction.classes, top5, "{file}");
        let difference = largest_difference(&prediction.logits, &logits);
        assert!(difference <= LOGITS, "{file} differs by {difference}");
    }
}
