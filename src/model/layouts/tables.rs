//! What each layout calls the tensors: one row for a tensor, or for the weight and bias of a layer.
//!
//! Sources: open_clip 3.3.0 (`transformer.py`, `model.py`), timm (`models/eva.py`), EVA-CLIP
//! (`rei/eva_clip/eva_vit_model.py`) and transformers 4.57 (`modeling_clip.py`).

/// How a file holds a tensor that a tower reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As it is.
    Whole,
    /// As it is; the row stands for `.weight` and `.bias` below its names.
    Layer,
    /// Transposed.
    Transposed,
    /// With so many axes of length 1 in front.
    Leading(usize),
    /// The first, second or last third of its first axis.
    Third(usize),
}

/// Our name of a tensor or layer, the file's, and how the file holds it.
#[derive(Debug)]
pub(super) struct Row {
    pub ours: &'static str,
    pub theirs: &'static str,
    pub form: Form,
}

/// What a layout calls the tensors of one tower.
#[derive(Debug)]
pub(super) struct Names {
    /// What every key begins with.
    pub prefix: &'static str,
    /// Tensors outside the blocks.
    pub top: &'static [Row],
    /// What stands in front of a block's number, without the dot behind it.
    pub blocks: &'static str,
    /// Tensors of a block.
    pub block: &'static [Row],
}

const fn row(ours: &'static str, theirs: &'static str, form: Form) -> Row {
    Row { ours, theirs, form }
}

use Form::{Layer, Leading, Third, Transposed, Whole};

pub(super) const CLIP_VISION: Names = Names {
    prefix: "visual.",
    top: &[
        row("class_embedding", "class_embedding", Whole),
        row("patch_embedding.weight", "conv1.weight", Whole),
        row("positional_embedding", "positional_embedding", Whole),
        row("pre_norm", "ln_pre", Layer),
        row("norm", "ln_post", Layer),
        row("projection.weight", "proj", Transposed),
    ],
    blocks: "transformer.resblocks",
    block: CLIP_BLOCK,
};

/// Without a prefix.
pub(super) const CLIP_TEXT: Names = Names {
    prefix: "",
    top: &[
        row("token_embedding", "token_embedding.weight", Whole),
        row("positional_embedding", "positional_embedding", Whole),
        row("norm", "ln_final", Layer),
        row("projection.weight", "text_projection", Transposed),
    ],
    blocks: "transformer.resblocks",
    block: CLIP_BLOCK,
};

pub(super) const CUSTOM_TEXT: Names = Names {
    prefix: "text.",
    ..CLIP_TEXT
};

const CLIP_BLOCK: &[Row] = &[
    row("norm1", "ln_1", Layer),
    row("attn.q.weight", "attn.in_proj_weight", Third(0)),
    row("attn.k.weight", "attn.in_proj_weight", Third(1)),
    row("attn.v.weight", "attn.in_proj_weight", Third(2)),
    row("attn.q.bias", "attn.in_proj_bias", Third(0)),
    row("attn.k.bias", "attn.in_proj_bias", Third(1)),
    row("attn.v.bias", "attn.in_proj_bias", Third(2)),
    row("attn.proj", "attn.out_proj", Layer),
    row("norm2", "ln_2", Layer),
    row("mlp.fc1", "mlp.c_fc", Layer),
    row("mlp.fc2", "mlp.c_proj", Layer),
];

/// EVA-02 in sizes B and L, and UTA.
pub(super) const EVA_VISION: Names = Names {
    prefix: "visual.",
    top: EVA_TOP,
    blocks: "blocks",
    block: &[
        row("norm1", "norm1", Layer),
        row("attn.q.weight", "attn.q_proj.weight", Whole),
        row("attn.k.weight", "attn.k_proj.weight", Whole),
        row("attn.v.weight", "attn.v_proj.weight", Whole),
        row("attn.q.bias", "attn.q_bias", Whole),
        row("attn.v.bias", "attn.v_bias", Whole),
        row("attn.norm", "attn.inner_attn_ln", Layer),
        row("attn.proj", "attn.proj", Layer),
        row("norm2", "norm2", Layer),
        row("mlp.gate", "mlp.w1", Layer),
        row("mlp.up", "mlp.w2", Layer),
        row("mlp.norm", "mlp.ffn_ln", Layer),
        row("mlp.down", "mlp.w3", Layer),
    ],
};

/// EVA-01, and EVA-02 in size E.
pub(super) const EVA_FUSED_VISION: Names = Names {
    block: EVA_FUSED_BLOCK,
    ..EVA_VISION
};

const EVA_TOP: &[Row] = &[
    row("class_embedding", "cls_token", Leading(2)),
    row("patch_embedding", "patch_embed.proj", Layer),
    row("positional_embedding", "pos_embed", Leading(1)),
    row("norm", "norm", Layer),
    row("projection", "head", Layer),
];

const EVA_FUSED_BLOCK: &[Row] = &[
    row("norm1", "norm1", Layer),
    row("attn.q.weight", "attn.qkv.weight", Third(0)),
    row("attn.k.weight", "attn.qkv.weight", Third(1)),
    row("attn.v.weight", "attn.qkv.weight", Third(2)),
    row("attn.q.bias", "attn.q_bias", Whole),
    row("attn.v.bias", "attn.v_bias", Whole),
    row("attn.proj", "attn.proj", Layer),
    row("norm2", "norm2", Layer),
    row("mlp.fc1", "mlp.fc1", Layer),
    row("mlp.fc2", "mlp.fc2", Layer),
];

/// EVA-02 in sizes B and L.
pub(super) const TIMM_VISION: Names = Names {
    prefix: "visual.trunk.",
    top: EVA_TOP,
    blocks: "blocks",
    block: &[
        row("norm1", "norm1", Layer),
        row("attn.q", "attn.q_proj", Layer),
        row("attn.k.weight", "attn.k_proj.weight", Whole),
        row("attn.v", "attn.v_proj", Layer),
        row("attn.norm", "attn.norm", Layer),
        row("attn.proj", "attn.proj", Layer),
        row("norm2", "norm2", Layer),
        row("mlp.gate", "mlp.fc1_g", Layer),
        row("mlp.up", "mlp.fc1_x", Layer),
        row("mlp.norm", "mlp.norm", Layer),
        row("mlp.down", "mlp.fc2", Layer),
    ],
};

/// EVA-01, and EVA-02 in size E.
pub(super) const TIMM_FUSED_VISION: Names = Names {
    block: EVA_FUSED_BLOCK,
    ..TIMM_VISION
};

pub(super) const TRANSFORMERS_VISION: Names = Names {
    prefix: "",
    top: &[
        row(
            "class_embedding",
            "vision_model.embeddings.class_embedding",
            Whole,
        ),
        row(
            "patch_embedding.weight",
            "vision_model.embeddings.patch_embedding.weight",
            Whole,
        ),
        row(
            "positional_embedding",
            "vision_model.embeddings.position_embedding.weight",
            Whole,
        ),
        // The spelling is theirs.
        row("pre_norm", "vision_model.pre_layrnorm", Layer),
        row("norm", "vision_model.post_layernorm", Layer),
        row("projection.weight", "visual_projection.weight", Whole),
    ],
    blocks: "vision_model.encoder.layers",
    block: TRANSFORMERS_BLOCK,
};

pub(super) const TRANSFORMERS_TEXT: Names = Names {
    prefix: "",
    top: &[
        row(
            "token_embedding",
            "text_model.embeddings.token_embedding.weight",
            Whole,
        ),
        row(
            "positional_embedding",
            "text_model.embeddings.position_embedding.weight",
            Whole,
        ),
        row("norm", "text_model.final_layer_norm", Layer),
        row("projection.weight", "text_projection.weight", Whole),
    ],
    blocks: "text_model.encoder.layers",
    block: TRANSFORMERS_BLOCK,
};

const TRANSFORMERS_BLOCK: &[Row] = &[
    row("norm1", "layer_norm1", Layer),
    row("attn.q", "self_attn.q_proj", Layer),
    row("attn.k", "self_attn.k_proj", Layer),
    row("attn.v", "self_attn.v_proj", Layer),
    row("attn.proj", "self_attn.out_proj", Layer),
    row("norm2", "layer_norm2", Layer),
    row("mlp.fc1", "mlp.fc1", Layer),
    row("mlp.fc2", "mlp.fc2", Layer),
];
