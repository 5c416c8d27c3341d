//! Attention whose scores never leave the cache.
//!
//! For each head the queries and keys, rotated where there is a rotation, and the values are packed once.
//! Then each panel of queries computes its scores with all keys, their softmax, and the weighted sum of the values.
//! Scores are kept as [keys, queries]: so the softmax works on whole vectors of queries, and the
//! scores are already packed for the second product.
#![allow(unsafe_code)] // Heads of one output are written from several threads.

use std::cell::RefCell;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::thread::LocalKey;

use rayon::prelude::*;

use super::ahead::{Ahead, Rows};
use super::amx::Line;
use super::blocks::{Blocks, Sums, turns};
use super::isa::{Isa, Work};
use super::math::Vectors;
use super::output::{Order, Output, written};
use super::pack::{Factor, Format, Lines, Pairs, Precision, Rounded, Whole};
use super::tile::Tiles;
use super::transpose::SIDE;
use super::value::Value;

/// Values that are rotated at once.
const LANES: usize = 16;

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
    /// `qkv` [batch, 3, heads, tokens, head_dim] to [batch, queries, heads, head_dim]. Scores are
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
                let mix = |panels: Range<usize>| {
                    let mut scores = room.scores.take();
                    let mut ahead = if split {
                        Ahead::nothing()
                    } else {
                        self.next_head::<T, V>(index + 1, qkv, out, tiles)
                    };
                    isa.run(Queries::<T, V> {
                        attention: self,
                        head: &head,
                        index,
                        panels,
                        isa,
                        tiles,
                        room: &mut scores,
                        ahead: &mut ahead,
                        out,
                    });
                    room.scores.set(scores);
                };
                if split {
                    let panels = (0..panels).into_par_iter();
                    panels.for_each(|panel| mix(panel..panel + 1));
                } else {
                    mix(0..panels);
                }
                room.head.set(head);
            });
        };
        // SAFETY: the panels of all heads cover the output.
        unsafe { written(pictures * self.queries, width, Order::Rows, compute) }
    }

    /// The input and the output of a head, fetched while the one before is worked on.
    fn next_head<'a, T: Factor, V: Value>(
        &self,
        index: usize,
        qkv: &'a [V],
        out: &'a Output<'a, V>,
        tiles: Tiles,
    ) -> Ahead<'a> {
        let Self {
            heads,
            head_dim,
            tokens,
            queries,
            ..
        } = *self;
        let (picture, head) = (index / heads, index % heads);
        let width = heads * head_dim;
        let first = (picture * 3 * width + head * head_dim) * tokens;
        if first == qkv.len() {
            return Ahead::nothing(); // There is none after the last one.
        }
        let columns = head * head_dim..(head + 1) * head_dim;
        let rows = [
            Rows::at(&raw const qkv[first], tokens * head_dim, tokens * width, 3),
            out.rows(picture * queries..(picture + 1) * queries, columns),
        ];
        let asked = turns::<T>(tiles, tokens, T::depth(head_dim));
        let answered = turns::<T>(tiles, head_dim, T::depth(tokens));
        Ahead::new(rows, queries.div_ceil(tiles.columns) * (asked + answered))
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
    /// Scaled; panels of queries, each [head dim, columns], the last one of few columns if they do.
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
    /// [3, heads, tokens, head_dim]
    qkv: &'a [X],
    index: usize,
    tiles: Tiles,
    head: &'a mut Head<T::Element>,
}

impl<T: Factor, X: Value> Work for PackHead<'_, T, X> {
    type Output = ();
    const BY_BF16: bool = !T::BY_AVX512;
    const BY_AVX512: bool = T::BY_AVX512;
    const BY_AVX2: bool = T::BY_AVX2;
    const PORTABLE: bool = T::PORTABLE;

    #[inline(always)]
    fn run<M: Vectors>(self) {
        let Attention {
            head_dim, tokens, ..
        } = *self.attention;
        let Tiles { rows, columns, .. } = self.tiles;
        let scale = (head_dim as f32).powf(-0.5);
        let mut head = std::mem::take(self.head);

        head.queries.clear();
        self.gather(0, scale, &mut head.rows);
        let asking = &head.rows[..self.attention.queries * head_dim];
        for block in asking.chunks(columns * head_dim) {
            let count = block.len() / head_dim;
            let width = self.tiles.width(count);
            T::pack_columns::<M>(block, count, head_dim, width, &mut head.queries);
        }
        head.keys.clear();
        self.gather(1, 1.0, &mut head.rows);
        for block in head.rows.chunks(rows * head_dim) {
            let count = block.len() / head_dim;
            T::pack_rows::<f32, M>(block, count, head_dim, head_dim, &mut head.keys);
        }
        head.values.clear();
        for first in (0..head_dim).step_by(rows) {
            let last = (first + rows).min(head_dim);
            let values = |token| &self.channels(2, token)[first..last];
            T::pack_transposed::<X, M>(tokens, values, &mut head.values);
        }
        *self.head = head;
    }
}

impl<T: Factor, X: Value> PackHead<'_, T, X> {
    /// Queries, keys or values of one token.
    #[inline(always)]
    fn channels(&self, part: usize, token: usize) -> &[X] {
        let Attention {
            heads,
            head_dim,
            tokens,
            ..
        } = *self.attention;
        &self.qkv[((part * heads + self.index) * tokens + token) * head_dim..][..head_dim]
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
            let x = self.channels(part, token);
            let [cos, sin] = [cos, sin].map(|angles| &angles[token * head_dim..][..head_dim]);
            let (out, last) = row.as_chunks_mut::<LANES>();
            let whole = out.len() * LANES;
            let lanes = x.as_chunks().0.iter();
            let lanes = lanes.zip(cos.as_chunks().0).zip(sin.as_chunks().0);
            for (out, ((x, cos), sin)) in out.iter_mut().zip(lanes) {
                *out = rotated::<LANES, X>(x, cos, sin, scale);
            }
            let lanes = x[whole..].as_chunks().0.iter();
            let lanes = lanes
                .zip(cos[whole..].as_chunks().0)
                .zip(sin[whole..].as_chunks().0);
            for (out, ((x, cos), sin)) in last.as_chunks_mut().0.iter_mut().zip(lanes) {
                *out = rotated::<2, X>(x, cos, sin, scale);
            }
        }
    }
}

/// Adjacent pairs rotated, and scaled.
#[inline(always)]
fn rotated<const N: usize, X: Value>(
    x: &[X; N],
    cos: &[f32; N],
    sin: &[f32; N],
    scale: f32,
) -> [f32; N] {
    let mut out = [0f32; N];
    for i in 0..N {
        let sign = if i % 2 == 0 { -1.0 } else { 1.0 };
        out[i] = (x[i].f32() * cos[i] + x[i ^ 1].f32() * (sign * sin[i])) * scale;
    }
    out
}

/// A panel's scores [tokens, columns].
#[derive(Default)]
struct Scores<T> {
    scores: Sums,
    /// Their weights by the softmax, if they have to be packed.
    packed: Vec<T>,
    /// Values weighted by them [channels, columns].
    mixed: Sums,
}

/// Panels of queries of one head.
struct Queries<'a, T: Factor, V> {
    attention: &'a Attention<'a>,
    head: &'a Head<T::Element>,
    /// Picture times heads plus head.
    index: usize,
    /// Which panels of queries.
    panels: Range<usize>,
    isa: Isa,
    tiles: Tiles,
    room: &'a mut Scores<T::Element>,
    ahead: &'a mut Ahead<'a>,
    out: &'a Output<'a, V>,
}

impl<T: Factor, V: Value> Work for Queries<'_, T, V> {
    type Output = ();
    const BY_BF16: bool = !T::BY_AVX512;
    const BY_AVX512: bool = T::BY_AVX512;
    const BY_AVX2: bool = T::BY_AVX2;
    const PORTABLE: bool = T::PORTABLE;

    #[inline(always)]
    fn run<M: Vectors>(mut self) {
        let columns = self.tiles.columns;
        let mut unit = T::unit(self.isa);
        for panel in self.panels.clone() {
            let first = panel * columns;
            match self.tiles.width(self.attention.queries - first) {
                32 => self.answer::<32, 16, M>(&mut unit, first),
                16 => self.answer::<16, 8, M>(&mut unit, first),
                _ => self.answer::<8, 8, M>(&mut unit, first),
            }
        }
    }
}

impl<T: Factor, V: Value> Queries<'_, T, V> {
    /// A panel of C queries, W in a vector.
    #[inline(always)]
    fn answer<const C: usize, const W: usize, M: Vectors>(
        &mut self,
        unit: &mut T::Unit,
        first: usize,
    ) {
        let Attention {
            head_dim, tokens, ..
        } = *self.attention;
        let Self {
            tiles,
            head,
            room,
            ahead,
            ..
        } = self;
        let Scores {
            scores,
            packed,
            mixed,
        } = &mut **room;

        let k = T::depth(head_dim);
        let asked = Blocks {
            tiles: *tiles,
            k,
            x: &head.keys,
            panel: &head.queries[k * first..][..k * C],
            anew: true,
        };
        let room = scores.room(tiles.padded(tokens) * C);
        asked.multiply::<T>(unit, ahead, room, |_, _| ());

        let (weights, shares) = T::soften::<M, C, W>(scores.get(tokens * C), packed);

        let answered = Blocks {
            tiles: *tiles,
            k: T::depth(tokens),
            x: &head.values,
            panel: weights,
            anew: true,
        };
        let channels = head_dim.next_multiple_of(SIDE);
        let mixed = mixed.room(tiles.padded(channels) * C);
        answered.multiply::<T>(unit, ahead, mixed, |_, _| ());
        leave(self.attention, self.index, first, mixed, &shares, self.out);
    }
}

/// Writes what was mixed [channels, C], each column times its share, as rows of the output.
#[inline(always)]
fn leave<const C: usize, V: Value>(
    attention: &Attention<'_>,
    index: usize,
    first: usize,
    mixed: &[f32],
    shares: &[f32; C],
    out: &Output<'_, V>,
) {
    let Attention {
        heads,
        head_dim,
        queries,
        ..
    } = *attention;
    let (picture, head) = (index / heads, index % heads);
    let channels = mixed.as_chunks::<C>().0.as_chunks::<SIDE>().0;
    let mut turned = [[0f32; SIDE]; C];
    for (mixed, channel) in channels.iter().zip((0..head_dim).step_by(SIDE)) {
        let rows = mixed.each_ref();
        for (column, (turned, share)) in turned.iter_mut().zip(shares).enumerate() {
            for (turned, row) in turned.iter_mut().zip(rows) {
                *turned = row[column] * share;
            }
        }
        let count = SIDE.min(head_dim - channel);
        for (query, turned) in (first..queries).zip(&turned) {
            let row = picture * queries + query;
            // SAFETY: the head's channels of this row are this task's own and in the output.
            let out = unsafe { out.part(row, head * head_dim + channel, count) };
            match out.first_chunk_mut::<SIDE>() {
                Some(out) => write(out, turned), // of a length that the compiler knows
                None => write(out, turned),
            }
        }
    }
}

#[inline(always)]
fn write<V: Value>(out: &mut [MaybeUninit<V>], values: &[f32]) {
    for (out, value) in out.iter_mut().zip(values) {
        out.write(V::of(*value));
    }
}
