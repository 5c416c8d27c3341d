//! Attention whose scores never leave the cache.
//!
//! For each head the rotated keys and the values are packed once; then blocks of a few queries
//! compute their whole row of scores, its softmax, and the weighted sum of the values.
#![allow(unsafe_code)] // Heads of one row-major output are written from several threads.

use std::cell::RefCell;

use rayon::prelude::*;

use super::isa::{Isa, Work};
use super::math::exp;
use super::pack::f32s;
use super::tile::{MOST_OUTPUTS, Tiles};

/// Blocks of queries in a task.
const BLOCKS: usize = 4;

/// Shape and rotation of an attention layer.
#[derive(Debug, Clone, Copy)]
pub struct Attention<'a> {
    pub heads: usize,
    pub head_dim: usize,
    /// Tokens of one picture.
    pub tokens: usize,
    /// Cosines and sines [tokens, head_dim] by which queries and keys are rotated, in adjacent
    /// pairs: (a, b) -> (a cos - b sin, b cos + a sin).
    pub rotation: (&'a [f32], &'a [f32]),
}

impl Attention<'_> {
    /// `qkv` [batch, tokens, 3, heads, head_dim] to `out` [batch, tokens, heads, head_dim]. Scores
    /// are scaled by the root of the head dim; nothing is masked.
    ///
    /// # Panics
    /// When the lengths do not fit.
    pub fn forward(&self, isa: Isa, qkv: &[f32], out: &mut [f32]) {
        let width = self.heads * self.head_dim;
        let picture = self.tokens * width;
        assert!(out.len().is_multiple_of(picture) && qkv.len() == 3 * out.len());
        let (cos, sin) = self.rotation;
        assert_eq!(
            (cos.len(), sin.len()),
            (self.tokens * self.head_dim, self.tokens * self.head_dim)
        );
        let tiles = Tiles::of(isa);
        let pictures = out.len() / picture;
        let heads: Vec<Head> = (0..pictures * self.heads)
            .into_par_iter()
            .map(|index| {
                let (picture, head) = (index / self.heads, index % self.heads);
                let qkv = &qkv[picture * self.tokens * 3 * width..][..self.tokens * 3 * width];
                isa.run(PackHead {
                    attention: self,
                    qkv,
                    head,
                    tiles,
                })
            })
            .collect();
        let queries = BLOCKS * tiles.rows;
        let parts = self.tokens.div_ceil(queries);
        let out = Output(out.as_mut_ptr());
        (0..heads.len() * parts).into_par_iter().for_each(|task| {
            let (index, first) = (task / parts, task % parts * queries);
            let rows = first..(first + queries).min(self.tokens);
            isa.run(Queries {
                attention: self,
                head: &heads[index],
                index,
                rows,
                tiles,
                out: &out,
            });
        });
    }
}

/// One picture's head: everything that its queries need.
struct Head {
    /// Rotated and scaled [tokens, head_dim].
    queries: Vec<f32>,
    /// Rotated; panels of tokens, each [head_dim, columns].
    keys: Vec<f32>,
    /// Panels of channels, each [tokens, columns].
    values: Vec<f32>,
}

struct PackHead<'a> {
    attention: &'a Attention<'a>,
    /// [tokens, 3, heads, head_dim]
    qkv: &'a [f32],
    head: usize,
    tiles: Tiles,
}

impl Work for PackHead<'_> {
    type Output = Head;

    #[inline(always)]
    fn run(self) -> Head {
        let Attention {
            heads,
            head_dim,
            tokens,
            rotation: (cos, sin),
        } = *self.attention;
        let width = heads * head_dim;
        let columns = self.tiles.columns;
        let scale = (head_dim as f32).powf(-0.5);
        let channels = |part: usize, token: usize| {
            &self.qkv[(token * 3 + part) * width + self.head * head_dim..][..head_dim]
        };
        let rotated = |part: usize, scale: f32| {
            let mut rows = vec![0f32; tokens * head_dim];
            for (token, row) in rows.chunks_exact_mut(head_dim).enumerate() {
                let (cos, sin) = (&cos[token * head_dim..], &sin[token * head_dim..]);
                let x = channels(part, token);
                for (i, (out, x)) in row.chunks_exact_mut(2).zip(x.chunks_exact(2)).enumerate() {
                    let (c, s) = ([cos[2 * i], cos[2 * i + 1]], [sin[2 * i], sin[2 * i + 1]]);
                    out[0] = (x[0] * c[0] - x[1] * s[0]) * scale;
                    out[1] = (x[1] * c[1] + x[0] * s[1]) * scale;
                }
            }
            rows
        };
        let queries = rotated(0, scale);
        let plain_keys = rotated(1, 1.0);
        let mut keys = Vec::with_capacity(tokens.next_multiple_of(columns) * head_dim);
        for rows in plain_keys.chunks(columns * head_dim) {
            f32s(
                rows,
                rows.len() / head_dim,
                head_dim,
                head_dim,
                columns,
                &mut keys,
            );
        }
        let panels = head_dim.div_ceil(columns);
        let mut values = vec![0f32; panels * tokens * columns];
        for (panel, values) in values.chunks_exact_mut(tokens * columns).enumerate() {
            let first = panel * columns;
            let count = columns.min(head_dim - first);
            for (token, out) in values.chunks_exact_mut(columns).enumerate() {
                out[..count].copy_from_slice(&channels(2, token)[first..first + count]);
            }
        }
        Head {
            queries,
            keys,
            values,
        }
    }
}

/// A row-major output that tasks write disjoint parts of.
struct Output(*mut f32);

// SAFETY: every head and query belongs to one task.
unsafe impl Sync for Output {}

/// Some queries of one head.
struct Queries<'a> {
    attention: &'a Attention<'a>,
    head: &'a Head,
    /// Picture times heads plus head.
    index: usize,
    rows: std::ops::Range<usize>,
    tiles: Tiles,
    out: &'a Output,
}

#[derive(Default)]
struct Scratch {
    packed: Vec<f32>,
    /// [rows of a block, tokens rounded up to whole panels]
    scores: Vec<f32>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

impl Work for Queries<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        SCRATCH.with_borrow_mut(|scratch| {
            for start in self.rows.clone().step_by(self.tiles.rows) {
                let count = self.tiles.rows.min(self.rows.end - start);
                self.block(start, count, scratch);
            }
        });
    }
}

impl Queries<'_> {
    #[inline(always)]
    fn block(&self, start: usize, count: usize, Scratch { packed, scores }: &mut Scratch) {
        let Attention {
            heads,
            head_dim,
            tokens,
            ..
        } = *self.attention;
        let columns = self.tiles.columns;
        let padded = tokens.next_multiple_of(columns);
        let mut sums = [0f32; MOST_OUTPUTS];

        packed.clear();
        f32s(
            &self.head.queries[start * head_dim..],
            count,
            head_dim,
            head_dim,
            count,
            packed,
        );
        scores.resize(count * padded, 0.0);
        for (panel, keys) in self.head.keys.chunks_exact(head_dim * columns).enumerate() {
            (self.tiles.f32)(count, packed, keys, &mut sums);
            for (row, sums) in sums.chunks_exact(columns).take(count).enumerate() {
                scores[row * padded + panel * columns..][..columns].copy_from_slice(sums);
            }
        }
        let mut shares = [0f32; MOST_OUTPUTS];
        for (row, share) in scores.chunks_exact_mut(padded).zip(&mut shares) {
            *share = 1.0 / exponentials(&mut row[..tokens]);
        }

        packed.clear();
        f32s(scores, count, tokens, padded, count, packed);
        let (picture, head) = (self.index / heads, self.index % heads);
        for (panel, values) in self.head.values.chunks_exact(tokens * columns).enumerate() {
            (self.tiles.f32)(count, packed, values, &mut sums);
            let first = panel * columns;
            let width = columns.min(head_dim - first);
            for (row, (sums, share)) in sums
                .chunks_exact(columns)
                .take(count)
                .zip(&shares)
                .enumerate()
            {
                let place = ((picture * tokens + start + row) * heads + head) * head_dim + first;
                // SAFETY: the head's channels of these rows are this task's own and in the output.
                let out = unsafe { std::slice::from_raw_parts_mut(self.out.0.add(place), width) };
                out.iter_mut()
                    .zip(sums)
                    .for_each(|(out, sum)| *out = sum * share);
            }
        }
    }
}

/// Replaces scores by the exponentials of their distances to the largest; returns their sum.
#[inline(always)]
fn exponentials(scores: &mut [f32]) -> f32 {
    const LANES: usize = 16;
    let mut most = [f32::NEG_INFINITY; LANES];
    for chunk in scores.chunks(LANES) {
        for (most, score) in most.iter_mut().zip(chunk) {
            *most = if *score > *most { *score } else { *most };
        }
    }
    let most = most.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sums = [0f32; LANES];
    for chunk in scores.chunks_mut(LANES) {
        for (sum, score) in sums.iter_mut().zip(chunk) {
            *score = exp(*score - most);
            *sum += *score;
        }
    }
    sums.iter().sum()
}
