//! The text tower: a causal transformer over a forest of token prefixes.
//!
//! Sources: the reference's `eva_vit_model/transformer.py`, which is open_clip's (`TextTransformer`).
//! Names are the canonical ones of tensors below `text.`.
//!
//! Attention is causal: a token's state depends on the tokens before it and on nothing else. So
//! the tower does not work on padded rows of 77 tokens but on the nodes of a [`Forest`]: each
//! node is one token in the context of its ancestors, and prompts that begin alike share nodes.
//! A single prompt is a forest of one chain. Both cuts are exact.
//! Shapes: N nodes, P nodes kept from before, W width.

use std::sync::Arc;

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

use super::backend::{Backend, KeysValues, Linear, Norm};
use super::compute::Compute;
use super::config::TextConfig;
use super::paths::Paths;
use super::transformer::{Observe, Transformer};

/// Encodes token prefixes into the space shared with pictures.
#[derive(Debug)]
pub struct TextTower {
    backend: Arc<dyn Backend>,
    heads: usize,
    /// [vocabulary, W]
    token_embedding: Tensor,
    /// [context, W]
    positional_embedding: Tensor,
    transformer: Transformer,
    norm: Norm,
    /// [embedding, W]
    projection: Tensor,
}

/// A run of nodes, parents before children, each with the row of its parent.
///
/// Rows count the kept nodes first: row 0..P are what [`Kept`] holds, row P + i is node i.
#[derive(Debug, Clone, Default)]
pub struct Forest {
    /// Vocabulary ids.
    pub tokens: Vec<u32>,
    /// Position of each node in its sequence, below the context length.
    pub positions: Vec<u32>,
    /// Row of each node's parent; `None` at the start of a text.
    pub parents: Vec<Option<usize>>,
}

impl Forest {
    /// The forest of one text: a chain.
    pub fn chain(tokens: &[u32]) -> Self {
        Self {
            tokens: tokens.to_vec(),
            positions: (0..tokens.len() as u32).collect(),
            parents: (0..tokens.len()).map(|i| i.checked_sub(1)).collect(),
        }
    }
}

/// Keys and values, block by block, of ancestors that an earlier run computed.
#[derive(Debug, Default)]
pub struct Kept {
    /// For each kept row, the row of its parent.
    parents: Vec<Option<usize>>,
    /// For each block. Empty before the first run.
    blocks: Vec<KeysValues>,
}

impl TextTower {
    /// Builds the tower from the weights below `vb`.
    ///
    /// # Errors
    /// When a weight is missing or has another shape.
    pub fn new(
        config: &TextConfig,
        embedding: usize,
        compute: &Compute,
        vb: VarBuilder,
    ) -> Result<Self> {
        let (width, eps) = (config.transformer.width, config.transformer.eps);
        let backend = &compute.backend;
        let projection = vb.get((embedding, width), "projection.weight")?;
        Ok(Self {
            backend: Arc::clone(backend),
            heads: config.transformer.heads,
            token_embedding: vb.get((config.vocabulary, width), "token_embedding")?,
            positional_embedding: vb.get((config.context, width), "positional_embedding")?,
            transformer: Transformer::new(&config.transformer, backend, &vb.pp("blocks"))?,
            norm: Norm::load(width, eps, &vb.pp("norm"))?,
            // Its transpose is what is multiplied.
            projection: projection.t()?.contiguous()?.t()?,
        })
    }

    /// Dimensions of the shared space.
    ///
    /// # Errors
    /// Never, for a tower that was built.
    pub fn embedding(&self) -> Result<usize> {
        self.projection.dim(0)
    }

    /// Nodes that should go through the tower at once, for its full speed.
    pub fn nodes_of_a_run(&self) -> usize {
        self.backend.nodes_of_a_run()
    }

    /// States [N, W] of the forest's nodes after the last block.
    ///
    /// `kept` holds the ancestors that the forest refers to; afterwards it holds the rows in
    /// `keep` (kept rows and new ones, ascending, parents included), for the next run.
    ///
    /// # Errors
    /// When a token or position is out of range.
    pub fn states(&self, forest: &Forest, kept: &mut Kept, keep: &[usize]) -> Result<Tensor> {
        self.states_of(forest, kept, keep, None)
    }

    /// As [`states`](Self::states), showing the residual stream [N, W] after each block.
    ///
    /// # Errors
    /// As [`states`](Self::states), and whatever `observe` returns.
    pub fn states_observed(
        &self,
        forest: &Forest,
        kept: &mut Kept,
        keep: &[usize],
        observe: Observe<'_>,
    ) -> Result<Tensor> {
        self.states_of(forest, kept, keep, Some(observe))
    }

    fn states_of(
        &self,
        forest: &Forest,
        kept: &mut Kept,
        keep: &[usize],
        observe: Option<Observe<'_>>,
    ) -> Result<Tensor> {
        let device = self.token_embedding.device();
        let nodes = forest.tokens.len();
        let tokens = Tensor::from_slice(&forest.tokens, nodes, device)?;
        let positions = Tensor::from_slice(&forest.positions, nodes, device)?;
        let mut parents = std::mem::take(&mut kept.parents);
        parents.extend(&forest.parents);
        let paths = Paths::new(&parents, nodes, keep)?;

        let x = (self.token_embedding.index_select(&tokens, 0)?
            + self.positional_embedding.index_select(&positions, 0)?)?; // [N, W]
        let mut before = std::mem::take(&mut kept.blocks).into_iter();
        let mut attend = |_, qkv: &Linear, input: &Tensor, x: Tensor| {
            let before = before.next();
            let (attended, keys_values) = self
                .backend
                .forest_attention(input, qkv, self.heads, before, &paths)?;
            kept.blocks.extend(keys_values);
            Ok((attended, x))
        };
        let x = self.transformer.forward(x, &mut attend, observe)?;
        kept.parents = keep
            .iter()
            .map(|row| parents[*row].and_then(|parent| keep.binary_search(&parent).ok()))
            .collect();
        Ok(x)
    }

    /// Features [M, embedding] of end-of-text states [M, W]; not of unit length.
    ///
    /// # Errors
    /// When the states have another width.
    pub fn project(&self, states: &Tensor) -> Result<Tensor> {
        let normed = self.backend.normalise_f32(states, &self.norm)?;
        self.backend.product_in_f32(&normed, &self.projection)
    }

    /// Waits until what was asked for is computed, without taking a core meanwhile.
    ///
    /// # Errors
    /// When the device fails.
    pub fn wait(&self) -> Result<()> {
        self.backend.wait()
    }
}
