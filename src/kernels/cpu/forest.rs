//! Attention of each node of a forest to itself and its ancestors.
//!
//! A prompt has about ten tokens, so a node has about ten scores per head: gathering keys by index
//! and working row by row costs next to nothing beside the linear layers, and no N x N score
//! matrix, mask or padding exists.
#![allow(unsafe_code)] // Rows of one output are written from several threads.

use rayon::prelude::*;

use super::isa::{Isa, Work};
use super::math::Vectors;
use super::output::{Order, Output, written};
use super::softmax::softmax;
use super::value::Value;

/// Partial sums that the compiler keeps in vector registers.
const LANES: usize = 16;
/// Nodes of a task.
const NODES: usize = 16;

/// Shape and paths of an attention layer over a forest.
#[derive(Debug, Clone, Copy)]
pub struct ForestAttention<'a> {
    pub heads: usize,
    pub head_dim: usize,
    /// Keys and values, each [kept, heads, head_dim], of rows from before.
    pub kept: [&'a [f32]; 2],
    /// For each node, the rows of its ancestors from the root down, and its own row last. The kept
    /// rows are counted first.
    pub paths: &'a [Vec<u32>],
}

impl ForestAttention<'_> {
    /// `qkv` [nodes, 3, heads, head_dim] to [nodes, heads, head_dim]. Scores are scaled by the root
    /// of the head dim.
    ///
    /// # Panics
    /// When the lengths do not fit, or a path leads to no row.
    pub fn forward<V: Value>(&self, isa: Isa, qkv: &[f32]) -> Vec<V> {
        let (nodes, width) = (self.paths.len(), self.heads * self.head_dim);
        let [keys, values] = self.kept;
        assert!(qkv.len() == nodes * 3 * width && keys.len() == values.len());
        let compute = |out: &Output<'_, V>| {
            let tasks = self.paths.par_chunks(NODES).enumerate();
            tasks.for_each(|(task, paths)| {
                isa.run(Nodes {
                    attention: self,
                    qkv,
                    first: task * NODES,
                    paths,
                    out,
                });
            });
        };
        // SAFETY: the tasks cover all nodes.
        unsafe { written(nodes, width, Order::Rows, compute) }
    }
}

/// Some nodes.
struct Nodes<'a, V> {
    attention: &'a ForestAttention<'a>,
    qkv: &'a [f32],
    /// Where they begin.
    first: usize,
    paths: &'a [Vec<u32>],
    out: &'a Output<'a, V>,
}

impl<V: Value> Work for Nodes<'_, V> {
    type Output = ();

    #[inline(always)]
    fn run<M: Vectors>(self) {
        let ForestAttention {
            heads, head_dim, ..
        } = *self.attention;
        let width = heads * head_dim;
        let scale = (head_dim as f32).powf(-0.5);
        let mut scores: Vec<f32> = Vec::new(); // [rows of the path, heads]
        let (mut most, mut shares) = (vec![0f32; heads], vec![0f32; heads]);
        let mut mixed = vec![0f32; width];
        for (node, path) in (self.first..).zip(self.paths) {
            let q = &self.qkv[node * 3 * width..][..width];
            scores.clear();
            for row in path {
                let keys = self.row(1, *row as usize).chunks_exact(head_dim);
                for (q, k) in q.chunks_exact(head_dim).zip(keys) {
                    scores.push(dot::<M>(q, k) * scale);
                }
            }
            softmax::<M>(&mut scores, &mut most, &mut shares);
            mixed.fill(0.0);
            for (row, weights) in path.iter().zip(scores.chunks_exact(heads)) {
                let values = self.row(2, *row as usize).chunks_exact(head_dim);
                let heads = mixed.chunks_exact_mut(head_dim).zip(values);
                for ((mixed, values), weight) in heads.zip(weights) {
                    for (mixed, value) in mixed.iter_mut().zip(values) {
                        *mixed = M::mul_add(*weight, *value, *mixed);
                    }
                }
            }
            // SAFETY: the row is this task's own and in the output.
            let out = unsafe { self.out.part(node, 0, width) };
            let heads = out
                .chunks_exact_mut(head_dim)
                .zip(mixed.chunks_exact(head_dim));
            for ((out, mixed), share) in heads.zip(&shares) {
                for (out, mixed) in out.iter_mut().zip(mixed) {
                    out.write(V::of(mixed * share));
                }
            }
        }
    }
}

impl<V> Nodes<'_, V> {
    /// A row's keys (part 1) or values (part 2).
    #[inline(always)]
    fn row(&self, part: usize, row: usize) -> &[f32] {
        let ForestAttention {
            heads,
            head_dim,
            kept,
            ..
        } = *self.attention;
        let width = heads * head_dim;
        let kept = kept[part - 1];
        match row.checked_sub(kept.len() / width) {
            None => &kept[row * width..][..width],
            Some(node) => &self.qkv[(node * 3 + part) * width..][..width],
        }
    }
}

/// The inner product, its sums in a fixed order.
#[inline(always)]
fn dot<M: Vectors>(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0f32; LANES];
    let (a, b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest = a.remainder().iter().zip(b.remainder());
    for (sum, (a, b)) in sums.iter_mut().zip(rest) {
        *sum = a * b;
    }
    for (a, b) in a.zip(b) {
        for lane in 0..LANES {
            sums[lane] = M::mul_add(a[lane], b[lane], sums[lane]);
        }
    }
    let mut half = LANES / 2;
    while half > 0 {
        for lane in 0..half {
            sums[lane] += sums[lane + half];
        }
        half /= 2;
    }
    sums[0]
}
