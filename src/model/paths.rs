//! The ways from the roots of a forest to its nodes, along which they attend.

use std::sync::OnceLock;

use candle_core::{Device, Result, Tensor, bail};

/// For each node, the rows of its ancestors from the root down, and its own row last.
#[derive(Debug)]
pub struct Paths {
    paths: Vec<Vec<u32>>,
    rows: usize,
    /// Rows whose keys and values the next run needs.
    kept_rows: Vec<usize>,
    /// The paths and the kept rows on the device, for all blocks.
    flat: OnceLock<(Tensor, Tensor)>,
    keep: OnceLock<Tensor>,
}

impl Paths {
    /// Paths of the last `nodes` rows; `parents` gives each row's parent row. The rows in `keep` are
    /// those whose keys and values the next run needs.
    ///
    /// # Errors
    /// When a parent does not come before its child.
    pub fn new(parents: &[Option<usize>], nodes: usize, keep: &[usize]) -> Result<Self> {
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
            paths,
            rows: parents.len(),
            kept_rows: keep.into(),
            flat: OnceLock::new(),
            keep: OnceLock::new(),
        })
    }

    /// The path of each node.
    pub fn each(&self) -> &[Vec<u32>] {
        &self.paths
    }

    /// Rows that the paths may lead to.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// All paths one after the other, as tensors: where each begins (and the last ends), and rows.
    ///
    /// # Errors
    /// When the device cannot hold them.
    pub fn flat(&self, device: &Device) -> Result<(&Tensor, &Tensor)> {
        if let Some((start, rows)) = self.flat.get() {
            return Ok((start, rows));
        }
        let mut start = vec![0u32];
        let mut rows = Vec::new();
        for path in &self.paths {
            rows.extend_from_slice(path);
            start.push(rows.len() as u32);
        }
        let tensor = |values: Vec<u32>| {
            let count = values.len();
            Tensor::from_vec(values, count, device)
        };
        let (start, rows) = self.flat.get_or_init({
            let flat = (tensor(start)?, tensor(rows)?);
            || flat
        });
        Ok((start, rows))
    }

    /// Rows whose keys and values the next run needs.
    pub fn kept_rows(&self) -> &[usize] {
        &self.kept_rows
    }

    /// The same as a tensor; none when there are none, for no device likes a tensor of nothing.
    ///
    /// # Errors
    /// When the device cannot hold them.
    pub fn keep(&self, device: &Device) -> Result<Option<&Tensor>> {
        if self.kept_rows.is_empty() {
            return Ok(None);
        }
        if let Some(rows) = self.keep.get() {
            return Ok(Some(rows));
        }
        let rows = Tensor::from_iter(self.kept_rows.iter().map(|r| *r as u32), device)?;
        Ok(Some(self.keep.get_or_init(|| rows)))
    }
}

fn kept_path(parents: &[Option<usize>], row: usize) -> Vec<u32> {
    let mut path: Vec<u32> = std::iter::successors(Some(row), |row| parents[*row])
        .map(|row| row as u32)
        .collect();
    path.reverse();
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_run_from_the_root_through_kept_rows_to_the_node_itself() {
        // Rows 0 and 1 are kept (a chain); row 2 continues row 1, row 3 row 2, row 4 row 0.
        let parents = [None, Some(0), Some(1), Some(2), Some(0)];
        let paths = Paths::new(&parents, 3, &[]).unwrap();
        assert_eq!(
            paths.paths,
            vec![vec![0, 1, 2], vec![0, 1, 2, 3], vec![0, 4]]
        );
    }

    #[test]
    fn a_parent_behind_its_child_is_refused() {
        assert!(Paths::new(&[None, Some(1)], 2, &[]).is_err());
    }
}
