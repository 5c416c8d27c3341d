//! Attention whose scores never leave the cache.
//!
//! For each head the rotated queries and keys and the values are packed once. Then each panel of
//! queries computes its scores with all keys, their softmax, and the weighted sum of the values.
//! Scores are kept as [keys, queries]: so the softmax works on whole vectors of queries, and the
//! scores are already packed for the second product.
#![allow(unsafe_code)] // Heads of one row-major output are written from several threads.

use std::cell::RefCell;

use rayon::prelude::*;

use super::isa::{Isa, Work};
use super::math::exp;
use super::output::{Output, written};
use super::pack::f32s;
use super::tile::{MOST_OUTPUTS, Tiles};

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
    /// `qkv` [batch, tokens, 3, heads, head_dim] to [batch, tokens, heads, head_dim]. Scores are
    /// scaled by the root of the head dim; nothing is masked.
    ///
    /// # Panics
    /// When the lengths do not fit.
    pub fn forward(&self, isa: Isa, qkv: &[f32]) -> Vec<f32> {
        let width = self.heads * self.head_dim;
        let picture = 3 * self.tokens * width;
        assert!(qkv.len().is_multiple_of(picture));
        let (cos, sin) = self.rotation;
        assert_eq!(
            (cos.len(), sin.len()),
            (self.tokens * self.head_dim, self.tokens * self.head_dim)
        );
        let tiles = Tiles::of(isa);
        let pictures = qkv.len() / picture;
        let tasks = pictures * self.heads;
        // One head is a task, unless that leaves threads without one.
        let split = tasks < 4 * rayon::current_num_threads();
        let panels = self.tokens.div_ceil(tiles.columns);
        let compute = |out: &Output<'_>| {
            (0..tasks).into_par_iter().for_each(|index| {
                let mut head = HEAD.take();
                isa.run(PackHead {
                    attention: self,
                    qkv: &qkv[index / self.heads * picture..][..picture],
                    index: index % self.heads,
                    tiles,
                    head: &mut head,
                });
                let mix = |panel| {
                    let mut scores = SCORES.take();
                    let queries = Queries {
                        attention: self,
                        head: &head,
                        index,
                        panel,
                        tiles,
                        scores: &mut scores,
                        out,
                    };
                    isa.run(queries);
                    SCORES.set(scores);
                };
                if split {
                    (0..panels).into_par_iter().for_each(mix);
                } else {
                    (0..panels).for_each(mix);
                }
                HEAD.set(head);
            });
        };
        // SAFETY: the panels of all heads cover the output.
        unsafe { written(pictures * self.tokens, width, compute) }
    }
}

thread_local! {
    // Taken and put back around the work: a closure given to `with` would not be compiled for the
    // instructions.
    static HEAD: RefCell<Head> = const { RefCell::new(Head::new()) };
    static SCORES: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// One picture's head: everything that its queries need.
struct Head {
    /// Rotated and scaled; panels of queries, each [head_dim, columns].
    queries: Vec<f32>,
    /// Rotated; blocks of keys, each [head_dim, rows], the last one as narrow as it is.
    keys: Vec<f32>,
    /// Blocks of channels, each [tokens, rows], the last one as narrow as it is.
    values: Vec<f32>,
}

impl Head {
    const fn new() -> Self {
        Self {
            queries: Vec::new(),
            keys: Vec::new(),
            values: Vec::new(),
        }
    }
}

impl Default for Head {
    fn default() -> Self {
        Self::new()
    }
}

struct PackHead<'a> {
    attention: &'a Attention<'a>,
    /// [tokens, 3, heads, head_dim]
    qkv: &'a [f32],
    index: usize,
    tiles: Tiles,
    head: &'a mut Head,
}

impl Work for PackHead<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Attention {
            head_dim, tokens, ..
        } = *self.attention;
        let Tiles { rows, columns, .. } = self.tiles;
        let scale = (head_dim as f32).powf(-0.5);
        let mut head = std::mem::take(self.head);

        // The values' room holds the rotated rows until they are packed.
        head.queries.clear();
        self.rotate(0, scale, &mut head.values);
        for block in head.values.chunks(columns * head_dim) {
            let count = block.len() / head_dim;
            f32s(block, count, head_dim, head_dim, columns, &mut head.queries);
        }
        head.keys.clear();
        self.rotate(1, 1.0, &mut head.values);
        for block in head.values.chunks(rows * head_dim) {
            let count = block.len() / head_dim;
            f32s(block, count, head_dim, head_dim, count, &mut head.keys);
        }
        head.values.clear();
        for first in (0..head_dim).step_by(rows) {
            let last = (first + rows).min(head_dim);
            for token in 0..tokens {
                head.values
                    .extend_from_slice(&self.channels(2, token)[first..last]);
            }
        }
        *self.head = head;
    }
}

impl PackHead<'_> {
    /// Queries, keys or values of one token.
    #[inline(always)]
    fn channels(&self, part: usize, token: usize) -> &[f32] {
        let Attention {
            heads, head_dim, ..
        } = *self.attention;
        &self.qkv[((token * 3 + part) * heads + self.index) * head_dim..][..head_dim]
    }

    /// Queries or keys [tokens, head_dim], rotated and scaled.
    #[inline(always)]
    fn rotate(&self, part: usize, scale: f32, rows: &mut Vec<f32>) {
        let Attention {
            head_dim,
            tokens,
            rotation: (cos, sin),
            ..
        } = *self.attention;
        rows.resize(tokens * head_dim, 0.0);
        for (token, row) in rows.chunks_exact_mut(head_dim).enumerate() {
            let x = self.channels(part, token).chunks_exact(2);
            let cos = cos[token * head_dim..][..head_dim].chunks_exact(2);
            let sin = sin[token * head_dim..][..head_dim].chunks_exact(2);
            for (((out, x), cos), sin) in row.chunks_exact_mut(2).zip(x).zip(cos).zip(sin) {
                out[0] = (x[0] * cos[0] - x[1] * sin[0]) * scale;
                out[1] = (x[1] * cos[1] + x[0] * sin[1]) * scale;
            }
        }
    }
}

/// A panel of queries of one head.
struct Queries<'a> {
    attention: &'a Attention<'a>,
    head: &'a Head,
    /// Picture times heads plus head.
    index: usize,
    panel: usize,
    tiles: Tiles,
    /// [tokens, columns]
    scores: &'a mut Vec<f32>,
    out: &'a Output<'a>,
}

impl Work for Queries<'_> {
    type Output = ();

    #[inline(always)]
    fn run(mut self) {
        let (tokens, columns) = (self.attention.tokens, self.tiles.columns);
        self.scores.resize(tokens * columns, 0.0);
        self.score();
        let mut shares = [0f32; MOST_OUTPUTS];
        let shares = &mut shares[..columns];
        match columns {
            32 => softmax::<32>(self.scores, shares),
            16 => softmax::<16>(self.scores, shares),
            _ => softmax::<8>(self.scores, shares),
        }
        self.mix(shares);
    }
}

impl Queries<'_> {
    #[inline(always)]
    fn score(&mut self) {
        let (head_dim, Tiles { rows, columns, .. }) = (self.attention.head_dim, self.tiles);
        let queries = &self.head.queries[self.panel * head_dim * columns..][..head_dim * columns];
        let blocks = self.head.keys.chunks(rows * head_dim);
        for (keys, scores) in blocks.zip(self.scores.chunks_mut(rows * columns)) {
            (self.tiles.f32)(keys.len() / head_dim, keys, queries, scores);
        }
    }

    #[inline(always)]
    fn mix(&self, shares: &[f32]) {
        let Attention {
            heads,
            head_dim,
            tokens,
            ..
        } = *self.attention;
        let Tiles { rows, columns, .. } = self.tiles;
        let (picture, head) = (self.index / heads, self.index % heads);
        let first = self.panel * columns;
        let mut sums = [0f32; MOST_OUTPUTS];
        for (block, values) in self.head.values.chunks(tokens * rows).enumerate() {
            let count = values.len() / tokens;
            (self.tiles.f32)(count, values, self.scores, &mut sums); // [channels, queries]
            for (query, share) in (first..tokens).zip(shares) {
                let row = picture * tokens + query;
                // SAFETY: the head's channels of these rows are this task's own and in the output.
                let out = unsafe { self.out.part(row, head * head_dim + block * rows, count) };
                let sums = sums[query - first..].iter().step_by(columns);
                out.iter_mut().zip(sums).for_each(|(out, sum)| {
                    out.write(sum * share);
                });
            }
        }
    }
}

/// Replaces the scores [keys, C] of each query by the exponentials of their distances to the
/// largest; `shares` become what these are to be multiplied by to sum to one.
#[inline(always)]
fn softmax<const C: usize>(scores: &mut [f32], shares: &mut [f32]) {
    let mut most = [f32::NEG_INFINITY; C];
    for scores in scores.chunks_exact(C) {
        for (most, score) in most.iter_mut().zip(scores) {
            *most = if *score > *most { *score } else { *most };
        }
    }
    let mut sums = [0f32; C];
    for scores in scores.chunks_exact_mut(C) {
        for ((sum, score), most) in sums.iter_mut().zip(scores).zip(&most) {
            *score = exp(*score - most);
            *sum += *score;
        }
    }
    shares
        .iter_mut()
        .zip(sums)
        .for_each(|(share, sum)| *share = 1.0 / sum);
}
