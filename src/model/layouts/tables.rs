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
pub(super) struct KeyPair {
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
    pub top: &'static [KeyPair],
    /// What stands in front of a block's number, without the dot behind it.
    pub blocks: &'static str,
    /// Tensors of a block.
    pub block: &'static [KeyPair],
}

const fn pair(ours: &'static str, theirs: &'static str, form: Form) -> KeyPair {
    KeyPair { ours, theirs, form }
}

use Form::{Layer, Leading, Third, Transposed, Whole};

pub(super) const CLIP_VISION: Names = Names {
    prefix: "visual.",
    top: &[
        pair("class_embedding", "class_embedding", Whole),
        pair("patch_embedding.weight", "conv1.weight", Whole),
        pair("positional_embedding", "positional_embedding", Whole),
        pair("pre_norm", "ln_pre", Layer),
        pair("norm", "ln_post", Layer),
        pair("projection.weight", "proj", Transposed),
    ],
    blocks: "transformer.resblocks",
    block: CLIP_BLOCK,
};

/// Without a prefix.
pub(super) const CLIP_TEXT: Names = Names {
    prefix: "",
    top: &[
        pair("token_embedding", "token_embedding.weight", Whole),
        pair("positional_embedding", "positional_embedding", Whole),
        pair("norm", "ln_final", Layer),
        pair("projection.weight", "text_projection", Transposed),
    ],
    blocks: "transformer.resblocks",
    block: CLIP_BLOCK,
};

pub(super) const CUSTOM_TEXT: Names = Names {
    prefix: "text.",
    ..CLIP_TEXT
};

const CLIP_BLOCK: &[KeyPair] = &[
    pair("norm1", "ln_1", Layer),
    pair("attn.q.weight", "attn.in_proj_weight", Third(0)),
    pair("attn.k.weight", "attn.in_proj_weight", Third(1)),
    pair("attn.v.weight", "attn.in_proj_weight", Third(2)),
    pair("attn.q.bias", "attn.in_proj_bias", Third(0)),
    pair("attn.k.bias", "attn.in_proj_bias", Third(1)),
    pair("attn.v.bias", "attn.in_proj_bias", Third(2)),
    pair("attn.proj", "attn.out_proj", Layer),
    pair("norm2", "ln_2", Layer),
    pair("mlp.fc1", "mlp.c_fc", Layer),
    pair("mlp.fc2", "mlp.c_proj", Layer),
];

/// EVA-02 in sizes B and L, and UTA.
pub(super) const EVA_VISION: Names = Names {
    prefix: "visual.",
    top: EVA_TOP,
    blocks: "blocks",
    block: &[
        pair("norm1", "norm1", Layer),
        pair("attn.q.weight", "attn.q_proj.weight", Whole),
        pair("attn.k.weight", "attn.k_proj.weight", Whole),
        pair("attn.v.weight", "attn.v_proj.weight", Whole),
        pair("attn.q.bias", "attn.q_bias", Whole),
        pair("attn.v.bias", "attn.v_bias", Whole),
        pair("attn.norm", "attn.inner_attn_ln", Layer),
        pair("attn.proj", "attn.proj", Layer),
        pair("norm2", "norm2", Layer),
        pair("mlp.gate", "mlp.w1", Layer),
        pair("mlp.up", "mlp.w2", Layer),
        pair("mlp.norm", "mlp.ffn_ln", Layer),
        pair("mlp.down", "mlp.w3", Layer),
    ],
};

/// EVA-01, and EVA-02 in size E.
pub(super) const EVA_FUSED_VISION: Names = Names {
    block: EVA_FUSED_BLOCK,
    ..EVA_VISION
};

const EVA_TOP: &[KeyPair] = &[
    pair("class_embedding", "cls_token", Leading(2)),
    pair("patch_embedding", "patch_embed.proj", Layer),
    pair("positional_embedding", "pos_embed", Leading(1)),
    pair("norm", "norm", Layer),
    pair("projection", "head", Layer),
];

const EVA_FUSED_BLOCK: &[KeyPair] = &[
    pair("norm1", "norm1", Layer),
    pair("attn.q.weight", "attn.qkv.weight", Third(0)),
    pair("attn.k.weight", "attn.qkv.weight", Third(1)),
    pair("attn.v.weight", "attn.qkv.weight", Third(2)),
    pair("attn.q.bias", "attn.q_bias", Whole),
    pair("attn.v.bias", "attn.v_bias", Whole),
    pair("attn.proj", "attn.proj", Layer),
    pair("norm2", "norm2", Layer),
    pair("mlp.fc1", "mlp.fc1", Layer),
    pair("mlp.fc2", "mlp.fc2", Layer),
];

/// EVA-02 in sizes B and L.
pub(super) const TIMM_VISION: Names = Names {
    prefix: "visual.trunk.",
    top: EVA_TOP,
    blocks: "blocks",
    block: &[
        pair("norm1", "norm1", Layer),
        pair("attn.q", "attn.q_proj", Layer),
        pair("attn.k.weight", "attn.k_proj.weight", Whole),
        pair("attn.v", "attn.v_proj", Layer),
        pair("attn.norm", "attn.norm", Layer),
        pair("attn.proj", "attn.proj", Layer),
        pair("norm2", "norm2", Layer),
        pair("mlp.gate", "mlp.fc1_g", Layer),
        pair("mlp.up", "mlp.fc1_x", Layer),
        pair("mlp.norm", "mlp.norm", Layer),
        pair("mlp.down", "mlp.fc2", Layer),
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
        pair(
            "class_embedding",
            "vision_model.embeddings.class_embedding",
            Whole,
        ),
        pair(
            "patch_embedding.weight",
            "vision_model.embeddings.patch_embedding.weight",
            Whole,
        ),
        pair(
            "positional_embedding",
            "vision_model.embeddings.position_embedding.weight",
            Whole,
        ),
        // The spelling is theirs.
        pair("pre_norm", "vision_model.pre_layrnorm", Layer),
        pair("norm", "vision_model.post_layernorm", Layer),
        pair("projection.weight", "visual_projection.weight", Whole),
    ],
    blocks: "vision_model.encoder.layers",
    block: TRANSFORMERS_BLOCK,
};

pub(super) const TRANSFORMERS_TEXT: Names = Names {
    prefix: "",
    top: &[
        pair(
            "token_embedding",
            "text_model.embeddings.token_embedding.weight",
            Whole,
        ),
        pair(
            "positional_embedding",
            "text_model.embeddings.position_embedding.weight",
            Whole,
        ),
        pair("norm", "text_model.final_layer_norm", Layer),
        pair("projection.weight", "text_projection.weight", Whole),
    ],
    blocks: "text_model.encoder.layers",
    block: TRANSFORMERS_BLOCK,
};

const TRANSFORMERS_BLOCK: &[KeyPair] = &[
    pair("norm1", "layer_norm1", Layer),
    pair("attn.q", "self_attn.q_proj", Layer),
    pair("attn.k", "self_attn.k_proj", Layer),
    pair("attn.v", "self_attn.v_proj", Layer),
    pair("attn.proj", "self_attn.out_proj", Layer),
    pair("norm2", "layer_norm2", Layer),
    pair("mlp.fc1", "mlp.fc1", Layer),
    pair("mlp.fc2", "mlp.fc2", Layer),
];
