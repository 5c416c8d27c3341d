use std::collections::HashMap;
use std::time::Duration;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use uta_eval::classifier::{self, Trie};
use uta_eval::inference::classifiers::tokens;
use uta_eval::inference::zero_shot::ImageEncoder;
use uta_eval::kernels::Precision;
use uta_eval::model::rope::RopeTables;
use uta_eval::model::{Compute, ModelConfig, TextTower, VisionTower, schema};
use uta_eval::text::{ClassNames, Templates};

use crate::peer::Peer;
use crate::timing::{Side, Turns, cell, heading, noise, rate, row};

/// Multiply-adds of a picture times two, in units of 10^9.
const GFLOP: [(&str, f64); 2] = [("eva_base_p16", 35.1), ("eva_large_p14_336", 382.7)];
const BATCHES: [usize; 3] = [1, 8, 16];
/// How long a side runs in a turn, if a call is not longer.
const TURN: Duration = Duration::from_secs(1);
const PRECISIONS: [(Precision, &str); 2] = [(Precision::F32, "f32"), (Precision::Bf16, "bf16")];
/// Multiply-adds of one token position in UTA's text tower, times two, in units of 10^9.
pub const TEXT_GFLOP: f64 = 0.604;
/// Positions of the 80,000 prompts of ImageNet whose beginnings are shared.
const ALL_POSITIONS: f64 = 328_378.0;

/// Pictures a second through the vision towers, beside PyTorch's.
pub fn vision() {
    println!(
        "\nvision towers, random weights, on {} threads",
        rayon::current_num_threads()
    );
    let peer = Peer::start();
    heading(
        "vision tower | batch | f32 pictures/s | GFLOP/s | to PyTorch | bf16 pictures/s | GFLOP/s | to PyTorch (autocast) | peak before, after",
    );
    for (name, gflop) in GFLOP {
        let config = ModelConfig::by_name(name).unwrap();
        let encoders = PRECISIONS.map(|(precision, _)| {
            let compute = Compute::cpu(precision);
            let tower = vision_tower(&config, &compute);
            ImageEncoder::new(tower, &config.preprocessing, &compute).unwrap()
        });
        for batch in BATCHES {
            let size = config.preprocessing.size;
            let noise = noise(batch * 3 * size * size);
            let pixels: Vec<u8> = noise.iter().map(|v| (v * 64.0 + 128.0) as u8).collect();
            let mut sides: Vec<Side<'_>> = Vec::new();
            for (encoder, (_, precision)) in encoders.iter().zip(PRECISIONS) {
                let call = || drop(encoder.encode(&pixels).unwrap());
                call();
                sides.push(Box::new(move || Some(rate(batch, TURN, call))));
                sides.push(beside(
                    peer.as_ref(),
                    format!("vision {name} {batch} {precision}"),
                ));
            }
            let turns = Turns::take(&format!("{name}, batch {batch}"), sides);
            let flops = |side| turns.median(side).map(|rate| rate * gflop);
            row(&[
                name.into(),
                batch.to_string(),
                cell(turns.median(0), 2),
                cell(flops(0), 0),
                cell(turns.ratio(0, 1), 2),
                cell(turns.median(2), 2),
                cell(flops(2), 0),
                cell(turns.ratio(2, 3), 2),
                peaks(&turns),
            ]);
        }
    }
}

/// Token positions a second through the text tower: as the classifier computes them, and as prompts
/// padded to the context length, with the same kernels and beside PyTorch.
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
    let peer = Peer::start();
    heading(
        "text tower | shared beginnings, positions/s | GFLOP/s | 80,000 prompts, min | padded to 77, positions/s | GFLOP/s | to PyTorch | peak before, after",
    );
    let config = ModelConfig::by_name("eva_base_p16").unwrap();
    for (precision, name) in PRECISIONS {
        let tower = text_tower(&config, &Compute::cpu(precision));
        let build = |trie: &Trie, classes| {
            drop(classifier::build(&tower, trie, classes, None, &mut |_| ()).unwrap());
        };
        let (beginnings, whole) = (|| build(&shared, names.len()), || build(&padded, 1));
        beginnings();
        let turns = Turns::take(
            &format!("text tower in {name}"),
            vec![
                Box::new(|| Some(rate(shared.len(), TURN, beginnings))),
                Box::new(|| Some(rate(padded.len(), TURN, whole))),
                beside(peer.as_ref(), format!("text {name}")),
            ],
        );
        let flops = |side| turns.median(side).map(|rate| rate * TEXT_GFLOP);
        row(&[
            name.into(),
            cell(turns.median(0), 0),
            cell(flops(0), 0),
            cell(turns.median(0).map(|rate| ALL_POSITIONS / rate / 60.0), 1),
            cell(turns.median(1), 0),
            cell(flops(1), 0),
            cell(turns.ratio(1, 2), 2),
            peaks(&turns),
        ]);
    }
}

/// The peer's side of a comparison.
fn beside(peer: Option<&Peer>, request: String) -> Side<'_> {
    let request = format!("{request} {}", TURN.as_secs_f64());
    Box::new(move || match peer?.rate(&request) {
        Ok(rate) => Some(rate),
        Err(reason) => {
            eprintln!("PyTorch cannot: {request}: {reason}");
            None
        }
    })
}

/// The peak around all turns.
fn peaks(turns: &Turns) -> String {
    let [first, .., last] = turns.peaks[..] else {
        return String::new();
    };
    format!("{first:.0}, {last:.0}")
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
