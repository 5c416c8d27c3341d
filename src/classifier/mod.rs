//! The zero-shot classifier: one column of text features for each class.
//!
//! A class's column is the mean of its prompts' features, each of unit length, scaled to unit
//! length itself. Of several lists of prompts, it is the weighted mean of the columns that each list
//! gives alone, scaled to unit length again.

mod averaging;
pub mod cache;
pub mod file;
/// Features and a classifier in, ranked classes out.
pub mod ranker;
pub mod recipe;
mod trie;

use std::collections::HashMap;

use candle_core::{DType, Result, Tensor};
use rayon::prelude::*;
use tracing::info_span;

use crate::model::micro_batch::is_out_of_memory;
use crate::model::{Forest, Kept, TextTower};
use crate::util::vector::{dot, normalised};
pub use averaging::Averaging;
pub use trie::{Run, Trie};

/// Logits are this multiple of the cosine between picture and class. The reference uses the
/// constant, not the checkpoint's `logit_scale`.
pub const LOGIT_SCALE: f32 = 100.0;

/// One column for each class. Classes with identical columns share one, so that their logits are
/// equal to the last bit.
#[derive(Debug, Clone, PartialEq)]
pub struct Classifier {
    embedding: usize,
    /// Distinct columns, one after the other.
    columns: Vec<f32>,
    /// The column of each class.
    column_of: Vec<usize>,
}

impl Classifier {
    /// From one column of `embedding` values for each class.
    pub fn new(embedding: usize, classes: &[Vec<f32>]) -> Self {
        let mut columns = Vec::new();
        let mut places: HashMap<Vec<u32>, usize> = HashMap::new();
        let column_of = classes
            .iter()
            .map(|column| {
                assert_eq!(column.len(), embedding);
                let next = places.len();
                *places
                    .entry(column.iter().map(|v| v.to_bits()).collect())
                    .or_insert_with(|| {
                        columns.extend(column);
                        next
                    })
            })
            .collect();
        Self {
            embedding,
            columns,
            column_of,
        }
    }

    /// Dimensions of a column.
    pub fn embedding(&self) -> usize {
        self.embedding
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.column_of.len()
    }

    /// A class's column: `embedding` values of unit length.
    pub fn column(&self, class: usize) -> &[f32] {
        let start = self.column_of[class] * self.embedding;
        &self.columns[start..start + self.embedding]
    }

    /// The distinct columns, one after the other.
    pub fn columns(&self) -> &[f32] {
        &self.columns
    }

    /// Which of the distinct columns each class has.
    pub fn column_of(&self) -> &[usize] {
        &self.column_of
    }

    /// The same columns, of some classes only. Its classes are places in `classes`.
    #[must_use]
    pub fn of_classes(&self, classes: &[usize]) -> Self {
        let columns: Vec<Vec<f32>> = classes
            .iter()
            .map(|class| self.column(*class).to_vec())
            .collect();
        Self::new(self.embedding, &columns)
    }

    /// Logits of one picture for all classes, from its features of any length.
    pub fn logits(&self, features: &[f32]) -> Vec<f32> {
        let features = normalised(features);
        let distinct: Vec<f32> = self
            .columns
            .chunks_exact(self.embedding)
            .map(|column| LOGIT_SCALE * dot(&features, column))
            .collect();
        self.column_of
            .iter()
            .map(|column| distinct[*column])
            .collect()
    }

    /// Groups of classes whose logits always tie, because their columns are identical.
    pub fn tied_classes(&self) -> Vec<Vec<usize>> {
        let mut groups: Vec<Vec<usize>> =
            vec![Vec::new(); self.columns.len() / self.embedding.max(1)];
        for (class, column) in self.column_of.iter().enumerate() {
            groups[*column].push(class);
        }
        groups.retain(|group| group.len() > 1);
        groups
    }
}

/// How far a build has come: the sums of the prompts' features, over the first nodes of the trie.
#[derive(Debug, Clone, PartialEq)]
pub struct Partial {
    /// The first node that is not done.
    next: usize,
    /// For each list of prompts and class, the sum of the prompts' features, each of unit length.
    /// [lists x classes, embedding]
    sums: Vec<f64>,
}

impl Partial {
    /// Nodes that are done.
    pub fn nodes(&self) -> usize {
        self.next
    }
}

/// What a build has to tell, from time to time.
#[derive(Debug)]
pub enum Progress<'a> {
    /// How far it has come.
    Done(&'a Partial),
    /// The device's memory is short; from now on so many nodes are encoded at once.
    Smaller { nodes: usize },
}

/// Encodes all prompts and averages them class by class.
///
/// `trie` holds each prompt's tokens, in the order that `averaging` says.
/// With `partial`, an earlier build of the same trie goes on where it was interrupted; one
/// of another size is not used.
///
/// # Errors
/// When the tower fails.
pub fn build(
    tower: &TextTower,
    trie: &Trie,
    averaging: impl Into<Averaging>,
    partial: Option<Partial>,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Classifier> {
    let embedding = tower.embedding()?;
    let averaging = averaging.into();
    let values = averaging.sums() * embedding;
    let fits = |p: &Partial| p.sums.len() == values && p.next <= trie.len();
    let mut partial = partial.filter(fits).unwrap_or_else(|| Partial {
        next: 0,
        sums: vec![0.0; values],
    });
    // Ordered by node, and so in the same order for classes with the same prompts.
    let ends = trie.ends().iter().copied();
    let mut ends: Vec<(usize, usize)> = ends.zip(averaging.sum_of(trie.ends().len())).collect();
    ends.sort_unstable();
    let mut nodes = tower.nodes_of_a_run();
    loop {
        match advance(tower, trie, &ends, nodes, &mut partial, progress) {
            Ok(()) => break,
            // The sums are those of whole runs, so the build goes on from there with smaller ones.
            Err(error) if nodes > 1 && is_out_of_memory(&error) => {
                // Memory is freed when its stream comes to that; then there may be more.
                tower.wait()?;
                nodes = nodes.min(trie.len()) / 2;
                progress(Progress::Smaller { nodes });
            }
            Err(error) => return Err(error),
        }
    }
    let columns = averaging.columns(&partial.sums, embedding);
    Ok(Classifier::new(embedding, &columns))
}

/// Encodes the nodes that are left, `nodes` at once. `ends` are nodes and the sums to which the prompts
/// that end there belong, by node. On an error, `partial` is as far as the last run that was finished.
fn advance(
    tower: &TextTower,
    trie: &Trie,
    ends: &[(usize, usize)],
    nodes: usize,
    partial: &mut Partial,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<()> {
    let embedding = tower.embedding()?;
    let first = partial.next;
    let mut ends = ends[ends.partition_point(|(node, _)| *node < first)..]
        .iter()
        .copied()
        .peekable();
    let mut kept = ancestors(tower, trie, first)?;
    for run in trie.runs(first, nodes) {
        let _span = info_span!("encode prompts", nodes = run.forest.tokens.len()).entered();
        let states = tower.states(&run.forest, &mut kept, &run.keep)?;
        let behind = run.start + run.forest.tokens.len();
        let mut rows: Vec<u32> = Vec::new();
        let mut of_row: Vec<Vec<usize>> = Vec::new();
        while let Some((node, sum)) = ends.next_if(|(node, _)| *node < behind) {
            let row = (node - run.start) as u32;
            if rows.last() != Some(&row) {
                rows.push(row);
                of_row.push(Vec::new());
            }
            if let Some(of_row) = of_row.last_mut() {
                of_row.push(sum);
            }
        }
        if !rows.is_empty() {
            let rows = Tensor::new(rows, states.device())?;
            let features = tower.project(&states.index_select(&rows, 0)?)?;
            let features = features.to_dtype(DType::F32)?;
            tower.wait()?;
            let features = features.to_vec2::<f32>()?;
            let features: Vec<Vec<f32>> = features.par_iter().map(|f| normalised(f)).collect();
            for (features, sums) in features.iter().zip(&of_row) {
                for place in sums {
                    let sum = &mut partial.sums[place * embedding..(place + 1) * embedding];
                    sum.iter_mut()
                        .zip(features)
                        .for_each(|(s, v)| *s += f64::from(*v));
                }
            }
        }
        partial.next = behind;
        progress(Progress::Done(partial));
    }
    Ok(())
}

/// Keys and values of a node's ancestors, which a build that goes on at the node needs.
fn ancestors(tower: &TextTower, trie: &Trie, node: usize) -> Result<Kept> {
    let mut kept = Kept::default();
    let tokens = trie.prefix(node);
    if !tokens.is_empty() {
        let rows: Vec<usize> = (0..tokens.len()).collect();
        tower.states(&Forest::chain(&tokens), &mut kept, &rows)?;
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_with_the_same_column_tie_to_the_last_bit_and_are_listed() {
        let a: Vec<f32> = (0..100).map(|i| (i as f32 * 0.37).sin()).collect();
        let b: Vec<f32> = (0..100).map(|i| (i as f32 * 0.11).cos()).collect();
        let classifier = Classifier::new(100, &[a.clone(), b.clone(), a]);
        let logits = classifier.logits(&b);
        assert_eq!(logits[0].to_bits(), logits[2].to_bits());
        assert_eq!(classifier.tied_classes(), [[0, 2]]);
        assert_eq!(classifier.classes(), 3);
    }
}
