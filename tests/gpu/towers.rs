//! Tolerances: 2e-5 relative with products of f32, as for the other ways to compute; 2e-3 with f16
//! and 1.6e-2 with bf16, which has three bits less.

use candle_core::{IndexOp, Tensor};
use uta_eval::classifier::Trie;
use uta_eval::data::{Batch, Sample};
use uta_eval::evaluation::Predictor;
use uta_eval::inference::zero_shot::{ImageEncoder, ZeroShot};
use uta_eval::metrics::Prediction;
use uta_eval::model::backend::GpuPrecision;
use uta_eval::model::{Compute, Forest, Kept, TextTower};
use uta_eval::text::{ClassNames, Templates};

use super::emulator::{Order, compute, compute_on, gpu_on};
use crate::support::{Folder, Golden, fixture, relative_error, tiny, towers_by, unpacked};

/// Each precision, and both orders of turns for one of them.
fn ways() -> Vec<(&'static str, Compute, f64)> {
    vec![
        ("f32", compute(GpuPrecision::F32), 2e-5),
        (
            "f32 uneven",
            compute_on(GpuPrecision::F32, Order::Uneven),
            2e-5,
        ),
        ("f16", compute(GpuPrecision::F16), 2e-3),
        (
            "f16 reversed",
            compute_on(GpuPrecision::F16, Order::Reversed),
            2e-3,
        ),
        ("bf16", compute(GpuPrecision::Bf16), 1.6e-2),
    ]
}

pub fn pixels(golden: &Golden) -> Vec<u8> {
    let pixels = golden.get("image_u8").flatten_all().unwrap();
    pixels.to_vec1().unwrap()
}

#[test]
fn an_emulated_gpu_passes_the_trial_of_devices() {
    for (precision, order) in [
        (GpuPrecision::F32, Order::Uneven),
        (GpuPrecision::Tf32, Order::Forward),
        (GpuPrecision::F16, Order::Reversed),
        (GpuPrecision::Bf16, Order::Forward),
    ] {
        gpu_on(precision, order)
            .trial(&candle_core::Device::Cpu)
            .unwrap_or_else(|e| panic!("{precision:?}: {e}"));
    }
}

#[test]
fn vision_blocks_and_features_are_the_references() {
    let golden = Golden::load("golden/tiny_expected.safetensors");
    for (way, compute, tolerance) in ways() {
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
            assert!(error <= tolerance, "{way}: {name}: {error}");
        }
        let error = relative_error(&features, golden.get("image_features"));
        assert!(error <= tolerance, "{way}: image_features: {error}");
    }
}

#[test]
fn features_of_bytes_are_the_references() {
    let golden = Golden::load("golden/tiny_expected.safetensors");
    for (way, compute, tolerance) in ways() {
        let (vision, _) = towers_by(&compute, &fixture("golden/tiny.safetensors"), &tiny());
        let encoder = ImageEncoder::new(vision, &tiny().preprocessing, &compute).unwrap();
        let features = encoder.encode(&pixels(&golden)).unwrap();
        let features = Tensor::new(features, golden.get("image").device()).unwrap();
        let error = relative_error(&features, golden.get("image_features"));
        assert!(error <= tolerance, "{way}: {error}");
    }
}

#[test]
fn each_tower_has_its_own_layer_norm_epsilon() {
    let golden = Golden::load("golden/tiny_eps_expected.safetensors");
    let compute = compute(GpuPrecision::F32);
    let folder = Folder::new();
    let checkpoint = unpacked("golden/tiny_eps.safetensors", &folder);
    let (vision, text) = towers_by(&compute, &checkpoint, &tiny());
    let found = vision.forward(golden.get("image")).unwrap();
    let error = relative_error(&found, golden.get("image_features"));
    assert!(error <= 2e-5, "image features: {error}");
    for (row, ids) in texts(golden.get("text_ids")).iter().enumerate() {
        let expected = golden.get("text_features").narrow(0, row, 1).unwrap();
        let error = relative_error(&features(&text, ids), &expected);
        assert!(error <= 2e-5, "features of text {row}: {error}");
    }
}

pub fn texts(ids: &Tensor) -> Vec<Vec<u32>> {
    let rows: Vec<Vec<i64>> = ids.to_vec2().unwrap();
    let to_end = |row: Vec<i64>| {
        let end = row.iter().position(|id| *id == 49407).unwrap();
        row[..=end].iter().map(|id| *id as u32).collect()
    };
    rows.into_iter().map(to_end).collect()
}

pub fn features(tower: &TextTower, ids: &[u32]) -> Tensor {
    let states = tower.states(&Forest::chain(ids), &mut Kept::default(), &[]);
    let end = states.unwrap().narrow(0, ids.len() - 1, 1).unwrap();
    tower.project(&end).unwrap()
}

#[test]
fn text_blocks_and_features_are_the_references() {
    let golden = Golden::load("golden/tiny_expected.safetensors");
    for (way, compute, tolerance) in ways() {
        let (_, tower) = towers_by(&compute, &fixture("golden/tiny.safetensors"), &tiny());
        for (row, ids) in texts(golden.get("text_ids")).iter().enumerate() {
            let mut block = 0;
            tower
                .states_observed(&Forest::chain(ids), &mut Kept::default(), &[], &mut |x| {
                    let expected = golden.get(&format!("text_block_{block}")).i(row)?;
                    let error = relative_error(&x, &expected.narrow(0, 0, ids.len())?);
                    assert!(
                        error <= tolerance,
                        "{way}: text {row}, block {block}: {error}"
                    );
                    block += 1;
                    Ok(())
                })
                .unwrap();
            assert_eq!(block, 3);
            let expected = golden.get("text_features").narrow(0, row, 1).unwrap();
            let error = relative_error(&features(&tower, ids), &expected);
            assert!(error <= tolerance, "{way}: features of text {row}: {error}");
        }
    }
}

/// Classes that share beginnings, in runs that cut through them: kept keys and values are gathered on
/// the device.
#[test]
fn a_classifier_is_the_one_that_the_cpu_builds() {
    let names: Vec<String> = ClassNames::imagenet().names()[..4].to_vec();
    let templates = Templates::imagenet();
    let tokens =
        uta_eval::inference::classifiers::tokens(&ClassNames::from_names(names), &templates)
            .unwrap();
    let tokens: Vec<Vec<u32>> = tokens.into_iter().step_by(8).collect(); // ten of each class
    let trie = Trie::new(&tokens);
    let build = |compute: &Compute| {
        let (_, tower) = towers_by(compute, &fixture("golden/tiny.safetensors"), &tiny());
        uta_eval::classifier::build(&tower, &trie, 4, None, &mut |_| ()).unwrap()
    };
    let expected = build(&Compute::cpu(uta_eval::kernels::Precision::F32));
    for (way, compute, tolerance) in ways() {
        let found = build(&compute);
        for class in 0..4 {
            let pairs = found.column(class).iter().zip(expected.column(class));
            let squares = pairs.map(|(a, b)| f64::from(a - b).powi(2));
            let angle = squares.sum::<f64>().sqrt();
            assert!(angle <= 1.5 * tolerance, "{way}: class {class}: {angle}");
        }
    }
    // The same in runs of a few nodes, with ancestors kept between them.
    let gpu = compute(GpuPrecision::F32);
    let (_, tower) = towers_by(&gpu, &fixture("golden/tiny.safetensors"), &tiny());
    let whole = trie.runs(0, trie.len()).next().unwrap();
    let whole = tower
        .states(&whole.forest, &mut Kept::default(), &[])
        .unwrap();
    let mut kept = Kept::default();
    for run in trie.runs(0, 23) {
        let states = tower.states(&run.forest, &mut kept, &run.keep).unwrap();
        let expected = whole.narrow(0, run.start, run.forest.tokens.len()).unwrap();
        let error = relative_error(&states, &expected);
        assert!(error <= 1e-6, "run at {}: {error}", run.start);
    }
}

#[test]
fn the_devices_top_five_are_those_of_all_logits() {
    let golden = Golden::load("golden/tiny_expected.safetensors");
    let columns: Vec<Vec<f32>> = golden.get("classifier").t().unwrap().to_vec2().unwrap();
    let classifier = uta_eval::classifier::Classifier::new(columns[0].len(), &columns);
    for (way, compute, _) in ways() {
        let (vision, _) = towers_by(&compute, &fixture("golden/tiny.safetensors"), &tiny());
        let encoder = ImageEncoder::new(vision, &tiny().preprocessing, &compute).unwrap();
        let zero_shot = ZeroShot::new(encoder, classifier.clone()).unwrap();
        let pixels = pixels(&golden);
        let logits = zero_shot.logits(&pixels).unwrap();
        let samples = (0..logits.len())
            .map(|label| Sample::file("x".into(), label))
            .collect();
        let batch = Batch {
            pixels,
            samples,
            ..Batch::default()
        };
        let found = zero_shot.predict(&batch).unwrap().predictions;
        assert_eq!(found.len(), logits.len());
        for (found, logits) in found.iter().zip(&logits) {
            let expected = Prediction::from_logits(logits);
            assert_eq!(found.classes, expected.classes, "{way}");
            for (a, b) in found.logits.iter().zip(&expected.logits) {
                assert!((a - b).abs() < 1e-4, "{way}: {a} {b}");
            }
        }
    }
}
