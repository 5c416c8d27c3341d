//! The flags that say which model, and which texts its classifier is made of.

use std::path::PathBuf;

use clap::{Args, ValueHint};

/// Which model.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Model")]
pub struct ModelNameArgs {
    /// Model: a name, or a JSON file that describes one [default: what the checkpoint shows]
    ///
    /// UTA's names (eva_base_p16 or UTA-B, eva_large_p14_336, eva_giant_p14_336, uta_demo),
    /// open_clip's (ViT-B-32, ViT-L-14-336-quickgelu, EVA02-L-14) and EVA-CLIP's
    /// (EVA02-CLIP-B-16), in any case; or the path of a JSON file: this program's own description
    /// of a model, open_clip's (open_clip_config.json), EVA-CLIP's or transformers' (config.json).
    /// Without this flag, a description beside the checkpoint decides (open_clip_config.json, or
    /// config.json with preprocessor_config.json), else the shapes of its tensors, if they are one
    /// model's; there is no other default. Shapes do not tell GELU from QuickGELU: where names do
    /// not tell either, say it.
    #[arg(long, value_name = "NAME|FILE")]
    pub model: Option<String>,
    /// Weights that are published for the model, by open_clip's tag
    ///
    /// For instance --model ViT-B-32 --pretrained openai. Without --ckpt-path, the weights are
    /// downloaded from the Hugging Face Hub, unless they are in its cache. With it, they are in that
    /// file, and the tag says how pictures are prepared and which accuracy is published.
    #[arg(long, value_name = "TAG", requires = "model")]
    pub pretrained: Option<String>,
    /// Which weights of the checkpoint, by their key in the file [default: the weights, not their average]
    ///
    /// For instance model_ema or state_dict_ema, where a moving average of the weights lies beside them.
    /// Several keys are joined by dots, as in state_dict.ema; and the beginning of names, as in ema of
    /// ema.visual.cls_token, is a key, too. `uta-eval inspect` names the keys.
    #[arg(long, value_name = "KEY")]
    pub weights: Option<String>,
}

/// Which model, with which weights.
#[derive(Debug, Clone, Args)]
pub struct ModelArgs {
    #[command(flatten)]
    pub name: ModelNameArgs,
    /// Checkpoint: .safetensors, or PyTorch's .pt, .pth or .bin
    ///
    /// hf://OWNER/REPOSITORY[@REVISION]/FILE is downloaded from the Hugging Face Hub, unless it is
    /// in the cache that its Python tools use; without /FILE, the repository's weights are. So are
    /// the weights of a published model that is only named (UTA-B). A path never touches the network.
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "pretrained",
        value_hint = ValueHint::FilePath
    )]
    pub ckpt_path: Option<PathBuf>,
}

/// The texts that the classifier is made of.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Prompts and classifier")]
pub struct PromptArgs {
    /// Prompt templates, one per line with {} or {c} for the class name; or JSON with prompts
    ///
    /// FILE.json has each class's own prompts, as {"class": ["prompt", ...]}. The flag may be given
    /// several times: then a class's vector is the mean of those that the files give alone, see
    /// --template-weights. built-in stands for the default: the 80 templates that CLIP's authors
    /// chose for ImageNet. Templates that lie beside shards are taken without this flag.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub templates: Vec<PathBuf>,
    /// Weights of several --templates, with commas between [default: equal]
    #[arg(
        long,
        value_name = "WEIGHTS",
        value_delimiter = ',',
        requires = "templates",
        allow_negative_numbers = true
    )]
    pub template_weights: Vec<f64>,
    /// Class names, one per line: `name`, or `folder<TAB>name`; or `distinct`
    ///
    /// 1000 lines without a folder are names of the ImageNet classes, in their order; another
    /// number are names of the class folders, in their sorted order. With folders, any classes can
    /// be evaluated. Default: the names that CLIP's authors chose, by which accuracies are
    /// published. distinct: the same, but no two classes share one ("missile" is 657 and
    /// "projectile" 744; "sunglass" is 836 and "sunglasses" 837).
    #[arg(long, value_name = "FILE|distinct", value_hint = ValueHint::FilePath)]
    pub classnames: Option<PathBuf>,
}

/// Where the text classifier comes from.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Prompts and classifier")]
pub struct ClassifierArgs {
    /// Use the classifier in this file, made by `uta-eval classifier`
    ///
    /// It must have been made by the checkpoint's text tower from the same class names. Its
    /// templates are those that it was made with.
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["templates", "template_weights", "cache_dir", "no_cache"],
        value_hint = ValueHint::FilePath
    )]
    pub classifier: Option<PathBuf>,
    #[command(flatten)]
    pub cache: CacheArgs,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Prompts and classifier")]
pub struct CacheArgs {
    /// Folder in which finished classifiers are kept [default: the user's cache folder]
    ///
    /// A classifier is found again by the content of the text tower, the prompts and the
    /// precision, so that models with equal text towers share one.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub cache_dir: Option<PathBuf>,
    /// Build the classifier anew and do not keep it
    #[arg(long, conflicts_with = "cache_dir")]
    pub no_cache: bool,
}
