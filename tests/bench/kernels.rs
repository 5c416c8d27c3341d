use std::time::{Duration, Instant};

use candle_core::{Device, Tensor};
use uta_eval::kernels::{Attention, Epilogue, Isa, PackedLinear, Precision, layer_norm, peak};

use crate::timing::{ENOUGH, median, middle, noise};

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

/// How long the peak is measured before and after a layer.
const MOMENT: Duration = Duration::from_millis(4);

/// How fast a layer is: medians of GFLOP/s, and of the share of what the machine could do at best in
/// the same moments. A machine that is shared with others is not equally fast in all of them.
struct Rate {
    gflops: f64,
    share: f64,
}

impl Rate {
    fn of(isa: Isa, precision: Precision, flops: f64, mut work: impl FnMut()) -> Self {
        work();
        let peak = || peak(isa, precision, MOMENT);
        let (mut rates, mut shares) = (Vec::new(), Vec::new());
        let start = Instant::now();
        let mut before = peak();
        while rates.len() < 3 || start.elapsed() < ENOUGH {
            let clock = Instant::now();
            work();
            let rate = flops / clock.elapsed().as_secs_f64();
            let after = peak();
            rates.push(rate);
            shares.push(rate / ((before + after) / 2.0));
            before = after;
        }
        Self {
            gflops: middle(rates) / 1e9,
            share: middle(shares),
        }
    }
}

impl std::fmt::Display for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:>9.0} {:>4.0} %", self.gflops, 100.0 * self.share)
    }
}

/// GFLOP/s of each layer, its share of the peak, and how many times candle's matmul it is.
pub fn table() {
    let isa = Isa::best();
    println!(
        "kernels: {} on {} threads",
        isa.name(),
        rayon::current_num_threads()
    );
    let [f32, bf16] = [Precision::F32, Precision::Bf16].map(|precision| {
        let rates = (0..50).map(|_| peak(isa, precision, MOMENT) / 1e9);
        let rates: Vec<f64> = rates.collect();
        let best = rates.iter().copied().fold(0.0, f64::max);
        let median = middle(rates);
        format!("{median:.0}, at best {best:.0}")
    });
    println!("peak, of tiles in the first cache: {f32} GFLOP/s in f32; {bf16} in bf16");
    println!(
        "{:<26} {:>16} {:>8} {:>16}",
        "layer", "f32 GFLOP/s", "/candle", "bf16 GFLOP/s"
    );
    for (name, rows, inputs, outputs, gated) in LAYERS {
        let product = if gated { 2 * outputs } else { outputs };
        let flops = 2.0 * (rows * inputs * product) as f64;
        let (first, second) = (noise(outputs * inputs), noise(outputs * inputs));
        let x = noise(rows * inputs);
        let rate = |precision| {
            let layer = if gated {
                PackedLinear::gated((&first, None), (&second, None), inputs, precision, isa)
            } else {
                PackedLinear::new(&first, None, inputs, precision, isa)
            };
            let work = || drop(layer.forward(&x, Epilogue::Bias));
            Rate::of(isa, precision, flops, work)
        };
        let (f32, bf16) = (rate(Precision::F32), rate(Precision::Bf16));
        let candle = flops / candle(rows, inputs, product) / 1e9;
        println!("{name:<26} {f32} {:>8.2} {bf16}", f32.gflops / candle);
    }
    for (name, batch, tokens, heads, head_dim) in [
        ("B/16 attention, 8 pictures", 8, 197, 12, 64),
        ("L/14 attention, 8 pictures", 8, 577, 16, 64),
    ] {
        let flops = 4.0 * (batch * tokens * tokens * heads * head_dim) as f64;
        let qkv = noise(batch * tokens * 3 * heads * head_dim);
        let angles = noise(tokens * head_dim);
        let attention = Attention {
            heads,
            head_dim,
            tokens,
            queries: tokens,
            rotation: Some((&angles, &angles)),
        };
        let rate = |precision| {
            let work = || drop(attention.forward(isa, precision, &qkv));
            Rate::of(isa, precision, flops, work)
        };
        let (f32, bf16) = (rate(Precision::F32), rate(Precision::Bf16));
        println!("{name:<26} {f32} {:>8} {bf16}", "");
    }
    let seconds = norm(isa, 1576, 768);
    println!(
        "{:<26} {:>9.1} GB/s",
        "LayerNorm 1576 x 768",
        8.0 * (1576 * 768) as f64 / seconds / 1e9
    );
}

fn candle(rows: usize, inputs: usize, outputs: usize) -> f64 {
    let tensor =
        |rows: usize| Tensor::from_vec(noise(rows * inputs), (rows, inputs), &Device::Cpu).unwrap();
    let (x, weight) = (tensor(rows), tensor(outputs));
    median(|| drop(x.matmul(&weight.t().unwrap()).unwrap()))
}

fn norm(isa: Isa, rows: usize, width: usize) -> f64 {
    let (x, weight) = (noise(rows * width), noise(width));
    median(|| drop(layer_norm(isa, &x, &weight, &weight, 1e-6)))
}
