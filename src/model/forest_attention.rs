//! Attention of each node of a forest to itself and its ancestors.
//!
//! A prompt has about ten tokens, so a node has about ten scores per head: gathering keys by
//! index and working row by row costs next to nothing beside the linear layers, and no N x N
//! score matrix, mask or padding exists.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp3, Device, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::ops::dense;
use crate::vector::{dot, softmax};

/// For each node, the rows of its ancestors from the root down, and its own row last.
#[derive(Debug, Clone)]
pub struct Paths {
    paths: Arc<Vec<Vec<u32>>>,
}

impl Paths {
    /// Paths of the last `nodes` rows; `parents` gives each row's parent row.
    ///
    /// # Errors
    /// When a parent does not come before its child.
    pub fn new(parents: &[Option<usize>], nodes: usize) -> Result<Self> {
        let kept = parents.len() - nodes;
        let mut paths: Vec<Vec<u32>> = Vec::with_capacity(nodes);
        for (row, parent) in parents.iter().enumerate().skip(kept) {
            let mut path = match parent {
                None => Vec::new(),
                Some(parent) if *parent >= row => {
                    bail!("row {row} has row {parent} as its parent, which does not come before it")
                }
                Some(parent) if *parent >= kept => paths[parent - kept].clone(),
                Some(parent) => kept_path(parents, *parent),
            };
            path.push(row as u32);
            paths.push(path);
        }
        Ok(Self {
            paths: Arc::new(paths),
        })
    }

    /// All paths one after the other, as tensors: where each begins (and the last ends), and rows.
    ///
    /// # Errors
    /// When the device cannot hold them.
    pub fn flat(&self, device: &Device) -> Result<(Tensor, Tensor)> {
        let mut start = vec![0u32];
        let mut rows = Vec::new();
        for path in self.paths.iter() {
            rows.extend_from_slice(path);
            start.push(rows.len() as u32);
        }
        let tensor = |values: Vec<u32>| {
            let count = values.len();
            Tensor::from_vec(values, count, device)
        };
        Ok((tensor(start)?, tensor(rows)?))
    }
}

fn kept_path(parents: &[Option<usize>], row: usize) -> Vec<u32> {
    let mut path: Vec<u32> = std::iter::successors(Some(row), |row| parents[*row])
        .map(|row| row as u32)
        .collect();
    path.reverse();
    path
}

/// Softmax attention of q [N, W] over k, v [P + N, W] along each node's path, head by head.
pub struct ForestAttention {
    pub heads: usize,
    pub paths: Paths,
}

impl CustomOp3 for ForestAttention {
    fn name(&self) -> &'static str {
        "forest-attention"
    }

    fn cpu_fwd(
        &self,
        q: &CpuStorage,
        q_layout: &Layout,
        k: &CpuStorage,
        k_layout: &Layout,
        v: &CpuStorage,
        v_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let shape = q_layout.shape().clone();
        let (nodes, width) = shape.dims2()?;
        let (rows, _) = k_layout.shape().dims2()?;
        if k_layout.shape() != v_layout.shape() || nodes != self.paths.paths.len() || rows < nodes {
            bail!("forest attention: {nodes} queries, keys {k_layout:?}, values {v_layout:?}")
        }
        let q = dense(q, q_layout)?;
        let k = dense(k, k_layout)?;
        let v = dense(v, v_layout)?;
        let head_dim = width / self.heads;
        let scale = (head_dim as f32).powf(-0.5);
        let mut out = vec![0f32; nodes * width];
        out.par_chunks_mut(width)
            .zip(q.par_chunks(width))
            .zip(self.paths.paths.par_iter())
            .for_each(|((out, q), path)| {
                let mut weights = Vec::with_capacity(path.len());
                for head in (0..width).step_by(head_dim) {
                    let channels = head..head + head_dim;
                    let slice = |rows: &'_ [f32], row: u32| -> std::ops::Range<usize> {
                        debug_assert!((row as usize + 1) * width <= rows.len());
                        row as usize * width + head..row as usize * width + head + head_dim
                    };
                    weights.clear();
                    weights.extend(
                        path.iter()
                            .map(|row| dot(&q[channels.clone()], &k[slice(k, *row)]) * scale),
                    );
                    softmax(&mut weights);
                    let out = &mut out[channels];
                    for (weight, row) in weights.iter().zip(path) {
                        for (out, v) in out.iter_mut().zip(&v[slice(v, *row)]) {
                            *out += weight * v;
                        }
                    }
                }
            });
        Ok((CpuStorage::F32(out), shape))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_run_from_the_root_through_kept_rows_to_the_node_itself() {
        // Rows 0 and 1 are kept (a chain); row 2 continues row 1, row 3 row 2, row 4 row 0.
        let parents = [None, Some(0), Some(1), Some(2), Some(0)];
        let paths = Paths::new(&parents, 3).unwrap();
        assert_eq!(
            *paths.paths,
            vec![vec![0, 1, 2], vec![0, 1, 2, 3], vec![0, 4]]
        );
    }

    #[test]
    fn a_parent_behind_its_child_is_refused() {
        assert!(Paths::new(&[None, Some(1)], 2).is_err());
    }
}
