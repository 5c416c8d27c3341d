//! Every instruction set against arithmetic in f64.

use half::bf16;

use super::*;

/// The machine's instruction sets, and the model of a tile unit.
fn sets() -> Vec<Isa> {
    let mut sets = Isa::available();
    sets.push(Isa::tile_model());
    sets
}

/// Values between -1 and 1.
fn noise(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

fn close(found: &[f32], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), expected.len());
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let difference = (f64::from(*found) - expected).abs();
        assert!(
            difference <= tolerance,
            "{what}: {i} is {found}, not {expected}"
        );
    }
}

/// Rows, inputs, outputs: whole tiles, edges of all kinds, single rows and columns, more inputs than
/// are packed together.
const SHAPES: [(usize, usize, usize); 11] = [
    (28, 64, 64),
    (1, 1, 1),
    (3, 7, 5),
    (15, 33, 31),
    (29, 48, 97),
    (113, 40, 300),
    (14, 513, 33),
    (31, 2600, 40),
    (3, 2600, 300),
    (7, 4097, 19),
    (2, 4097, 300),
];

fn product(x: &[f32], weight: &[f32], bias: &[f32], inputs: usize, round: bool) -> Vec<f64> {
    let value = |v: &f32| {
        if round {
            half::bf16::from_f32(*v).to_f64()
        } else {
            f64::from(*v)
        }
    };
    let outputs = bias.len();
    let mut out = Vec::new();
    for x in x.chunks_exact(inputs) {
        for o in 0..outputs {
            let weight = &weight[o * inputs..][..inputs];
            let sum: f64 = x.iter().zip(weight).map(|(a, b)| value(a) * value(b)).sum();
            out.push(sum + f64::from(bias[o]));
        }
    }
    out
}

fn gelu(x: f64) -> f64 {
    // The logistic form would be another function; this integrates the normal density instead.
    let steps = 2000;
    let h = x / f64::from(steps);
    let density = |t: f64| (-t * t / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
    let inner: f64 = (1..steps).map(|i| density(f64::from(i) * h)).sum();
    x * (0.5 + h * (inner + (density(0.0) + density(x)) / 2.0))
}

#[test]
fn linear_layers_and_what_is_fused_into_them_are_exact() {
    for isa in sets() {
        for precision in [Precision::F32, Precision::Bf16] {
            for (rows, inputs, outputs) in SHAPES {
                let what = format!("{} {precision:?} {rows}x{inputs}x{outputs}", isa.name());
                let (x, weight) = (noise(rows * inputs, 1), noise(outputs * inputs, 2));
                let (bias, other) = (noise(outputs, 3), noise(rows * outputs, 4));
                let layer = PackedLinear::new(&weight, Some(&bias), inputs, precision, isa);
                assert_eq!((layer.inputs(), layer.outputs()), (inputs, outputs));
                let round = precision == Precision::Bf16;
                let expected = product(&x, &weight, &bias, inputs, round);
                // Long sums grow meanwhile, and the roundings with them.
                let terms = inputs as f64;
                let growth = (terms / 1024.0).max(1.0);
                let tolerance = 1e-6 * terms.sqrt().max(2.0) * growth;
                let out = layer.forward(&x, Epilogue::Bias);
                close(&out, &expected, tolerance, &what);
                let mut out = other.clone();
                layer.add_to(&x, &mut out);
                let added: Vec<f64> = expected
                    .iter()
                    .zip(&other)
                    .map(|(a, b)| a + f64::from(*b))
                    .collect();
                close(&out, &added, tolerance, &what);
                let out = layer.forward(&x, Epilogue::Gelu);
                let activated: Vec<f64> = expected.iter().map(|v| gelu(*v)).collect();
                close(&out, &activated, 2.0 * tolerance, &what);
                let out = layer.forward(&x, Epilogue::QuickGelu);
                let logistic = |v: &f64| v / (1.0 + (-1.702 * v).exp());
                let activated: Vec<f64> = expected.iter().map(logistic).collect();
                close(&out, &activated, 2.0 * tolerance, &what);

                let second = noise(outputs * inputs, 5);
                let parts = ((&weight[..], Some(&bias[..])), (&second[..], None));
                let layer = PackedLinear::gated(parts.0, parts.1, inputs, precision, isa);
                assert_eq!(layer.outputs(), outputs);
                let values = product(&x, &second, &vec![0.0; outputs], inputs, round);
                let gated: Vec<f64> = expected
                    .iter()
                    .zip(&values)
                    .map(|(a, b)| a / (1.0 + (-a).exp()) * b)
                    .collect();
                let out = layer.forward(&x, Epilogue::Bias);
                close(&out, &gated, tolerance * terms.sqrt().max(2.0), &what);
            }
        }
    }
}

/// What is read in bfloat16 is as good as the same values in f32, and what is written is rounded last.
#[test]
fn activations_in_bf16_are_rounded_once() {
    let rounded = |values: &[f32]| {
        values
            .iter()
            .map(|v| bf16::from_f32(*v))
            .collect::<Vec<_>>()
    };
    let wide = |values: &[bf16]| values.iter().map(|v| v.to_f32()).collect::<Vec<_>>();
    for isa in sets() {
        for (rows, inputs, outputs) in SHAPES {
            let what = format!("{} {rows}x{inputs}x{outputs}", isa.name());
            let weight = noise(outputs * inputs, 2);
            let x = rounded(&noise(rows * inputs, 1));
            let layer = PackedLinear::new(&weight, None, inputs, Precision::Bf16, isa);
            let out: Vec<bf16> = layer.forward(&x, Epilogue::Gelu);
            let whole: Vec<f32> = layer.forward(&wide(&x), Epilogue::Gelu);
            assert_eq!(out, rounded(&whole), "{what}");
            let (mut sums, mut same) = (noise(rows * outputs, 5), noise(rows * outputs, 5));
            layer.add_to(&x, &mut sums);
            layer.add_to(&wide(&x), &mut same);
            assert_eq!(sums, same, "{what}");
            let (weight, bias) = (noise(inputs, 3), noise(inputs, 4));
            let out: Vec<bf16> = layer_norm(isa, &x, &weight, &bias, 1e-6);
            let whole: Vec<f32> = layer_norm(isa, &wide(&x), &weight, &bias, 1e-6);
            assert_eq!(out, rounded(&whole), "{what}");
        }
        let (tokens, heads, head_dim) = (37, 2, 20);
        let qkv = rounded(&noise(tokens * 3 * heads * head_dim, 1));
        let attention = Attention {
            heads,
            head_dim,
            tokens,
            queries: tokens,
            rotation: None,
        };
        let out = attention.forward(isa, Precision::Bf16, &qkv);
        let whole = attention.forward(isa, Precision::Bf16, &wide(&qkv));
        assert_eq!(out, rounded(&whole), "{}", isa.name());
    }
}

#[test]
fn a_rows_bits_depend_on_nothing_but_the_row() {
    for inputs in [96, 2500] {
        check_rows_bits(inputs);
    }
}

fn check_rows_bits(inputs: usize) {
    let (outputs, rows) = (70, 61);
    let (x, weight) = (noise(rows * inputs, 1), noise(outputs * inputs, 2));
    let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    for isa in sets() {
        for precision in [Precision::F32, Precision::Bf16] {
            let layer = PackedLinear::new(&weight, None, inputs, precision, isa);
            let all = layer.forward(&x, Epilogue::Bias);
            for count in [1, 2, 5, 14, 20] {
                for first in (0..rows - count).step_by(3) {
                    let x = &x[first * inputs..][..count * inputs];
                    let some = layer.forward(x, Epilogue::Bias);
                    assert_eq!(
                        bits(&some),
                        bits(&all[first * outputs..][..count * outputs]),
                        "{} {precision:?}",
                        isa.name()
                    );
                }
            }
            for threads in [1, 3, 8] {
                let pool = rayon::ThreadPoolBuilder::new()
                    .num_threads(threads)
                    .build()
                    .unwrap();
                let again = pool.install(|| layer.forward(&x, Epilogue::Bias));
                assert_eq!(bits(&again), bits(&all));
            }
        }
    }
}

/// A head's outputs lie together, the same values as in rows, also where a panel's columns belong to two
/// heads, or to many.
#[test]
fn linear_layers_write_heads_side_by_side() {
    for isa in sets() {
        for precision in [Precision::F32, Precision::Bf16] {
            for (pictures, tokens, inputs, heads, head_dim) in [
                (2, 17, 24, 3, 64),
                (1, 33, 40, 6, 20),
                (3, 5, 2600, 4, 12),
                (2, 9, 8, 7, 4),
            ] {
                let width = heads * head_dim;
                let x = noise(pictures * tokens * inputs, 1);
                let (weight, bias) = (noise(width * inputs, 2), noise(width, 3));
                let layer = PackedLinear::new(&weight, Some(&bias), inputs, precision, isa);
                let rows: Vec<f32> = layer.forward(&x, Epilogue::Bias);
                let by_heads: Vec<f32> = layer.forward_by_heads(&x, tokens, head_dim);
                let mut expected = Vec::new();
                for picture in rows.chunks(tokens * width) {
                    for head in 0..heads {
                        for token in picture.chunks(width) {
                            expected.extend_from_slice(&token[head * head_dim..][..head_dim]);
                        }
                    }
                }
                assert_eq!(by_heads, expected, "{} {heads}x{head_dim}", isa.name());
            }
        }
    }
}

#[test]
fn attention_is_exact_for_any_number_of_tokens_and_channels() {
    for (batch, tokens, heads, head_dim) in [
        (1, 5, 2, 4),
        (2, 17, 4, 12),
        (1, 65, 3, 24),
        (1, 5, 2, 20),
        (1, 17, 2, 22),
        (1, 33, 1, 88),
        (1, 19, 1, 104),
        (1, 18, 2, 112),
        (2, 40, 2, 64),
    ] {
        let angles = noise(tokens * head_dim, 2);
        let (cos, sin): (Vec<f32>, Vec<f32>) = angles.iter().map(|a| (a.cos(), a.sin())).unzip();
        for rotation in [Some((&cos[..], &sin[..])), None] {
            let attention = Attention {
                heads,
                head_dim,
                tokens,
                queries: tokens,
                rotation,
            };
            check_attention(&attention, batch);
        }
    }
}

fn check_attention(attention: &Attention<'_>, batch: usize) {
    let Attention {
        heads,
        head_dim,
        tokens,
        ..
    } = *attention;
    let width = heads * head_dim;
    let qkv = noise(batch * tokens * 3 * width, 1);
    let expected = straightforward(attention, &qkv, batch);
    for isa in sets() {
        for (precision, tolerance) in [(Precision::F32, 2e-6), (Precision::Bf16, 1e-2)] {
            let out = attention.forward(isa, precision, &qkv);
            let what = format!("{} {precision:?} {tokens}x{heads}x{head_dim}", isa.name());
            close(&out, &expected, tolerance, &what);
            let last = &qkv[(batch - 1) * tokens * 3 * width..];
            let alone = attention.forward(isa, precision, last);
            assert_eq!(
                alone,
                out[(batch - 1) * tokens * width..],
                "a picture's bits are its own: {what}"
            );
            let first = Attention {
                queries: 1,
                ..*attention
            };
            let first = first.forward(isa, precision, &qkv);
            for (first, all) in first.chunks(width).zip(out.chunks(tokens * width)) {
                assert_eq!(first, &all[..width], "so are a query's: {what}");
            }
        }
    }
}

fn straightforward(attention: &Attention<'_>, qkv: &[f32], batch: usize) -> Vec<f64> {
    let Attention {
        heads,
        head_dim,
        tokens,
        queries,
        rotation,
    } = *attention;
    let channels = |b: usize, t: usize, part: usize, h: usize| -> Vec<f64> {
        let place = (((b * 3 + part) * heads + h) * tokens + t) * head_dim;
        qkv[place..place + head_dim]
            .iter()
            .map(|v| f64::from(*v))
            .collect()
    };
    let rotated = |b: usize, t: usize, part: usize, h: usize| -> Vec<f64> {
        let x = channels(b, t, part, h);
        let Some((cos, sin)) = rotation else {
            return x;
        };
        (0..head_dim)
            .map(|i| {
                let (c, s) = (cos[t * head_dim + i], sin[t * head_dim + i]);
                let other = if i % 2 == 0 { -x[i + 1] } else { x[i - 1] };
                x[i] * f64::from(c) + other * f64::from(s)
            })
            .collect()
    };
    let mut out = Vec::new();
    for b in 0..batch {
        for t in 0..queries {
            for h in 0..heads {
                let q = rotated(b, t, 0, h);
                let score = |other: usize| -> f64 {
                    let k = rotated(b, other, 1, h);
                    q.iter().zip(&k).map(|(q, k)| q * k).sum::<f64>() / (head_dim as f64).sqrt()
                };
                let weights: Vec<f64> = (0..tokens).map(|other| score(other).exp()).collect();
                let sum: f64 = weights.iter().sum();
                for i in 0..head_dim {
                    let mixed = (0..tokens).map(|o| weights[o] * channels(b, o, 2, h)[i]);
                    out.push(mixed.sum::<f64>() / sum);
                }
            }
        }
    }
    out
}

#[test]
fn forest_attention_is_exact_and_the_same_after_kept_rows() {
    // Two trees; the second one's nodes come after 3 rows that may be kept.
    let parents = [None, Some(0), Some(1), Some(1), Some(2), None, Some(3)];
    let mut paths: Vec<Vec<u32>> = Vec::new();
    for (row, parent) in parents.iter().enumerate() {
        let mut path = parent.map_or(Vec::new(), |parent: usize| paths[parent].clone());
        path.push(row as u32);
        paths.push(path);
    }
    let (nodes, kept) = (parents.len(), 3);
    for (heads, head_dim) in [(2, 4), (1, 20), (3, 33), (12, 64)] {
        let width = heads * head_dim;
        let qkv = noise(nodes * 3 * width, 1);
        let part = |row: usize, part: usize| &qkv[(row * 3 + part) * width..][..width];
        let channel = |row: usize, which: usize, c: usize| f64::from(part(row, which)[c]);
        let mut expected = Vec::new();
        for (row, path) in paths.iter().enumerate() {
            for c in 0..width {
                let head = c / head_dim * head_dim..(c / head_dim + 1) * head_dim;
                let weight = |other: usize| {
                    let products = head
                        .clone()
                        .map(|c| channel(row, 0, c) * channel(other, 1, c));
                    (products.sum::<f64>() / (head_dim as f64).sqrt()).exp()
                };
                let rows = || path.iter().map(|row| *row as usize);
                let sum: f64 = rows().map(weight).sum();
                let mixed: f64 = rows().map(|o| weight(o) * channel(o, 2, c)).sum();
                expected.push(mixed / sum);
            }
        }
        let rows = |which| -> Vec<f32> {
            (0..kept)
                .flat_map(|row| part(row, which))
                .copied()
                .collect()
        };
        let (keys, values) = (rows(1), rows(2));
        for isa in sets() {
            let whole = ForestAttention {
                heads,
                head_dim,
                kept: [&[], &[]],
                paths: &paths,
            };
            let out = whole.forward(isa, &qkv);
            let what = format!("{} {heads}x{head_dim}", isa.name());
            close(&out, &expected, 2e-6, &what);
            let rest = ForestAttention {
                kept: [&keys, &values],
                paths: &paths[kept..],
                ..whole
            };
            let rest: Vec<f32> = rest.forward(isa, &qkv[kept * 3 * width..]);
            assert_eq!(rest, out[kept * width..], "{what}");
        }
    }
}

#[test]
fn scores_of_any_size_give_no_overflow() {
    let (tokens, head_dim) = (9, 8);
    let qkv: Vec<f32> = noise(tokens * 3 * head_dim, 1)
        .iter()
        .map(|v| v * 300.0)
        .collect();
    let attention = Attention {
        heads: 1,
        head_dim,
        tokens,
        queries: tokens,
        rotation: None,
    };
    for isa in sets() {
        let out = attention.forward(isa, Precision::F32, &qkv);
        assert!(out.iter().all(|v| v.abs() <= 300.0), "{}", isa.name());
    }
}

#[test]
fn layer_norm_is_exact_for_small_and_shifted_rows() {
    for width in [1, 5, 48, 768, 2730] {
        for (scale, shift, tolerance) in [(1.0, 0.0, 3e-6), (1e-4, 0.0, 3e-6), (1.0, 30.0, 2e-4)] {
            let x: Vec<f32> = noise(3 * width, 1)
                .iter()
                .map(|v| v * scale + shift)
                .collect();
            let (weight, bias) = (noise(width, 2), noise(width, 3));
            let mut expected = Vec::new();
            for row in x.chunks_exact(width) {
                let wide = || row.iter().map(|v| f64::from(*v));
                let mean = wide().sum::<f64>() / width as f64;
                let variance = wide().map(|v| (v - mean).powi(2)).sum::<f64>() / width as f64;
                expected.extend(wide().zip(weight.iter().zip(&bias)).map(|(v, (w, b))| {
                    (v - mean) / (variance + 1e-6).sqrt() * f64::from(*w) + f64::from(*b)
                }));
            }
            for isa in sets() {
                let out = layer_norm(isa, &x, &weight, &bias, 1e-6);
                close(
                    &out,
                    &expected,
                    tolerance,
                    &format!("{} {width} {scale} {shift}", isa.name()),
                );
            }
        }
    }
}
