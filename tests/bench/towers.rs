use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use uta_eval::classifier::{self, Trie};
use uta_eval::inference::classifiers::tokens;
use uta_eval::inference::zero_shot::ImageEncoder;
use uta_eval::kernels::Precision;
use uta_eval::model::rope::RopeTables;
use uta_eval::model::{Compute, ModelConfig, TextTower, VisionTower, schema};
use uta_eval::text::{ClassNames, Templates};

use crate::timing::{median, noise};

/// Multiply-adds of a picture times two, in units of 10^9.
const GFLOP: [(&str, f64); 2] = [("eva_base_p16", 35.1), ("eva_large_p14_336", 382.7)];
const BATCHES: [usize; 3] = [1, 8, 16];
/// Multiply-adds of one token position in UTA's text tower, times two, in units of 10^9.
pub const TEXT_GFLOP: f64 = 0.604;

/// Pictures a second through the vision towers.
pub fn vision() {
    println!(
        "\nvision towers, random weights, on {} threads",
        rayon::current_num_threads()
    );
    println!(
        "{:<20} {:>6} {:>16} {:>10} {:>16} {:>10}",
        "model", "batch", "f32 pictures/s", "GFLOP/s", "bf16 pictures/s", "GFLOP/s"
    );
    for (name, gflop) in GFLOP {
        let config = ModelConfig::by_name(name).unwrap();
        let encoders = [Precision::F32, Precision::Bf16].map(|precision| {
            let compute = Compute::cpu(precision);
            let tower = vision_tower(&config, &compute);
            ImageEncoder::new(tower, &config.preprocessing, &compute).unwrap()
        });
        for batch in BATCHES {
            let size = config.preprocessing.size;
            let noise = noise(batch * 3 * size * size);
            let pixels: Vec<u8> = noise.iter().map(|v| (v * 64.0 + 128.0) as u8).collect();
            let [f32, bf16] = encoders
                .each_ref()
                .map(|encoder| batch as f64 / median(|| drop(encoder.encode(&pixels).unwrap())));
            println!(
                "{name:<20} {batch:>6} {f32:>16.2} {:>10.0} {bf16:>16.2} {:>10.0}",
                f32 * gflop,
                bf16 * gflop
            );
        }
    }
}

/// Token positions a second through the text tower: as the classifier computes them, and as prompts
/// padded to the context length, with the same kernels.
pub fn text() {
    let names = ClassNames::from_names(ClassNames::imagenet().names()[..8].to_vec());
    let shared = Trie::new(&tokens(&names, &Templates::imagenet()).unwrap());
    // Sequences that begin differently share nothing.
    let padded: Vec<Vec<u32>> = (0..32).map(|i| (i..i + 77).collect()).collect();
    let padded = Trie::new(&padded);
    println!(
        "\ntext tower, random weights, on {} threads",
        rayon::current_num_threads()
    );
    println!(
        "{:<28} {:>12} {:>10} {:>22}",
        "precision and positions", "positions/s", "GFLOP/s", "80,000 prompts, min"
    );
    let config = ModelConfig::by_name("eva_base_p16").unwrap();
    for precision in [Precision::F32, Precision::Bf16] {
        let tower = text_tower(&config, &Compute::cpu(precision));
        for (what, trie, all, classes) in [
            ("shared beginnings", &shared, 328_378.0, names.len()),
            ("padded to 77", &padded, 6_160_000.0, 1),
        ] {
            let seconds = median(|| {
                drop(classifier::build(&tower, trie, classes, None, &mut |_| ()).unwrap())
            });
            let rate = trie.len() as f64 / seconds;
            println!(
                "{:<28} {rate:>12.0} {:>10.0} {:>22.1}",
                format!("{precision:?}, {what}"),
                rate * TEXT_GFLOP,
                all / rate / 60.0
            );
        }
    }
}

/// A vision tower of random weights.
pub fn vision_tower(config: &ModelConfig, compute: &Compute) -> VisionTower {
    let vision = &config.vision;
    let tables = RopeTables::compute(
        vision.grid(),
        vision.transformer.head_dim(),
        &compute.device,
    )
    .unwrap();
    VisionTower::new(
        vision,
        config.embedding,
        Some(&tables),
        compute,
        weights(config, "visual.", &compute.device),
    )
    .unwrap()
}

pub fn text_tower(config: &ModelConfig, compute: &Compute) -> TextTower {
    TextTower::new(
        &config.text,
        config.embedding,
        compute,
        weights(config, "text.", &compute.device),
    )
    .unwrap()
}

/// Small random weights of one tower, without their prefix.
fn weights(config: &ModelConfig, prefix: &str, device: &Device) -> VarBuilder<'static> {
    let mut tensors = HashMap::new();
    for spec in schema::tensors(config) {
        if let Some(name) = spec.name.strip_prefix(prefix) {
            let count = spec.shape.iter().product();
            let values: Vec<f32> = noise(count).iter().map(|v| v * 0.02).collect();
            let tensor = Tensor::from_vec(values, spec.shape.as_slice(), &Device::Cpu).unwrap();
            tensors.insert(name.to_string(), tensor);
        }
    }
    VarBuilder::from_tensors(tensors, DType::F32, device)
}
