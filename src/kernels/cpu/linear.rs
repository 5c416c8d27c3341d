//! Linear layers with packed weights, and what follows them fused into the store.
#![allow(unsafe_code)] // Tiles of one output are written from several threads.

use std::cell::RefCell;
use std::ops::Range;
use std::thread::LocalKey;

use rayon::prelude::*;

use super::ahead::{Ahead, Rows};
use super::amx::Line;
use super::blocks::{Blocks, Sums};
use super::epilogue::{Epilogue, Outcome, Write};
use super::isa::{Isa, Work};
use super::math::Vectors;
use super::output::{Order, Output, written};
use super::pack::{Factor, Format, Lines, Packed, Pairs, Precision, Rounded, Whole};
use super::tile::Tiles;
use super::value::Value;

/// Bytes of one row that are kept packed, if it has more than twice as many, while sums wait for the next
/// ones: so that many rows fit.
const DEPTH_BYTES: usize = 4 << 10;
/// Tasks for each thread, where there are rows and panels enough, so that none waits long for the
/// last one.
const TASKS_EACH: usize = 8;
/// Fewest panels that are a task of their own.
const FEWEST_PANELS: usize = 4;

/// `out = epilogue(x W^T + b)` with the weights W packed once.
///
/// Each output is one sum over k in order. So a row's bits do not depend on the other rows, on
/// its place among them, or on the number of threads.
#[derive(Debug)]
pub struct PackedLinear {
    inputs: usize,
    /// Columns of the product; twice the outputs when gated.
    columns: usize,
    gated: bool,
    panels: Packed,
    /// In the order of the panels' columns, with zeros where there is none.
    bias: Vec<f32>,
    isa: Isa,
    tiles: Tiles,
}

impl PackedLinear {
    /// `weight` [outputs, inputs], `bias` [outputs].
    ///
    /// # Panics
    /// When the lengths do not fit.
    pub fn new(
        weight: &[f32],
        bias: Option<&[f32]>,
        inputs: usize,
        precision: Precision,
        isa: Isa,
    ) -> Self {
        Self::pack(&[(weight, bias)], inputs, precision, isa)
    }

    /// `silu(x W1^T + b1) * (x W2^T + b2)` as one layer; each `(weight, bias)` as for `new`.
    ///
    /// # Panics
    /// When the lengths do not fit.
    pub fn gated(
        first: (&[f32], Option<&[f32]>),
        second: (&[f32], Option<&[f32]>),
        inputs: usize,
        precision: Precision,
        isa: Isa,
    ) -> Self {
        assert_eq!(first.0.len(), second.0.len());
        Self::pack(&[first, second], inputs, precision, isa)
    }

    /// A panel holds equally many columns of each part.
    fn pack(
        parts: &[(&[f32], Option<&[f32]>)],
        inputs: usize,
        precision: Precision,
        isa: Isa,
    ) -> Self {
        let format = Format::of(precision, isa);
        let tiles = format.tiles(isa);
        let outputs = parts[0].0.len() / inputs;
        let each = tiles.columns / parts.len();
        let panels = outputs.div_ceil(each);
        let columns = |panel: usize| panel * each..(panel * each + each).min(outputs);

        let mut bias = vec![0f32; panels * tiles.columns];
        for (slot, bias) in bias.chunks_mut(each).enumerate() {
            let (panel, part) = (slot / parts.len(), slot % parts.len());
            if let Some(values) = parts[part].1 {
                assert_eq!(values.len(), outputs);
                let columns = columns(panel);
                bias[..columns.len()].copy_from_slice(&values[columns]);
            }
        }
        // One panel's weights [columns, inputs].
        let gather = |panel: usize, rows: &mut Vec<f32>| {
            rows.clear();
            for (weight, _) in parts {
                assert_eq!(weight.len(), outputs * inputs);
                let columns = columns(panel);
                let end = rows.len() + each * inputs;
                rows.extend_from_slice(&weight[columns.start * inputs..columns.end * inputs]);
                rows.resize(end, 0.0);
            }
        };
        let (k, lanes) = (inputs, tiles.columns);
        let panels = match format {
            Format::Whole => Packed::Whole(in_parallel::<Whole>(isa, panels, k, lanes, gather)),
            Format::Rounded => {
                Packed::Rounded(in_parallel::<Rounded>(isa, panels, k, lanes, gather))
            }
            Format::Pairs => Packed::Pairs(in_parallel::<Pairs>(isa, panels, k, lanes, gather)),
            Format::Lines => Packed::Lines(in_parallel::<Lines>(isa, panels, k, lanes, gather)),
        };
        let gated = parts.len() == 2;
        Self {
            inputs,
            columns: outputs * parts.len(),
            gated,
            panels,
            bias,
            isa,
            tiles,
        }
    }

    /// Inputs of a row.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Outputs of a row.
    pub fn outputs(&self) -> usize {
        if self.gated {
            self.columns / 2
        } else {
            self.columns
        }
    }

    /// The outputs [rows, outputs] of all rows of `x` [rows, inputs]. Gated layers take
    /// `Epilogue::Bias`.
    ///
    /// # Panics
    /// When the lengths do not fit, or a layer in f32 has activations in bfloat16.
    pub fn forward<X: Value, V: Value>(&self, x: &[X], epilogue: Epilogue) -> Vec<V> {
        self.outputs_of(x, epilogue, Order::Rows)
    }

    /// The outputs of all rows of `x` [pictures * tokens, inputs], the bias added, as
    /// [pictures, heads, tokens, head_dim]: what belongs to a head lies together.
    ///
    /// # Panics
    /// When the lengths do not fit, or a layer in f32 has activations in bfloat16.
    pub fn forward_by_heads<X: Value, V: Value>(
        &self,
        x: &[X],
        tokens: usize,
        head_dim: usize,
    ) -> Vec<V> {
        assert!((x.len() / self.inputs).is_multiple_of(tokens));
        assert!(self.outputs().is_multiple_of(head_dim));
        self.outputs_of(x, Epilogue::Bias, Order::Heads { tokens, head_dim })
    }

    /// Adds the outputs of all rows of `x` [rows, inputs], the bias added, to `sums` [rows, outputs].
    ///
    /// # Panics
    /// When the lengths do not fit, a layer in f32 has activations in bfloat16, or the layer is gated.
    pub fn add_to<X: Value>(&self, x: &[X], sums: &mut [f32]) {
        assert_eq!(sums.len(), self.rows(x) * self.outputs());
        assert!(!self.gated);
        let sums = Output::holding(sums, self.outputs());
        self.compute(x, Outcome::Added, &sums);
    }

    fn outputs_of<X: Value, V: Value>(&self, x: &[X], epilogue: Epilogue, order: Order) -> Vec<V> {
        assert!(!self.gated || matches!(epilogue, Epilogue::Bias));
        let outcome = match self.gated {
            true => Outcome::Gate,
            false => Outcome::Epilogue(epilogue),
        };
        let compute = |out: &Output<'_, V>| self.compute(x, outcome, out);
        // SAFETY: the tasks of a plan cover the output.
        unsafe { written(self.rows(x), self.outputs(), order, compute) }
    }

    fn rows<X>(&self, x: &[X]) -> usize {
        assert!(x.len().is_multiple_of(self.inputs));
        x.len() / self.inputs
    }

    fn compute<X: Value, V: Value>(&self, x: &[X], outcome: Outcome, out: &Output<'_, V>) {
        match &self.panels {
            Packed::Whole(panels) if X::WHOLE && V::WHOLE => {
                self.multiply::<Whole, X, V>(panels, x, outcome, out, &VALUES);
            }
            Packed::Whole(_) => unreachable!("activations in bfloat16 for a layer in f32"),
            Packed::Rounded(panels) => {
                self.multiply::<Rounded, X, V>(panels, x, outcome, out, &VALUES);
            }
            Packed::Pairs(panels) => self.multiply::<Pairs, X, V>(panels, x, outcome, out, &PAIRS),
            Packed::Lines(panels) => self.multiply::<Lines, X, V>(panels, x, outcome, out, &LINES),
        }
    }

    fn multiply<T: Factor, X: Value, V: Value>(
        &self,
        panels: &[T::Element],
        x: &[X],
        outcome: Outcome,
        out: &Output<'_, V>,
        room: &'static LocalKey<RefCell<Vec<T::Element>>>,
    ) {
        let plan = Plan::new(self, self.rows(x));
        (0..plan.row_parts).into_par_iter().for_each(|part| {
            let rows = plan.rows(part);
            let mut packed = room.take();
            // Of each part of the panels. They last until all inputs are summed up.
            let parts = 0..plan.panel_parts();
            let mut sums: Vec<Sums> = parts.map(|_| Sums::default()).collect();
            for first in (0..self.inputs).step_by(plan.depth) {
                let depth = first..self.inputs.min(first + plan.depth);
                self.isa.run(PackRows::<T, X> {
                    x: &x[rows.start * self.inputs..rows.end * self.inputs],
                    inputs: self.inputs,
                    depth: depth.clone(),
                    block: self.tiles.rows,
                    packed: &mut packed,
                });
                let multiply = |part, sums: &mut Sums| {
                    self.isa.run(Products::<T, V> {
                        layer: self,
                        packed: &packed,
                        panels,
                        outcome,
                        out,
                        rows: rows.clone(),
                        which: plan.panels(part),
                        depth: depth.clone(),
                        sums,
                    });
                };
                match &mut sums[..] {
                    [sums] => multiply(0, sums),
                    parts => {
                        let parts = parts.par_iter_mut().enumerate();
                        parts.for_each(|(part, sums)| multiply(part, sums));
                    }
                }
            }
            room.set(packed);
        });
    }

    fn panel_columns(&self) -> usize {
        if self.gated {
            self.tiles.columns / 2
        } else {
            self.tiles.columns
        }
    }
}

/// Panels of `lanes` columns, one after the other: gathered, then packed, on all threads.
fn in_parallel<T: Factor>(
    isa: Isa,
    panels: usize,
    k: usize,
    lanes: usize,
    gather: impl Fn(usize, &mut Vec<f32>) + Sync,
) -> Vec<T::Element> {
    let elements = T::depth(k) * lanes;
    let mut packed = vec![T::Element::default(); panels * elements];
    packed.par_chunks_mut(elements).enumerate().for_each_init(
        || (Vec::new(), Vec::new()),
        |(rows, room), (panel, packed)| {
            gather(panel, rows);
            isa.run(PackColumns::<T> {
                rows,
                k,
                lanes,
                room,
            });
            packed.copy_from_slice(room);
        },
    );
    packed
}

/// How the output is cut into tasks. It has no influence on the result.
struct Plan {
    rows: usize,
    /// Rows of a tile.
    block: usize,
    blocks: usize,
    /// Parts of the rows, each packed once; the sizes of two differ by at most a block.
    row_parts: usize,
    /// Inputs that are multiplied before the next ones are packed.
    depth: usize,
    panels: usize,
    panels_each: usize,
}

impl Plan {
    fn new(layer: &PackedLinear, rows: usize) -> Self {
        let element = match layer.panels {
            Packed::Whole(_) | Packed::Rounded(_) => 4,
            Packed::Pairs(_) | Packed::Lines(_) => 2,
        };
        let Tiles {
            rows: block,
            most_rows,
            most_bytes,
            ..
        } = layer.tiles;
        let blocks = rows.div_ceil(block);
        let depth = if layer.inputs * element > 2 * DEPTH_BYTES {
            DEPTH_BYTES / element
        } else {
            layer.inputs
        };
        let fitting = most_bytes / (depth * element * block);
        let most = fitting.clamp(1, most_rows / block);
        let threads = rayon::current_num_threads();
        // Equally many for each thread: the last one to end is waited for.
        let row_parts = blocks.div_ceil(most).next_multiple_of(threads);
        let row_parts = row_parts.min(blocks).max(1);
        let panels = layer.outputs().div_ceil(layer.panel_columns());
        let panel_parts = (TASKS_EACH * threads).div_ceil(row_parts);
        let panels_each = panels.div_ceil(panel_parts).max(FEWEST_PANELS);
        Self {
            rows,
            block,
            blocks,
            row_parts,
            depth,
            panels,
            panels_each,
        }
    }

    fn panel_parts(&self) -> usize {
        self.panels.div_ceil(self.panels_each)
    }

    fn rows(&self, part: usize) -> Range<usize> {
        let first = |part: usize| (part * self.blocks / self.row_parts * self.block).min(self.rows);
        first(part)..first(part + 1)
    }

    fn panels(&self, part: usize) -> Range<usize> {
        let first = |part: usize| (part * self.panels_each).min(self.panels);
        first(part)..first(part + 1)
    }
}

/// Columns [lanes, k] as a panel.
struct PackColumns<'a, T: Factor> {
    rows: &'a [f32],
    k: usize,
    lanes: usize,
    room: &'a mut Vec<T::Element>,
}

impl<T: Factor> Work for PackColumns<'_, T> {
    type Output = ();
    const BY_BF16: bool = !T::BY_AVX512;
    const BY_AVX512: bool = T::BY_AVX512;
    const BY_AVX2: bool = T::BY_AVX2;
    const PORTABLE: bool = T::PORTABLE;

    #[inline(always)]
    fn run<M: Vectors>(self) {
        self.room.clear();
        T::pack_columns::<M>(self.rows, self.lanes, self.k, self.lanes, self.room);
    }
}

thread_local! {
    /// Packed rows. Taken and put back around the work: a closure given to `with` would not be
    /// compiled for the instructions.
    static VALUES: RefCell<Vec<f32>> = RefCell::default();
    static PAIRS: RefCell<Vec<u32>> = RefCell::default();
    static LINES: RefCell<Vec<Line>> = RefCell::default();
}

/// Some inputs of rows as blocks, each [depth, rows of a tile], the last one as narrow as it is.
struct PackRows<'a, T: Factor, X> {
    /// [rows, inputs]
    x: &'a [X],
    inputs: usize,
    /// Which inputs.
    depth: Range<usize>,
    /// Rows of a tile.
    block: usize,
    packed: &'a mut Vec<T::Element>,
}

impl<T: Factor, X: Value> Work for PackRows<'_, T, X> {
    type Output = ();
    const BY_BF16: bool = !T::BY_AVX512;
    const BY_AVX512: bool = T::BY_AVX512;
    const BY_AVX2: bool = T::BY_AVX2;
    const PORTABLE: bool = T::PORTABLE;

    #[inline(always)]
    fn run<M: Vectors>(self) {
        self.packed.clear();
        for x in self.x.chunks(self.block * self.inputs) {
            let count = x.len() / self.inputs;
            let x = &x[self.depth.start..];
            let depth = self.depth.len();
            T::pack_rows::<X, M>(x, count, depth, self.inputs, self.packed);
        }
    }
}

/// Some rows times some panels, over some inputs.
struct Products<'a, T: Factor, V> {
    layer: &'a PackedLinear,
    packed: &'a [T::Element],
    /// All of the layer's.
    panels: &'a [T::Element],
    outcome: Outcome,
    out: &'a Output<'a, V>,
    /// Those that were packed.
    rows: Range<usize>,
    /// Which panels.
    which: Range<usize>,
    /// Which inputs; the outputs are written after the last ones.
    depth: Range<usize>,
    /// Of each panel [rows, columns], where there are more inputs than these; holds those over earlier
    /// inputs.
    sums: &'a mut Sums,
}

impl<T: Factor, V: Value> Work for Products<'_, T, V> {
    type Output = ();
    const BY_BF16: bool = !T::BY_AVX512;
    const BY_AVX512: bool = T::BY_AVX512;
    const BY_AVX2: bool = T::BY_AVX2;
    const PORTABLE: bool = T::PORTABLE;

    #[inline(always)]
    fn run<M: Vectors>(self) {
        let Self {
            layer,
            packed,
            panels,
            outcome,
            out,
            rows,
            which,
            depth,
            sums,
        } = self;
        let columns = layer.tiles.columns;
        let (all, first, k) = (
            T::depth(layer.inputs),
            T::depth(depth.start),
            T::depth(depth.len()),
        );
        let weights = |panel: usize| {
            let start = (panel * all + first) * columns;
            let weights = panels.get(start..start + k * columns);
            weights.unwrap_or_default() // There is none after the last one.
        };
        let mut unit = T::unit(layer.isa);
        let each = layer.tiles.padded(rows.len()) * columns;
        let kept = match depth.len() == layer.inputs {
            true => 1, // The next panel may have the room.
            false => which.len(),
        };
        let sums = sums.room(kept * each);
        for (i, panel) in which.enumerate() {
            // A gated panel has as many columns of each part.
            let width = layer.panel_columns();
            let written = panel * width..((panel + 1) * width).min(out.columns());
            let sums = &mut sums[i % kept * each..][..each];
            let blocks = Blocks {
                tiles: layer.tiles,
                k,
                x: packed,
                panel: weights(panel),
                anew: depth.start == 0,
            };
            // Outputs follow right after their products, so that other products hide how long the memory
            // takes.
            let then = |block: usize, sums: &[f32]| {
                if depth.end < layer.inputs {
                    return;
                }
                let first = rows.start + block * layer.tiles.rows;
                let rows = first..rows.end.min(first + layer.tiles.rows);
                layer.isa.run(Write {
                    outcome,
                    sums: &sums[..rows.len() * columns],
                    bias: &layer.bias[panel * columns..][..columns],
                    rows,
                    columns: written.clone(),
                    out,
                });
            };
            let next = [Rows::all(weights(panel + 1)), Rows::default()];
            let mut ahead = Ahead::new(next, blocks.turns::<T>());
            blocks.multiply::<T>(&mut unit, &mut ahead, sums, then);
        }
    }
}
