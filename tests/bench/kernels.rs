use std::cell::RefCell;
use std::time::{Duration, Instant};

use half::bf16;
use uta_eval::kernels::{
    Attention, Epilogue, Isa, PackedLinear, Precision, fastest, layer_norm, peak, unused_tiles,
};

use crate::peer::Peer;
use crate::timing::{Side, Turns, cell, heading, median, middle, noise, row};

/// What a layer writes.
#[derive(Clone, Copy, PartialEq)]
enum Writes {
    /// Operands, in bf16 if the factors are.
    Operands,
    /// Gated operands.
    Gated,
    /// Sums that are added to the residual stream, in f32.
    Residual,
}
use Writes::{Gated, Operands, Residual};

/// Layers by name: rows, inputs, outputs, and what it writes.
const LAYERS: [(&str, usize, usize, usize, Writes); 13] = [
    ("B/16 qkv, 1 picture", 197, 768, 2304, Operands),
    ("B/16 qkv, 8 pictures", 1576, 768, 2304, Operands),
    ("B/16 proj, 8 pictures", 1576, 768, 768, Residual),
    ("B/16 w1 w2, 1 picture", 197, 768, 2048, Gated),
    ("B/16 w1 w2, 8 pictures", 1576, 768, 2048, Gated),
    ("B/16 w3, 8 pictures", 1576, 2048, 768, Residual),
    ("L/14 qkv, 1 picture", 577, 1024, 3072, Operands),
    ("L/14 qkv, 8 pictures", 4616, 1024, 3072, Operands),
    ("L/14 w1 w2, 8 pictures", 4616, 1024, 2730, Gated),
    ("L/14 w3, 8 pictures", 4616, 2730, 1024, Residual),
    ("g/14 w3, 1 picture", 577, 4096, 1408, Residual),
    ("text qkv, 2048 tokens", 2048, 1024, 3072, Operands),
    ("text c_proj, 2048 tokens", 2048, 4096, 1024, Residual),
];

/// How long the peak is measured before and after a layer.
const MOMENT: Duration = Duration::from_millis(4);

/// How long a layer runs in a turn.
const TURN: Duration = Duration::from_millis(200);

/// What a layer reaches in a turn, over as many calls as there is time for.
fn reached(isa: Isa, precision: Precision, flops: f64, mut work: impl FnMut()) -> (f64, f64) {
    let peak = || peak(isa, precision, MOMENT);
    let (mut rates, mut shares) = (Vec::new(), Vec::new());
    let start = Instant::now();
    let mut before = peak();
    while rates.is_empty() || start.elapsed() < TURN {
        let clock = Instant::now();
        work();
        let rate = flops / clock.elapsed().as_secs_f64();
        let after = peak();
        rates.push(rate);
        shares.push(rate / ((before + after) / 2.0));
        before = after;
    }
    (middle(rates), middle(shares))
}

/// The rates of each instruction set, and which one is chosen.
pub fn rates() {
    println!(
        "\nrates of tiles in the first cache, GFLOP/s on {} threads",
        rayon::current_num_threads()
    );
    heading("instructions | f32 | bf16");
    let chosen = [Precision::F32, Precision::Bf16].map(fastest);
    for isa in Isa::available() {
        let cell = |precision: Precision, chosen| {
            let rates: Vec<f64> = (0..50)
                .map(|_| peak(isa, precision, MOMENT) / 1e9)
                .collect();
            let best = rates.iter().copied().fold(0.0, f64::max);
            let chosen = if isa == chosen { ", chosen" } else { "" };
            format!("{:.0}, at best {best:.0}{chosen}", middle(rates))
        };
        row(&[
            isa.name().into(),
            cell(Precision::F32, chosen[0]),
            cell(Precision::Bf16, chosen[1]),
        ]);
    }
    if let Some(reason) = unused_tiles() {
        println!("{reason}");
    }
}

/// Work in both precisions, ours and PyTorch's in turns.
struct Layer<'a> {
    name: &'a str,
    flops: f64,
    /// Ours, in f32 and bf16.
    ours: [&'a dyn Fn(); 2],
    /// `peer.py`'s name of it.
    request: String,
}

impl Layer<'_> {
    fn compare(&self, isas: [Isa; 2], peer: Option<&Peer>) {
        // Each turn has the rate and the share of f32, and those of bf16.
        let shares = [RefCell::default(), RefCell::default()];
        let mut sides: Vec<Side<'_>> = Vec::new();
        for (i, (precision, name)) in [(Precision::F32, "f32"), (Precision::Bf16, "bf16")]
            .into_iter()
            .enumerate()
        {
            let shares: &RefCell<Vec<f64>> = &shares[i];
            (self.ours[i])();
            sides.push(Box::new(move || {
                let (rate, share) = reached(isas[i], precision, self.flops, self.ours[i]);
                shares.borrow_mut().push(share);
                Some(rate / 1e9)
            }));
            let request = format!("{} {name} {}", self.request, TURN.as_secs_f64());
            sides.push(Box::new(move || {
                Some(peer?.rate(&request).ok()? * self.flops / 1e9)
            }));
        }
        let turns = Turns::take(self.name, sides);
        let [f32, bf16] = shares.map(|shares| 100.0 * middle(shares.into_inner()));
        row(&[
            self.name.into(),
            cell(turns.median(0), 0),
            format!("{f32:.0} %"),
            cell(turns.ratio(0, 1), 2),
            cell(turns.median(2), 0),
            format!("{bf16:.0} %"),
            cell(turns.ratio(2, 3), 2),
        ]);
    }
}

/// GFLOP/s of each layer, its share of the peak in the same moments, and how many times PyTorch's it is.
pub fn table() {
    rates();
    let isas = [Precision::F32, Precision::Bf16].map(fastest);
    println!(
        "\nlayers: {} in f32, {} in bf16, on {} threads",
        isas[0].name(),
        isas[1].name(),
        rayon::current_num_threads()
    );
    let peer = Peer::start();
    heading(
        "layer | f32 GFLOP/s | of the peak | to PyTorch | bf16 GFLOP/s | of the peak | to PyTorch",
    );
    for (name, rows, inputs, outputs, writes) in LAYERS {
        let gated = writes == Gated;
        let product = if gated { 2 * outputs } else { outputs };
        let (first, second) = (noise(outputs * inputs), noise(outputs * inputs));
        let x = noise(rows * inputs);
        let layer = |precision, isa| {
            if gated {
                PackedLinear::gated((&first, None), (&second, None), inputs, precision, isa)
            } else {
                PackedLinear::new(&first, None, inputs, precision, isa)
            }
        };
        let layers = [
            layer(Precision::F32, isas[0]),
            layer(Precision::Bf16, isas[1]),
        ];
        let rounded: Vec<bf16> = x.iter().map(|v| bf16::from_f32(*v)).collect();
        let residual = RefCell::new(noise(rows * outputs));
        let f32 = || match writes {
            Residual => layers[0].add_to(&x, &mut residual.borrow_mut()),
            _ => drop(layers[0].forward::<f32, f32>(&x, Epilogue::Bias)),
        };
        let bf16 = || match writes {
            Residual => layers[1].add_to(&rounded, &mut residual.borrow_mut()),
            _ => drop(layers[1].forward::<bf16, bf16>(&rounded, Epilogue::Bias)),
        };
        Layer {
            name,
            flops: 2.0 * (rows * inputs * product) as f64,
            ours: [&f32, &bf16],
            request: format!("linear {rows} {inputs} {product}"),
        }
        .compare(isas, peer.as_ref());
    }
    for (name, batch, tokens, heads, head_dim) in [
        ("B/16 attention, 8 pictures", 8, 197, 12, 64),
        ("L/14 attention, 8 pictures", 8, 577, 16, 64),
    ] {
        let qkv = noise(batch * tokens * 3 * heads * head_dim);
        let angles = noise(tokens * head_dim);
        let attention = Attention {
            heads,
            head_dim,
            tokens,
            queries: tokens,
            rotation: Some((&angles, &angles)),
        };
        let rounded: Vec<bf16> = qkv.iter().map(|v| bf16::from_f32(*v)).collect();
        let f32 = || drop(attention.forward::<f32>(isas[0], Precision::F32, &qkv));
        let bf16 = || drop(attention.forward::<bf16>(isas[1], Precision::Bf16, &rounded));
        Layer {
            name,
            flops: 4.0 * (batch * tokens * tokens * heads * head_dim) as f64,
            ours: [&f32, &bf16],
            request: format!("attention {batch} {tokens} {heads} {head_dim}"),
        }
        .compare(isas, peer.as_ref());
    }
    let seconds = norm(isas[0], 1576, 768);
    println!(
        "LayerNorm 1576 x 768: {:.1} GB/s",
        8.0 * (1576 * 768) as f64 / seconds / 1e9
    );
}

fn norm(isa: Isa, rows: usize, width: usize) -> f64 {
    let (x, weight) = (noise(rows * width), noise(width));
    median(|| drop(layer_norm::<f32, f32>(isa, &x, &weight, &weight, 1e-6)))
}
