//! A configuration as names and values that a user understands, for whoever compares two of them.

use super::{
    Mlp, ModelConfig, NormPlacement, QkvBias, TextConfig, TransformerConfig, VisionConfig,
};
use crate::picture::preprocessing::{Interpolation, Preprocessing, ResizeMode};

impl ModelConfig {
    /// All that decides what the model computes, by name. Journals keep it: another name or another
    /// spelling of a value asks for another version of the journal.
    pub fn hyperparameters(&self) -> Vec<(String, String)> {
        // Field by field, so that a new one is not forgotten here.
        let Self {
            name,
            published: _,
            vision,
            text,
            embedding,
            preprocessing,
        } = self;
        let mut hyperparameters = Hyperparameters(Vec::new());
        hyperparameters.add("model", name);
        hyperparameters.add("embedding", embedding);
        hyperparameters.add_preprocessing(preprocessing);
        hyperparameters.add_vision(vision);
        hyperparameters.add_text(text);
        hyperparameters.0
    }
}

struct Hyperparameters(Vec<(String, String)>);

impl Hyperparameters {
    fn add(&mut self, name: &str, value: impl ToString) {
        self.0.push((name.into(), value.to_string()));
    }

    fn add_preprocessing(&mut self, preprocessing: &Preprocessing) {
        let Preprocessing {
            size,
            mean,
            std,
            interpolation,
            resize,
        } = preprocessing;
        let channels = |values: &[f32; 3]| values.map(|value| value.to_string()).join(", ");
        self.add("size of the crop", size);
        self.add("mean", channels(mean));
        self.add("std", channels(std));
        self.add(
            "interpolation",
            match interpolation {
                Interpolation::Bicubic => "bicubic",
                Interpolation::Bilinear => "bilinear",
            },
        );
        self.add(
            "resize",
            match resize {
                ResizeMode::Shortest => "shortest",
                ResizeMode::Squash => "squash",
            },
        );
    }

    fn add_vision(&mut self, vision: &VisionConfig) {
        let VisionConfig {
            image,
            patch,
            patch_bias,
            pre_norm,
            rope,
            projection_bias,
            transformer,
        } = vision;
        self.add("vision image size", image);
        self.add("vision patch size", patch);
        self.add("vision patch bias", patch_bias);
        self.add("vision norm before the blocks", pre_norm);
        self.add("vision rotary embedding", rope);
        self.add("vision projection bias", projection_bias);
        self.add_transformer("vision", transformer);
    }

    fn add_text(&mut self, text: &TextConfig) {
        let TextConfig {
            context,
            vocabulary,
            transformer,
        } = text;
        self.add("text context", context);
        self.add("text vocabulary", vocabulary);
        self.add_transformer("text", transformer);
    }

    fn add_transformer(&mut self, tower: &str, transformer: &TransformerConfig) {
        let TransformerConfig {
            width,
            depth,
            heads,
            mlp_hidden,
            eps,
            norm,
            qkv_bias,
            attention_norm,
            mlp,
        } = transformer;
        let norm = match norm {
            NormPlacement::Before => "before",
            NormPlacement::After => "after",
        };
        let qkv_bias = match qkv_bias {
            QkvBias::QueryValue => "query, value",
            QkvBias::All => "query, key, value",
        };
        let mlp = match mlp {
            Mlp::SwiGlu => "SwiGLU",
            Mlp::Gelu => "GELU",
            Mlp::QuickGelu => "QuickGELU",
        };
        self.add(&format!("{tower} width"), width);
        self.add(&format!("{tower} depth"), depth);
        self.add(&format!("{tower} heads"), heads);
        self.add(&format!("{tower} mlp hidden"), mlp_hidden);
        self.add(&format!("{tower} epsilon"), eps);
        self.add(&format!("{tower} norm placement"), norm);
        self.add(&format!("{tower} attention bias"), qkv_bias);
        self.add(&format!("{tower} attention norm"), attention_norm);
        self.add(&format!("{tower} mlp"), mlp);
    }
}
