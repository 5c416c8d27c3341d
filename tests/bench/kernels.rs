use candle_core::{Device, Tensor};
use uta_eval::kernels::{Attention, Epilogue, Isa, PackedLinear, Precision, layer_norm, peak};

use crate::timing::{median, noise};

/// Layers by name: rows, inputs, outputs, and whether it is gated.
const LAYERS: [(&str, usize, usize, usize, bool); 13] = [
    ("B/16 qkv, 1 picture", 197, 768, 2304, false),
    ("B/16 qkv, 8 pictures", 1576, 768, 2304, false),
    ("B/16 proj, 8 pictures", 1576, 768, 768, false),
    ("B/16 w1 w2, 1 picture", 197, 768, 2048, true),
    ("B/16 w1 w2, 8 pictures", 1576, 768, 2048, true),
    ("B/16 w3, 8 pictures", 1576, 2048, 768, false),
    ("L/14 qkv, 1 picture", 577, 1024, 3072, false),
    ("L/14 qkv, 8 pictures", 4616, 1024, 3072, false),
    ("L/14 w1 w2, 8 pictures", 4616, 1024, 2730, true),
    ("L/14 w3, 8 pictures", 4616, 2730, 1024, false),
    ("g/14 w3, 1 picture", 577, 4096, 1408, false),
    ("text qkv, 2048 tokens", 2048, 1024, 3072, false),
    ("text c_proj, 2048 tokens", 2048, 4096, 1024, false),
];

/// GFLOP/s of each layer, its share of the peak, and how many times candle's matmul it is.
pub fn table() {
    let isa = Isa::best();
    let [peak, peak_bf16] = [Precision::F32, Precision::Bf16].map(|p| peak(isa, p) / 1e9);
    println!(
        "kernels: {} on {} threads",
        isa.name(),
        rayon::current_num_threads()
    );
    println!("peak: {peak:.0} GFLOP/s in f32, {peak_bf16:.0} in bf16, of tiles in the first cache");
    println!(
        "{:<26} {:>16} {:>8} {:>16} {:>8}",
        "layer", "f32 GFLOP/s", "/candle", "bf16 GFLOP/s", ""
    );
    for (name, rows, inputs, outputs, gated) in LAYERS {
        let product = if gated { 2 * outputs } else { outputs };
        let flops = 2.0 * (rows * inputs * product) as f64;
        let rate = |precision| flops / layer(isa, precision, rows, inputs, outputs, gated) / 1e9;
        let (f32, bf16) = (rate(Precision::F32), rate(Precision::Bf16));
        let candle = flops / candle(rows, inputs, product) / 1e9;
        println!(
            "{name:<26} {f32:>9.0} {:>4.0} % {:>8.2} {bf16:>9.0} {:>4.0} %",
            100.0 * f32 / peak,
            f32 / candle,
            100.0 * bf16 / peak_bf16,
        );
    }
    for (name, batch, tokens, heads, head_dim) in [
        ("B/16 attention, 8 pictures", 8, 197, 12, 64),
        ("L/14 attention, 8 pictures", 8, 577, 16, 64),
    ] {
        let flops = 4.0 * (batch * tokens * tokens * heads * head_dim) as f64;
        let rate =
            |precision| flops / attention(isa, precision, batch, tokens, heads, head_dim) / 1e9;
        let (f32, bf16) = (rate(Precision::F32), rate(Precision::Bf16));
        println!(
            "{name:<26} {f32:>9.0} {:>4.0} % {:>8} {bf16:>9.0} {:>4.0} %",
            100.0 * f32 / peak,
            "",
            100.0 * bf16 / peak_bf16,
        );
    }
    let seconds = norm(isa, 1576, 768);
    println!(
        "{:<26} {:>9.1} GB/s",
        "LayerNorm 1576 x 768",
        8.0 * (1576 * 768) as f64 / seconds / 1e9
    );
}

fn layer(
    isa: Isa,
    precision: Precision,
    rows: usize,
    inputs: usize,
    outputs: usize,
    gated: bool,
) -> f64 {
    let (first, second) = (noise(outputs * inputs), noise(outputs * inputs));
    let layer = match gated {
        true => PackedLinear::gated((&first, None), (&second, None), inputs, precision, isa),
        false => PackedLinear::new(&first, None, inputs, precision, isa),
    };
    let x = noise(rows * inputs);
    median(|| drop(layer.forward(&x, Epilogue::Bias)))
}

fn candle(rows: usize, inputs: usize, outputs: usize) -> f64 {
    let tensor =
        |rows: usize| Tensor::from_vec(noise(rows * inputs), (rows, inputs), &Device::Cpu).unwrap();
    let (x, weight) = (tensor(rows), tensor(outputs));
    median(|| drop(x.matmul(&weight.t().unwrap()).unwrap()))
}

fn attention(
    isa: Isa,
    precision: Precision,
    batch: usize,
    tokens: usize,
    heads: usize,
    head_dim: usize,
) -> f64 {
    let qkv = noise(batch * tokens * 3 * heads * head_dim);
    let angles = noise(tokens * head_dim);
    let attention = Attention {
        heads,
        head_dim,
        tokens,
        queries: tokens,
        rotation: (&angles, &angles),
    };
    median(|| drop(attention.forward(isa, precision, &qkv)))
}

fn norm(isa: Isa, rows: usize, width: usize) -> f64 {
    let (x, weight) = (noise(rows * width), noise(width));
    median(|| drop(layer_norm(isa, &x, &weight, &weight, 1e-6)))
}
