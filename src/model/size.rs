//! How large a model is, and how much it computes.

use super::config::{Mlp, ModelConfig, VisionConfig};
use super::schema;

/// Numbers of weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameters {
    pub vision: usize,
    pub text: usize,
}

/// The weights of each tower, all of them: embeddings, biases and norms included.
pub fn parameters(config: &ModelConfig) -> Parameters {
    let tensors = schema::tensors(config);
    let of = |tower: &str| {
        let own = tensors
            .iter()
            .filter(|tensor| tensor.name.starts_with(tower));
        own.map(|tensor| tensor.shape.iter().product::<usize>())
            .sum()
    };
    Parameters {
        vision: of("visual."),
        text: of("text."),
    }
}

/// The floating-point operations that the vision tower's matrix products take for one picture: two for
/// each multiply-add.
pub fn operations_per_picture(config: &ModelConfig) -> f64 {
    let VisionConfig {
        patch, transformer, ..
    } = &config.vision;
    let (tokens, width) = (config.vision.tokens() as f64, transformer.width as f64);
    let hidden = transformer.mlp_hidden as f64;
    let layers_of_mlp = match transformer.mlp {
        Mlp::SwiGlu => 3.0,
        Mlp::Gelu | Mlp::QuickGelu => 2.0,
    };
    // Queries, keys, values and the projection behind attention; then the MLP.
    let linear = tokens * (4.0 * width * width + layers_of_mlp * width * hidden);
    let attention = 2.0 * tokens * tokens * width;
    let patches = (tokens - 1.0) * (3 * patch * patch) as f64 * width;
    let projection = width * config.embedding as f64;
    2.0 * (transformer.depth as f64 * (linear + attention) + patches + projection)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 35.1, 382.7 and 1241 GFLOP a picture are what a count over the PyTorch models gives, with what lies
    /// between the products. Papers give
    /// 151.3 million parameters for CLIP's ViT-B/32 with its text tower, of which one is the logit scale.
    #[test]
    fn sizes_are_those_of_other_counts() {
        let model = |name| ModelConfig::by_name(name).unwrap();
        for (name, giga) in [
            ("eva_base_p16", 35.1),
            ("eva_large_p14_336", 382.7),
            ("eva_giant_p14_336", 1241.0),
        ] {
            let found = operations_per_picture(&model(name)) / 1e9;
            assert!((found / giga - 1.0).abs() < 5e-3, "{name}: {found}");
        }
        let Parameters { vision, text } = parameters(&model("ViT-B-32"));
        assert_eq!(vision + text, 151_277_312);
    }
}
