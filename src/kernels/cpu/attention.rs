//! Attention whose scores never leave the cache.
//!
//! For each head the queries and keys, rotated where there is a rotation, and the values are packed once.
//! Then each panel of queries computes its scores with all keys, their softmax, and the weighted sum of the values.
//! Scores are kept as [keys, queries]: so the softmax works on whole vectors of queries, and the
//! scores are already packed for the second product.
#![allow(unsafe_code)] // Heads of one row-major output are written from several threads.

use std::cell::RefCell;
use std::thread::LocalKey;

use rayon::prelude::*;

use super::amx::Line;
use super::blocks::{Sums, add_products};
use super::isa::{Isa, Work};
use super::math::MulAdd;
use super::output::{Output, written};
use super::pack::{Factor, Format, Lines, Pairs, Precision, Rounded, Whole};
use super::softmax::softmax;
use super::tile::{MOST_COLUMNS, Tiles};
use super::value::Value;

/// Shape of an attention layer, and its rotation if there is one.
#[derive(Debug, Clone, Copy)]
pub struct Attention<'a> {
    pub heads: usize,
    pub head_dim: usize,
    /// Tokens of one picture.
    pub tokens: usize,
    /// The first so many of them ask; all answer.
    pub queries: usize,
    /// Cosines and sines [tokens, head_dim] by which queries and keys are rotated, in adjacent
    /// pairs: (a, b) -> (a cos - b sin, b cos + a sin). The head dim is even then.
    pub rotation: Option<(&'a [f32], &'a [f32])>,
}

impl Attention<'_> {
    /// `qkv` [batch, tokens, 3, heads, head_dim] to [batch, queries, heads, head_dim]. Scores are
    /// scaled by the root of the head dim; nothing is masked.
    ///
    /// # Panics
    /// When the lengths do not fit, or activations in bfloat16 are attended to in f32.
    pub fn forward<V: Value>(&self, isa: Isa, precision: Precision, qkv: &[V]) -> Vec<V> {
        let values = Room {
            head: &VALUES_HEAD,
            scores: &VALUES_SCORES,
        };
        let pairs = Room {
            head: &PAIRS_HEAD,
            scores: &PAIRS_SCORES,
        };
        let lines = Room {
            head: &LINES_HEAD,
            scores: &LINES_SCORES,
        };
        let format = Format::of(precision, isa);
        let tiles = format.tiles(isa);
        match format {
            Format::Whole if V::WHOLE => self.compute::<Whole, V>(isa, tiles, qkv, &values),
            Format::Whole => unreachable!("activations in bfloat16 for attention in f32"),
            Format::Rounded => self.compute::<Rounded, V>(isa, tiles, qkv, &values),
            Format::Pairs => self.compute::<Pairs, V>(isa, tiles, qkv, &pairs),
            Format::Lines => self.compute::<Lines, V>(isa, tiles, qkv, &lines),
        }
    }

    fn compute<T: Factor, V: Value>(
        &self,
        isa: Isa,
        tiles: Tiles,
        qkv: &[V],
        room: &Room<T::Element>,
    ) -> Vec<V> {
        let width = self.heads * self.head_dim;
        let picture = 3 * self.tokens * width;
        assert!(qkv.len().is_multiple_of(picture) && self.queries <= self.tokens);
        if let Some((cos, sin)) = self.rotation {
            let angles = self.tokens * self.head_dim;
            assert_eq!((cos.len(), sin.len()), (angles, angles));
            assert!(self.head_dim.is_multiple_of(2));
        }
        let pictures = qkv.len() / picture;
        let tasks = pictures * self.heads;
        // One head is a task, unless that leaves threads without one.
        let split = tasks < 4 * rayon::current_num_threads();
        let panels = self.queries.div_ceil(tiles.columns);
        let compute = |out: &Output<'_, V>| {
            (0..tasks).into_par_iter().for_each(|index| {
                let mut head = room.head.take();
                isa.run(PackHead::<T, V> {
                    attention: self,
                    qkv: &qkv[index / self.heads * picture..][..picture],
                    index: index % self.heads,
                    tiles,
                    head: &mut head,
                });
                let mix = |panel| {
                    let mut scores = room.scores.take();
                    let queries = Queries::<T, V> {
                        attention: self,
                        head: &head,
                        index,
                        panel,
                        isa,
                        tiles,
                        room: &mut scores,
                        out,
                    };
                    isa.run(queries);
                    room.scores.set(scores);
                };
                if split {
                    (0..panels).into_par_iter().for_each(mix);
                } else {
                    (0..panels).for_each(mix);
                }
                room.head.set(head);
            });
        };
        // SAFETY: the panels of all heads cover the output.
        unsafe { written(pictures * self.queries, width, compute) }
    }
}

/// What each thread keeps for the next head. Taken and put back around the work: a closure given to
/// `with` would not be compiled for the instructions.
struct Room<T: 'static> {
    head: &'static LocalKey<RefCell<Head<T>>>,
    scores: &'static LocalKey<RefCell<Scores<T>>>,
}

thread_local! {
    static VALUES_HEAD: RefCell<Head<f32>> = RefCell::default();
    static VALUES_SCORES: RefCell<Scores<f32>> = RefCell::default();
    static PAIRS_HEAD: RefCell<Head<u32>> = RefCell::default();
    static PAIRS_SCORES: RefCell<Scores<u32>> = RefCell::default();
    static LINES_HEAD: RefCell<Head<Line>> = RefCell::default();
    static LINES_SCORES: RefCell<Scores<Line>> = RefCell::default();
}

/// One picture's head: everything that its queries need.
#[derive(Default)]
struct Head<T> {
    /// Scaled; panels of queries, each [head dim, columns].
    queries: Vec<T>,
    /// Blocks of keys, each [head dim, rows], the last one as narrow as it is.
    keys: Vec<T>,
    /// Blocks of channels, each [tokens, rows], the last one as narrow as it is.
    values: Vec<T>,
    /// Queries or keys before they are packed.
    rows: Vec<f32>,
}

struct PackHead<'a, T: Factor, X> {
    attention: &'a Attention<'a>,
    /// [tokens, 3, heads, head_dim]
    qkv: &'a [X],
    index: usize,
    tiles: Tiles,
    head: &'a mut Head<T::Element>,
}

impl<T: Factor, X: Value> Work for PackHead<'_, T, X> {
    type Output = ();
    const BY_AVX2: bool = T::BY_AVX2;
    const PORTABLE: bool = T::PORTABLE;

    #[inline(always)]
    fn run<M: MulAdd>(self) {
        let Attention {
            head_dim, tokens, ..
        } = *self.attention;
        let Tiles { rows, columns, .. } = self.tiles;
        let scale = (head_dim as f32).powf(-0.5);
        let mut head = std::mem::take(self.head);

        head.queries.clear();
        self.gather(0, scale, &mut head.rows);
        for block in head.rows.chunks(columns * head_dim) {
            let count = block.len() / head_dim;
            T::pack_columns(block, count, head_dim, columns, &mut head.queries);
        }
        head.keys.clear();
        self.gather(1, 1.0, &mut head.rows);
        for block in head.rows.chunks(rows * head_dim) {
            let count = block.len() / head_dim;
            T::pack_rows(block, count, head_dim, head_dim, &mut head.keys);
        }
        head.values.clear();
        for first in (0..head_dim).step_by(rows) {
            let last = (first + rows).min(head_dim);
            let values = |token| &self.channels(2, token)[first..last];
            T::pack_transposed(tokens, values, &mut head.values);
        }
        *self.head = head;
    }
}

impl<T: Factor, X: Value> PackHead<'_, T, X> {
    /// Queries, keys or values of one token.
    #[inline(always)]
    fn channels(&self, part: usize, token: usize) -> &[X] {
        let Attention {
            heads, head_dim, ..
        } = *self.attention;
        &self.qkv[((token * 3 + part) * heads + self.index) * head_dim..][..head_dim]
    }

    /// Queries or keys [tokens, head_dim], rotated if they are to be, and scaled.
    #[inline(always)]
    fn gather(&self, part: usize, scale: f32, rows: &mut Vec<f32>) {
        let Attention {
            head_dim,
            tokens,
            rotation,
            ..
        } = *self.attention;
        rows.resize(tokens * head_dim, 0.0);
        let Some((cos, sin)) = rotation else {
            for (token, row) in rows.chunks_exact_mut(head_dim).enumerate() {
                for (out, x) in row.iter_mut().zip(self.channels(part, token)) {
                    *out = x.f32() * scale;
                }
            }
            return;
        };
        for (token, row) in rows.chunks_exact_mut(head_dim).enumerate() {
            let x = self.channels(part, token).chunks_exact(2);
            let cos = cos[token * head_dim..][..head_dim].chunks_exact(2);
            let sin = sin[token * head_dim..][..head_dim].chunks_exact(2);
            for (((out, x), cos), sin) in row.chunks_exact_mut(2).zip(x).zip(cos).zip(sin) {
                let (a, b) = (x[0].f32(), x[1].f32());
                out[0] = (a * cos[0] - b * sin[0]) * scale;
                out[1] = (b * cos[1] + a * sin[1]) * scale;
            }
        }
    }
}

/// A panel's scores [tokens, columns].
#[derive(Default)]
struct Scores<T> {
    scores: Sums,
    /// The same after the softmax, if they have to be packed.
    packed: Vec<T>,
    /// Values weighted by them [channels, columns].
    mixed: Sums,
}

/// A panel of queries of one head.
struct Queries<'a, T: Factor, V> {
    attention: &'a Attention<'a>,
    head: &'a Head<T::Element>,
    /// Picture times heads plus head.
    index: usize,
    panel: usize,
    isa: Isa,
    tiles: Tiles,
    room: &'a mut Scores<T::Element>,
    out: &'a Output<'a, V>,
}

impl<T: Factor, V: Value> Work for Queries<'_, T, V> {
    type Output = ();
    const BY_AVX2: bool = T::BY_AVX2;
    const PORTABLE: bool = T::PORTABLE;

    #[inline(always)]
    fn run<M: MulAdd>(mut self) {
        let columns = self.tiles.columns;
        let mut unit = T::unit(self.isa);
        self.score(&mut unit);
        let mut shares = [0f32; MOST_COLUMNS];
        let shares = &mut shares[..columns];
        match columns {
            32 => self.shares::<32, M>(shares),
            16 => self.shares::<16, M>(shares),
            _ => self.shares::<8, M>(shares),
        }
        self.mix(&mut unit, shares);
    }
}

impl<T: Factor, V: Value> Queries<'_, T, V> {
    #[inline(always)]
    fn score(&mut self, unit: &mut T::Unit) {
        let tokens = self.tiles.padded(self.attention.tokens);
        let scores = self.room.scores.zeros(tokens * self.tiles.columns);
        let depth = T::depth(self.attention.head_dim);
        let panel = depth * self.tiles.columns;
        let queries = &self.head.queries[self.panel * panel..][..panel];
        let keys = &self.head.keys;
        add_products::<T>(unit, self.tiles, depth, keys, queries, &[], scores);
    }

    /// The softmax of C queries, a number that the compiler knows.
    #[inline(always)]
    fn shares<const C: usize, M: MulAdd>(&mut self, shares: &mut [f32]) {
        let (mut most, mut sums) = ([0f32; C], [0f32; C]);
        let scores = self.room.scores.get(self.attention.tokens * C);
        softmax::<M>(scores, &mut most, &mut sums);
        shares.copy_from_slice(&sums);
    }

    #[inline(always)]
    fn mix(&mut self, unit: &mut T::Unit, shares: &[f32]) {
        let Attention {
            heads,
            head_dim,
            tokens,
            queries,
            ..
        } = *self.attention;
        let columns = self.tiles.columns;
        let (picture, head) = (self.index / heads, self.index % heads);
        let first = self.panel * columns;
        let Scores {
            scores,
            packed,
            mixed,
        } = &mut *self.room;
        let weights = T::panel(scores.get(tokens * columns), columns, packed);
        let mixed = mixed.zeros(self.tiles.padded(head_dim) * columns);
        let (depth, values) = (T::depth(tokens), &self.head.values);
        add_products::<T>(unit, self.tiles, depth, values, weights, &[], mixed);
        for (query, share) in (first..queries).zip(shares) {
            let row = picture * queries + query;
            // SAFETY: the head's channels of this row are this task's own and in the output.
            let out = unsafe { self.out.part(row, head * head_dim, head_dim) };
            let mixed = mixed[query - first..].iter().step_by(columns);
            out.iter_mut().zip(mixed).for_each(|(out, sum)| {
                out.write(V::of(sum * share));
            });
        }
    }
}
