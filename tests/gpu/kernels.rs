use candle_core::{D, DType, Device, Tensor};
use uta_eval::metrics::Prediction;
use uta_eval::model::backend::{Activation, Backend, GpuPrecision, Norm, Picture, Rank};
use uta_eval::model::rope::Rotation;

use super::emulator::{Order, gpu, gpu_on};
use crate::support::{relative_error, values};

/// Values between -1 and 1.
fn noise(shape: &[usize], seed: u32) -> Tensor {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| next()).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

/// Attention as candle's operations say it, without rotation.
fn plain_attention(qkv: &Tensor, pictures: usize, heads: usize) -> candle_core::Result<Tensor> {
    let (rows, channels) = qkv.dims2()?;
    let (tokens, head_dim) = (rows / pictures, channels / 3 / heads);
    let parts = qkv
        .reshape((pictures, tokens, 3, heads, head_dim))?
        .permute((2, 0, 3, 1, 4))?;
    let [q, k, v] = [0, 1, 2].map(|i| parts.get(i).unwrap().contiguous().unwrap());
    let scores = (q.matmul(&k.t()?)? * (head_dim as f64).powf(-0.5))?;
    let weights = candle_nn::ops::softmax(&scores, D::Minus1)?;
    weights
        .matmul(&v)?
        .transpose(1, 2)?
        .reshape((rows, channels / 3))
}

/// The published models' heads have 64, 80, 88, 104 and 112 channels; token counts that are no multiples of 16,
/// one tile of keys, full and nearly empty last ones, several blocks of queries.
#[test]
fn attention_is_candles_for_every_head_and_length() {
    for (precision, tolerance) in [
        (GpuPrecision::F32, 2e-6),
        (GpuPrecision::F16, 2e-3),
        (GpuPrecision::Bf16, 1.5e-2),
    ] {
        for (pictures, tokens, heads, head_dim) in [
            (2, 5, 3, 64),
            (1, 70, 2, 88),
            (1, 64, 1, 88),
            (1, 129, 1, 64),
            (1, 33, 1, 32),
            (2, 17, 1, 16),
            (1, 20, 1, 40),
            (1, 20, 2, 12),
            (1, 17, 2, 20),
            (1, 17, 2, 22),
            (2, 18, 1, 24),
            (1, 35, 1, 80),
            (1, 18, 1, 104),
            (1, 66, 2, 112),
            (1, 18, 1, 120),
            (1, 2, 1, 600),
        ] {
            for order in [Order::Forward, Order::Reversed, Order::Uneven] {
                let gpu = gpu_on(precision, order);
                let width = heads * head_dim;
                let qkv = (noise(&[pictures * tokens, 3 * width], 1) * 2.0).unwrap();
                let bias = noise(&[3 * width], 2);
                let angles = (noise(&[tokens, head_dim / 2], 3) * 3.0).unwrap();
                // Every angle twice, as the rotary tables have them.
                let angles = Tensor::stack(&[&angles, &angles], 2)
                    .unwrap()
                    .flatten_from(1)
                    .unwrap();
                let (cos, sin) = (angles.cos().unwrap(), angles.sin().unwrap());
                let rounded = qkv.to_dtype(precision.dtype()).unwrap();
                let biased = qkv.broadcast_add(&bias).unwrap();
                let turned = rotate(&biased, (&cos, &sin), pictures, heads).unwrap();
                let tables = Rotation { cos, sin };
                for (rotation, qkv) in [(Some(&tables), turned), (None, biased)] {
                    let shape = Picture {
                        heads,
                        tokens,
                        queries: tokens,
                        rotation,
                    };
                    let split = gpu.heads(&rounded, &bias, &shape).unwrap();
                    let found = gpu.attend(&split).unwrap().to_dtype(DType::F32).unwrap();
                    let expected = plain_attention(&qkv, pictures, heads).unwrap();
                    let error = relative_error(&found, &expected);
                    assert!(
                        error <= tolerance,
                        "{precision:?}: {tokens} tokens, {head_dim} channels, {order:?}: {error}"
                    );
                }
            }
        }
    }
}

/// q and k of [pictures * tokens, 3 * width] turned by the tables, in plain Rust.
fn rotate(
    qkv: &Tensor,
    (cos, sin): (&Tensor, &Tensor),
    pictures: usize,
    heads: usize,
) -> candle_core::Result<Tensor> {
    let (rows, channels) = qkv.dims2()?;
    let (tokens, head_dim) = cos.dims2()?;
    assert_eq!(rows, pictures * tokens);
    let (cos, sin, mut x) = (values(cos), values(sin), values(qkv));
    for (row, x) in x.chunks_mut(channels).enumerate() {
        for head in 0..2 * heads {
            for d in (0..head_dim).step_by(2) {
                let (at, angle) = (head * head_dim + d, row % tokens * head_dim + d);
                let (a, b) = (x[at], x[at + 1]);
                x[at] = a * cos[angle] - b * sin[angle];
                x[at + 1] = b * cos[angle + 1] + a * sin[angle + 1];
            }
        }
    }
    Tensor::from_vec(x, (rows, channels), &Device::Cpu)
}

/// Padded channels, and tokens where products of candle's follow, must be zeros, or a GPU's leftovers
/// would spread.
#[test]
fn padding_of_heads_is_zero() {
    let gpu = gpu(GpuPrecision::F16);
    let tokens = 5;
    for (head_dim, padded) in [(88, [3, 1, 5, 96]), (120, [3, 1, 16, 128])] {
        let qkv = noise(&[tokens, 3 * head_dim], 4)
            .to_dtype(DType::F16)
            .unwrap();
        let bias = Tensor::ones(3 * head_dim, DType::F32, &Device::Cpu).unwrap();
        let shape = Picture {
            heads: 1,
            tokens,
            queries: tokens,
            rotation: None,
        };
        let split = gpu.heads(&qkv, &bias, &shape).unwrap().qkv;
        assert_eq!(split.dims(), padded);
        let split = split.to_dtype(DType::F32).unwrap();
        for (axis, used) in [(2, tokens), (3, head_dim)] {
            let padding = split.narrow(axis, used, padded[axis] - used).unwrap();
            let padding = values(&padding.contiguous().unwrap());
            assert!(padding.iter().all(|v| *v == 0.0));
        }
    }
}

/// Rows that allow steps of eight values, and others; with and without padding behind them.
#[test]
fn rows_of_any_width_are_normalised() {
    for (precision, tolerance) in [(GpuPrecision::F32, 1e-5), (GpuPrecision::F16, 1e-3)] {
        let gpu = gpu(precision);
        let narrow = |x: &Tensor| x.to_dtype(precision.dtype()).unwrap();
        let check = |found: &Tensor, expected: &Tensor, what: &str| {
            let error = relative_error(&found.to_dtype(DType::F32).unwrap(), expected);
            assert!(error <= tolerance, "{precision:?}, {what}: {error}");
        };
        for (width, pitch) in [(24, 24), (27, 27), (30, 64), (2100, 2112)] {
            let rows = 3;
            let (x, y) = (noise(&[rows, width], 1), noise(&[rows, width], 2));
            let bias = noise(&[width], 3);
            let norm = Norm {
                weight: noise(&[width], 4),
                bias: noise(&[width], 5),
                width,
                eps: 1e-5,
            };
            let plain = |x: &Tensor| {
                candle_nn::ops::layer_norm(x, &norm.weight, &norm.bias, norm.eps).unwrap()
            };
            check(&gpu.norm(&x, &norm).unwrap(), &plain(&x), "norm");
            let of_operand = gpu.norm(&narrow(&y), &norm).unwrap();
            check(&of_operand, &plain(&y), "norm of an operand");
            let sum = (&x + y.broadcast_add(&bias).unwrap()).unwrap();
            let (found, normed) = gpu.add_norm(&x, &narrow(&y), &bias, &norm).unwrap();
            check(&found, &sum, "sum");
            check(&normed, &plain(&sum), "add_norm");
            check(&gpu.add(&x, &narrow(&y), &bias).unwrap(), &sum, "add");
            let biased = y.broadcast_add(&bias).unwrap();
            let after = (&x + plain(&biased)).unwrap();
            let (found, operand) = gpu.norm_add(&x, &narrow(&y), &bias, &norm).unwrap();
            check(&found, &after, "norm_add");
            check(&operand, &after, "operand of norm_add");
            for (activation, expected) in [
                (Activation::Gelu, biased.gelu_erf().unwrap()),
                (Activation::QuickGelu, quick_gelu(&biased)),
            ] {
                let found = gpu.activated(&narrow(&y), &bias, activation).unwrap();
                check(&found, &expected, &format!("{activation:?}"));
            }

            let gated = (x.broadcast_add(&bias).unwrap().silu().unwrap()
                * y.broadcast_add(&bias).unwrap())
            .unwrap();
            let wider = |t: &Tensor| {
                let last = t.rank() - 1;
                t.pad_with_zeros(last, 0, pitch - width).unwrap()
            };
            let both = Tensor::cat(&[wider(&x), wider(&y)], 1).unwrap();
            let biases = Tensor::cat(&[wider(&bias), wider(&bias)], 0).unwrap();
            let padded = Norm {
                weight: wider(&norm.weight),
                bias: wider(&norm.bias),
                ..norm
            };
            let found = gpu.gate_norm(&narrow(&both), &biases, &padded);
            check(&found.unwrap(), &wider(&plain(&gated)), "gate_norm");
        }
    }
}

fn quick_gelu(x: &Tensor) -> Tensor {
    let value = |x: &f32| (f64::from(*x) / (1.0 + (-1.702 * f64::from(*x)).exp())) as f32;
    let values: Vec<f32> = values(x).iter().map(value).collect();
    Tensor::from_vec(values, x.dims(), &Device::Cpu).unwrap()
}

/// Nine nodes in a chain; heads that divide among replicas by eights, and others.
#[test]
fn nodes_attend_to_their_ancestors_with_heads_of_any_size() {
    let gpu = gpu(GpuPrecision::F32);
    for (heads, head_dim) in [(2, 16), (2, 64), (1, 256), (1, 40), (2, 80), (2, 160)] {
        let (nodes, width) = (9, heads * head_dim);
        let [q, k, v] = [1, 2, 3].map(|seed| (noise(&[nodes, width], seed) * 2.0).unwrap());
        let start: Vec<u32> = (0..=nodes as u32).map(|n| n * (n + 1) / 2).collect();
        let path: Vec<u32> = (0..nodes as u32).flat_map(|n| 0..=n).collect();
        let paths = [start, path].map(|list| Tensor::new(list, &Device::Cpu).unwrap());
        let found = gpu.forest([&q, &k, &v], (&paths[0], &paths[1]), heads);
        let found = found.unwrap();
        for node in 0..nodes {
            // The last of so many nodes, among which everything attends to everything.
            let first = |t: &Tensor| t.narrow(0, 0, node + 1).unwrap();
            let parts: Vec<Tensor> = (0..heads)
                .flat_map(|head| {
                    [&q, &k, &v].map(|t| first(t).narrow(1, head * head_dim, head_dim).unwrap())
                })
                .collect();
            let order = (0..3).flat_map(|part| (0..heads).map(move |head| 3 * head + part));
            let qkv: Vec<&Tensor> = order.map(|i| &parts[i]).collect();
            let all = plain_attention(&Tensor::cat(&qkv, 1).unwrap(), 1, heads).unwrap();
            let expected = all.narrow(0, node, 1).unwrap();
            let error = relative_error(&found.narrow(0, node, 1).unwrap(), &expected);
            assert!(error <= 2e-6, "node {node}, {head_dim} channels: {error}");
        }
    }
}

#[test]
fn products_that_must_not_be_rounded_have_a_kernel_of_their_own() {
    let gpu = gpu(GpuPrecision::Tf32);
    for (rows, columns, depth) in [(1, 1, 1), (33, 70, 45), (64, 32, 96)] {
        let (a, b) = (noise(&[rows, depth], 1), noise(&[columns, depth], 2));
        let expected = a.matmul(&b.t().unwrap()).unwrap();
        let error = relative_error(&gpu.product_in_f32(&a, &b).unwrap(), &expected);
        assert!(error <= 1e-6, "{rows} x {columns} x {depth}: {error}");
    }
}

#[test]
fn ties_rank_by_lower_class_and_what_is_not_finite_is_noticed() {
    let gpu = gpu(GpuPrecision::F16);
    let (rows, width, classes) = (7, 24, 100);
    let features = (noise(&[rows, width], 5) * 3.0).unwrap();
    let columns = noise(&[60, width], 6);
    let column_of: Vec<u32> = (0..classes).map(|class| class * 7 % 60).collect();
    let places = Tensor::new(&column_of[..], &Device::Cpu).unwrap();
    let rank = |features: &Tensor, top| gpu.rank(features, &columns, &places, top, 100.0).unwrap();
    let lengths = features
        .sqr()
        .unwrap()
        .sum_keepdim(1)
        .unwrap()
        .sqrt()
        .unwrap();
    let cosines = features
        .broadcast_div(&lengths)
        .unwrap()
        .matmul(&columns.t().unwrap())
        .unwrap();
    let cosines: Vec<Vec<f32>> = cosines.to_vec2().unwrap();
    for (found, cosines) in rank(&features, 5).iter().zip(&cosines) {
        let logits: Vec<f32> = column_of
            .iter()
            .map(|c| 100.0 * cosines[*c as usize])
            .collect();
        let expected = Prediction::from_logits(&logits);
        assert!(found.finite);
        assert_eq!(found.classes, expected.classes);
        for (a, b) in found.logits.iter().zip(&expected.logits) {
            assert!((a - b).abs() < 1e-3, "{a} {b}");
        }
        let sum: f64 = logits
            .iter()
            .map(|l| f64::from(l - expected.logits[0]).exp())
            .sum();
        assert!((f64::from(found.confidence) - 1.0 / sum).abs() < 1e-5);
    }
    for bad in [f32::NAN, f32::INFINITY] {
        let mut all = values(&features);
        all[2 * width + 3] = bad;
        let features = Tensor::from_vec(all, (rows, width), &Device::Cpu).unwrap();
        let finite: Vec<bool> = rank(&features, 5)
            .iter()
            .map(|place| place.finite)
            .collect();
        assert_eq!(finite, [true, true, false, true, true, true, true]);
    }
}

#[test]
fn fewer_classes_than_places_are_all_ranked() {
    let gpu = gpu(GpuPrecision::F32);
    let features = Tensor::new(&[[1f32, 0.0]], &Device::Cpu).unwrap();
    let columns = Tensor::new(&[[0.5f32, 0.1], [0.9, 0.0]], &Device::Cpu).unwrap();
    let column_of = Tensor::new(&[0u32, 1, 1], &Device::Cpu).unwrap();
    let places = gpu.rank(&features, &columns, &column_of, 5, 1.0).unwrap();
    assert_eq!(places[0].classes, [1, 2, 0]);
}
