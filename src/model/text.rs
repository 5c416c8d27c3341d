//! The text tower: OpenCLIP's causal transformer, over a forest of token prefixes.
//!
//! Source: the reference's `eva_vit_model/transformer.py` (`TextTransformer`). Names are the
//! [schema](super::schema)'s below `text.`.
//!
//! Attention is causal: a token's state depends on the tokens before it and on nothing else. So
//! the tower does not work on padded rows of 77 tokens but on the nodes of a [`Forest`]: each
//! node is one token in the context of its ancestors, and prompts that begin alike share nodes.
//! A single prompt is a forest of one chain. Both cuts are exact.
//! Shapes: N nodes, P nodes kept from before, W width, H heads, D head dim.

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

use super::compute::Compute;
use super::config::{TEXT_EPS, TextConfig};
use super::layers::{LayerNorm, Linear, part};
use super::mixed::Mixed;
use super::mixed::text::TextBlock;
use super::ops::ApplyForestAttention;
use super::paths::Paths;
use crate::kernels::Isa;

/// The matrix products are large enough to run at full speed, and the largest activation of UTA's
/// text tower takes 32 MB.
const NODES_AT_ONCE: usize = 2048;
/// As above, for GPUs.
const NODES_AT_ONCE_ON_GPU: usize = 16_384;

/// Encodes token prefixes into the space shared with pictures.
#[derive(Debug)]
pub struct TextTower {
    token_embedding: Tensor,
    positional_embedding: Tensor,
    blocks: Blocks,
    ln_final: LayerNorm,
    /// [W, embedding]
    text_projection: Tensor,
    mixed: Option<Mixed>,
}

#[derive(Debug)]
enum Blocks {
    Layers(Vec<Block>),
    /// In mixed precision, with kernels that span layers.
    Mixed(Vec<TextBlock>),
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
    /// For each block: keys and values [P, W]. Empty before the first run.
    blocks: Vec<(Tensor, Tensor)>,
}

impl TextTower {
    /// Builds the tower from the weights below `text.`.
    ///
    /// # Errors
    /// When a weight is missing or has another shape.
    pub fn new(
        config: &TextConfig,
        embedding: usize,
        compute: &Compute,
        vb: VarBuilder,
    ) -> Result<Self> {
        let width = config.transformer.width;
        let blocks = vb.pp("blocks");
        Ok(Self {
            token_embedding: vb.get((config.vocabulary, width), "token_embedding")?,
            positional_embedding: vb.get((config.context, width), "positional_embedding")?,
            blocks: match compute.mixed() {
                None => Blocks::Layers(
                    (0..config.transformer.depth)
                        .map(|i| Block::new(config, compute, blocks.pp(i)))
                        .collect::<Result<_>>()?,
                ),
                Some(mixed) => Blocks::Mixed(
                    (0..config.transformer.depth)
                        .map(|i| TextBlock::new(config, mixed, blocks.pp(i)))
                        .collect::<Result<_>>()?,
                ),
            },
            ln_final: LayerNorm::load(width, TEXT_EPS, compute, vb.pp("norm"))?,
            text_projection: vb
                .get((embedding, width), "projection.weight")?
                .t()?
                .contiguous()?,
            mixed: compute.mixed().cloned(),
        })
    }

    /// Dimensions of the shared space.
    ///
    /// # Errors
    /// Never, for a tower that was built.
    pub fn embedding(&self) -> Result<usize> {
        self.text_projection.dim(1)
    }

    /// Nodes that should go through the tower at once, for its full speed.
    pub fn nodes_at_once(&self) -> usize {
        match self.blocks {
            Blocks::Layers(_) => NODES_AT_ONCE,
            Blocks::Mixed(_) => NODES_AT_ONCE_ON_GPU,
        }
    }

    /// States [N, W] of the forest's nodes after the last block.
    ///
    /// `kept` holds the ancestors that the forest refers to; afterwards it holds the rows in
    /// `keep` (kept rows and new ones, ascending, parents included), for the next run.
    ///
    /// # Errors
    /// When a token or position is out of range.
    pub fn states(&self, forest: &Forest, kept: &mut Kept, keep: &[usize]) -> Result<Tensor> {
        self.states_observed(forest, kept, keep, &mut |_| Ok(()))
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
        observe: &mut dyn FnMut(&Tensor) -> Result<()>,
    ) -> Result<Tensor> {
        let device = self.token_embedding.device();
        let nodes = forest.tokens.len();
        let tokens = Tensor::from_slice(&forest.tokens, nodes, device)?;
        let positions = Tensor::from_slice(&forest.positions, nodes, device)?;
        let mut parents = std::mem::take(&mut kept.parents);
        parents.extend(&forest.parents);
        let paths = Paths::new(&parents, nodes)?;
        let mut before = std::mem::take(&mut kept.blocks).into_iter();

        let mut x = (self.token_embedding.index_select(&tokens, 0)?
            + self.positional_embedding.index_select(&positions, 0)?)?; // [N, W]
        match &self.blocks {
            Blocks::Layers(blocks) => {
                for block in blocks {
                    let before = before.next();
                    let qkv;
                    (x, qkv) = block.forward(&x, before.as_ref(), &paths)?;
                    if !keep.is_empty() {
                        kept.blocks
                            .push(kept_keys_values(before.as_ref(), &qkv, keep)?);
                    }
                    observe(&x)?;
                }
            }
            Blocks::Mixed(blocks) => {
                // No device likes a tensor of nothing.
                let rows = match keep {
                    [] => None,
                    _ => Some(Tensor::from_iter(keep.iter().map(|r| *r as u32), device)?),
                };
                let (start, path) = paths.flat(device)?;
                for block in blocks {
                    let (keys, values);
                    (x, (keys, values)) = block.forward(&x, before.next(), (&start, &path))?;
                    if let Some(rows) = &rows {
                        let select = |of: &Tensor| of.index_select(rows, 0);
                        kept.blocks.push((select(&keys)?, select(&values)?));
                    }
                    observe(&x)?;
                }
            }
        }
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
        let normed = self.ln_final.forward(states)?;
        match &self.mixed {
            Some(mixed) => mixed.product_in_f32(&normed, &self.text_projection.t()?),
            None => normed.matmul(&self.text_projection),
        }
    }

    /// Waits until what was asked for is computed, without taking a core meanwhile.
    ///
    /// # Errors
    /// When the device fails.
    pub fn wait(&self) -> Result<()> {
        match &self.mixed {
            Some(mixed) => mixed.engine.wait(),
            None => Ok(()),
        }
    }
}

#[derive(Debug)]
struct Block {
    ln_1: LayerNorm,
    attn: Attention,
    ln_2: LayerNorm,
    c_fc: Linear,
    c_proj: Linear,
}

impl Block {
    fn new(config: &TextConfig, compute: &Compute, vb: VarBuilder) -> Result<Self> {
        let (width, hidden) = (config.transformer.width, config.transformer.mlp_hidden);
        let mlp = vb.pp("mlp");
        Ok(Self {
            ln_1: LayerNorm::load(width, TEXT_EPS, compute, vb.pp("norm1"))?,
            attn: Attention::new(config, compute, vb.pp("attn"))?,
            ln_2: LayerNorm::load(width, TEXT_EPS, compute, vb.pp("norm2"))?,
            c_fc: Linear::load(width, hidden, compute, mlp.pp("fc1"))?,
            c_proj: Linear::load(hidden, width, compute, mlp.pp("fc2"))?,
        })
    }

    /// New states [N, W], and the queries, keys and values [N, 3W] of the nodes. `before` are keys and
    /// values [P, W].
    fn forward(
        &self,
        x: &Tensor,
        before: Option<&(Tensor, Tensor)>,
        paths: &Paths,
    ) -> Result<(Tensor, Tensor)> {
        let (mixed, qkv) = self.attn.forward(&self.ln_1.forward(x)?, before, paths)?;
        let x = self.attn.out_proj.forward_add(&mixed, x)?;
        let hidden = self.c_fc.forward_gelu(&self.ln_2.forward(&x)?)?; // [N, hidden]
        let x = self.c_proj.forward_add(&hidden, &x)?;
        Ok((x, qkv))
    }
}

#[derive(Debug)]
struct Attention {
    heads: usize,
    in_proj: Linear,
    out_proj: Linear,
    isa: Isa,
}

impl Attention {
    fn new(config: &TextConfig, compute: &Compute, vb: VarBuilder) -> Result<Self> {
        let width = config.transformer.width;
        Ok(Self {
            heads: config.transformer.heads,
            in_proj: Linear::stacked(
                &["q", "k", "v"]
                    .map(|name| vb.pp(name).get((width, width), "weight"))
                    .into_iter()
                    .collect::<Result<Vec<_>>>()?,
                &["q", "k", "v"]
                    .map(|name| vb.pp(name).get(width, "bias"))
                    .into_iter()
                    .collect::<Result<Vec<_>>>()?,
                compute,
            )?,
            out_proj: Linear::load(width, width, compute, vb.pp("proj"))?,
            isa: compute.kernels().map_or(Isa::portable(), |k| k.isa),
        })
    }

    /// What `out_proj` is to be applied to, and queries, keys and values.
    fn forward(
        &self,
        x: &Tensor,
        before: Option<&(Tensor, Tensor)>,
        paths: &Paths,
    ) -> Result<(Tensor, Tensor)> {
        let qkv = self.in_proj.forward(x)?; // [N, 3W]
        let attention = ApplyForestAttention {
            heads: self.heads,
            paths,
            isa: self.isa,
        };
        let mixed = match before {
            None => qkv.apply_op1_no_bwd(&attention)?,
            Some((keys, values)) => qkv.apply_op3_no_bwd(keys, values, &attention)?,
        }; // [N, W]
        Ok((mixed, qkv))
    }
}

/// Keys and values of the rows in `keep`, from those of before and `qkv` [N, 3W].
fn kept_keys_values(
    before: Option<&(Tensor, Tensor)>,
    qkv: &Tensor,
    keep: &[usize],
) -> Result<(Tensor, Tensor)> {
    let select = |before: Option<&Tensor>, new: &Tensor| {
        let kept = before.map_or(Ok(0), |before| before.dim(0))?;
        let row = |row: &usize| match before {
            Some(before) if *row < kept => before.narrow(0, *row, 1),
            _ => new.narrow(0, row - kept, 1),
        };
        Tensor::cat(&keep.iter().map(row).collect::<Result<Vec<_>>>()?, 0)
    };
    let keys = select(before.map(|(keys, _)| keys), &part(qkv, 1, 3)?)?;
    let values = select(before.map(|(_, values)| values), &part(qkv, 2, 3)?)?;
    Ok((keys, values))
}
