//! Which model a run has: by flag, by a description beside the weights, or by the tensors' shapes; and what
//! is said about the kind of GELU.

use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use uta_eval::inference::Silent;
use uta_eval::inference::choice::{Asked, ChoiceError, Chosen, choose};
use uta_eval::model::config::{ConfigError, Mlp};
use uta_eval::model::{Layout, ModelConfig};
use uta_eval::picture::preprocessing::{Interpolation, ResizeMode};

use crate::checkpoints::util::safetensors_of;
use crate::support::{Folder, Ran, demo, fixture, run};

fn asked(model: Option<&str>, checkpoint: &Path) -> Result<Chosen, ChoiceError> {
    let asked = Asked {
        weights: None,
        model,
        pretrained: None,
        checkpoint: Some(checkpoint),
    };
    choose(asked, &mut Silent)
}

fn chosen(checkpoint: &Path) -> Chosen {
    asked(None, checkpoint).unwrap()
}

fn refused(checkpoint: &Path) -> ConfigError {
    match asked(None, checkpoint).unwrap_err() {
        ChoiceError::Model(error) => error,
        other => panic!("{other}"),
    }
}

/// An f16 file with a model's tensors, whose data are holes.
pub fn hollow(folder: &Folder, name: &str, model: &str, layout: Layout) -> PathBuf {
    let config = ModelConfig::by_name(model).unwrap();
    let mut end = 0;
    let mut entries = Vec::new();
    for tensor in layout.tensors(&config).unwrap() {
        let begin = end;
        end += 2 * tensor.shapes[0].iter().product::<usize>();
        entries.push(format!(
            r#""{}":{{"dtype":"F16","shape":{:?},"data_offsets":[{begin},{end}]}}"#,
            tensor.key, tensor.shapes[0]
        ));
    }
    let header = format!("{{{}}}", entries.join(","));
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    let path = folder.write(name, &bytes);
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_len((bytes.len() + end) as u64).unwrap();
    path
}

#[test]
fn a_description_beside_the_weights_decides() {
    let folder = Folder::new();
    let families = fixture("families");
    let weights = folder.copy(
        &families.join("openclip_custom_text.safetensors"),
        "open_clip_model.safetensors",
    );
    folder.copy(
        &families.join("openclip_custom_text.json"),
        "open_clip_config.json",
    );
    let chosen_one = chosen(&weights);
    assert_eq!(
        chosen_one.decided_by,
        "the checkpoint's open_clip_config.json"
    );
    assert_eq!(chosen_one.config.vision.image, 40);

    let transformers = chosen(&families.join("hf_clip/model.safetensors"));
    assert_eq!(transformers.decided_by, "the checkpoint's config.json");
    assert_eq!(transformers.config.name, "hf_clip");
    assert_eq!(transformers.config.text.transformer.mlp, Mlp::QuickGelu);

    // So common a name alone may be anything's.
    let folder = Folder::new();
    let weights = folder.copy(&demo("uta_demo.safetensors"), "model.safetensors");
    folder.write("config.json", "{}");
    assert_eq!(chosen(&weights).config.name, "uta_demo");
}

#[test]
fn a_description_that_cannot_be_used_is_refused_rather_than_passed_over() {
    let folder = Folder::new();
    let weights = folder.copy(&demo("uta_demo.safetensors"), "model.safetensors");
    folder.write("open_clip_config.json", "{\"model_cfg\": {}}");
    let error = refused(&weights);
    assert!(
        error
            .to_string()
            .contains("`model_cfg.embed_dim` is missing"),
        "{error}"
    );
}

#[test]
fn shapes_decide_where_they_are_one_models() {
    let demo = chosen(&demo("uta_demo.safetensors"));
    assert_eq!(demo.config.name, "uta_demo");
    assert_eq!(demo.decided_by, "the shapes of the tensors");
    let folder = Folder::new();
    for (model, layout) in [
        ("EVA02-B-16", Layout::Timm),
        ("EVA02-L-14", Layout::EvaClip),
        ("EVA01-g-14", Layout::EvaClipFused),
        ("ViT-B-32-256", Layout::OpenClip),
        ("ViT-g-14", Layout::Transformers),
        ("eva_base_p16", Layout::EvaClip),
    ] {
        let file = hollow(&folder, "weights.safetensors", model, layout);
        assert_eq!(chosen(&file).config.name, model);
    }
}

#[test]
fn models_that_differ_in_the_kind_of_gelu_are_told_apart_by_names_or_not_at_all() {
    let folder = Folder::new();
    let layout = Layout::OpenClip;
    let file = hollow(&folder, "epoch_32.safetensors", "ViT-B-32", layout);
    let error = refused(&file);
    assert!(
        error
            .to_string()
            .contains("ViT-B-32 and ViT-B-32-quickgelu"),
        "{error}"
    );
    let hint = error.hint().unwrap();
    assert!(
        hint.contains("--model ViT-B-32 or --model ViT-B-32-quickgelu"),
        "{hint}"
    );
    for (name, model) in [
        ("vit_b_32.openai.safetensors", "ViT-B-32-quickgelu"),
        (
            "models--laion--CLIP-ViT-B-32-laion2B-s34B-b79K/x.safetensors",
            "ViT-B-32",
        ),
        ("metaclip_400m/weights.safetensors", "ViT-B-32-quickgelu"),
    ] {
        let file = hollow(&folder, name, "ViT-B-32", layout);
        let found = chosen(&file);
        assert_eq!(found.config.name, model, "{name}");
        assert!(
            found.decided_by.contains("and the name"),
            "{}",
            found.decided_by
        );
        assert!(found.warnings.is_empty());
    }
}

/// A file of tensors that no model has.
pub fn strange(folder: &Folder, name: &str) -> PathBuf {
    let tensors = ["norm.bias", "head.bias", "a.weight", "logit_scale", "b"];
    let tensors = tensors.map(|key| (key, &[1.0][..]));
    folder.write(name, safetensors_of(&tensors))
}

/// The demo's checkpoint without its second half.
pub fn cut(folder: &Folder, name: &str) -> PathBuf {
    let bytes = std::fs::read(demo("uta_demo.safetensors")).unwrap();
    folder.write(name, &bytes[..bytes.len() / 2])
}

/// The demo's checkpoint with other keys: those that `rename` gives, if any.
fn renamed(folder: &Folder, name: &str, rename: impl Fn(&str) -> Option<String>) -> PathBuf {
    let cpu = candle_core::Device::Cpu;
    let tensors = candle_core::safetensors::load(demo("uta_demo.safetensors"), &cpu).unwrap();
    let tensors = tensors.into_iter();
    let tensors = tensors.filter_map(|(key, tensor)| Some((rename(&key)?, tensor)));
    let tensors: HashMap<String, candle_core::Tensor> = tensors.collect();
    let path = folder.join(name);
    candle_core::safetensors::save(&tensors, &path).unwrap();
    path
}

/// A run on a checkpoint with no word on its model, by each command that needs one.
fn runs(checkpoint: &Path) -> [Ran; 2] {
    let (pictures, picture) = (
        demo("imagenet"),
        fixture("golden/photos/01_chelsea_420.jpg"),
    );
    let [checkpoint, pictures, picture] =
        [checkpoint, &pictures, &picture].map(|path| path.to_str().unwrap());
    let checkpoint = ["--ckpt-path", checkpoint];
    let evaluate = ["--imagenet-path", pictures];
    let classify = ["classify", picture, "--labels", "a cat,a dog"];
    [
        run(&[&evaluate[..], &checkpoint].concat()),
        run(&[&classify[..], &checkpoint].concat()),
    ]
}

#[test]
fn shapes_of_no_known_model_are_refused_with_the_dimensions() {
    let folder = Folder::new();
    for (file, dimensions) in [
        (
            "openclip_gelu.safetensors",
            "image 32, patch 8, width 48, depth 3",
        ),
        // In UTA's own layout.
        ("eva02_clip.safetensors", "image 32, patch 8, width 48"),
    ] {
        let alone = folder.copy(&fixture("families").join(file), file);
        for ran in runs(&alone) {
            ran.ended_with(4).said(&[
                "no known model has the shapes of /",
                file,
                dimensions,
                "hint: name the model with --model NAME or FILE.json",
                "uta-eval models lists",
                "uta-eval inspect shows",
            ]);
        }
    }
}

#[test]
fn tensors_of_nobody_are_refused_with_a_few_of_their_keys() {
    let folder = Folder::new();
    let file = strange(&folder, "strange.safetensors");
    for ran in runs(&file) {
        let ran = ran.ended_with(4).said(&[
            "no known model has the shapes of /",
            "strange.safetensors (5 tensors: a.weight, b, head.bias, logit_scale and 1 more)",
            "--model NAME",
        ]);
        assert_eq!(ran.stderr.lines().count(), 2, "{}", ran.stderr);
    }
    // One name in common is no likeness.
    let file = file.to_str().unwrap();
    run(&["inspect", file])
        .ended_with(0)
        .printed(&["none of the built-in ones"]);
}

#[test]
fn what_cannot_be_opened_is_told_as_it_is() {
    let folder = Folder::new();
    for (file, words) in [
        (cut(&folder, "cut.safetensors"), "is truncated"),
        (folder.write("page.pt", "<!DOCTYPE html>"), "an HTML page"),
        (folder.write("empty.pt", ""), "empty.pt"),
    ] {
        for ran in runs(&file) {
            let ran = ran.ended_with(4).said(&[words, "hint: "]);
            assert!(!ran.stderr.contains("eva_"), "{}", ran.stderr);
        }
    }
}

#[test]
fn a_tensor_that_a_known_model_lacks_is_told_against_that_model() {
    let folder = Folder::new();
    for key in ["visual.norm.bias", "visual.head.weight"] {
        let file = renamed(&folder, "near.safetensors", |name| {
            (name != key).then(|| name.into())
        });
        assert_eq!(chosen(&file).decided_by, "the shapes of the tensors");
        let [evaluated, classified] = runs(&file);
        for ran in [evaluated, classified] {
            ran.ended_with(4)
                .said(&["does not fit the model uta_demo", "1 missing:", key]);
        }
    }
}

#[test]
fn a_prefix_of_a_known_models_keys_is_told_with_the_flag_for_it() {
    let folder = Folder::new();
    let file = renamed(&folder, "wrapped.safetensors", |name| {
        Some(format!("net.clip.{name}"))
    });
    for ran in runs(&file) {
        ran.ended_with(4).said(&[
            "no known model has the shapes of /",
            "without the prefix net.clip.: --weights net.clip",
        ]);
    }
    let asked = Asked {
        weights: Some("net.clip"),
        model: None,
        pretrained: None,
        checkpoint: Some(&file),
    };
    let chosen = choose(asked, &mut Silent).unwrap();
    assert_eq!(chosen.config.name, "uta_demo");
}

#[test]
fn the_wrong_kind_of_gelu_under_a_telling_name_is_warned_about() {
    for (model, file, meant) in [
        ("ViT-B-32", "openai/weights.pt", Some("ViT-B-32-quickgelu")),
        ("ViT-H-14", "dfn5b.bin", Some("ViT-H-14-quickgelu")),
        ("ViT-L-14", "metaclip-2.pt", Some("ViT-L-14-quickgelu")),
        (
            "ViT-B-16-quickgelu",
            "ViT-B-16-laion2b_s34b_b88k.pt",
            Some("ViT-B-16"),
        ),
        ("ViT-B-32-quickgelu", "openai/weights.pt", None),
        ("ViT-B-32-quickgelu", "laion400m_e32.pt", None),
        ("ViT-B-32", "/openai/runs/mine/weights.pt", None),
        ("ViT-B-32", "epoch_32.pt", None),
        ("EVA02-B-16", "openai.pt", None),
        ("eva_base_p16", "openai.pt", None),
    ] {
        let warnings = asked(Some(model), Path::new(file)).unwrap().warnings;
        match meant {
            None => assert!(warnings.is_empty(), "{model} {file}: {}", warnings[0]),
            Some(meant) => {
                let text = warnings[0].to_string();
                assert!(
                    text.contains(&format!("is --model {meant} meant?")),
                    "{text}"
                );
            }
        }
    }
}

#[test]
fn preprocessing_comes_with_a_description() {
    let folder = Folder::new();
    let text = std::fs::read_to_string(fixture("families/openclip_gelu.json")).unwrap();
    let squash = text
        .replace("shortest", "squash")
        .replace("bicubic", "bilinear");
    let file = folder.write("squash.json", &squash);
    let preprocessing = ModelConfig::from_file(&file).unwrap().preprocessing;
    assert_eq!(preprocessing.resize, ResizeMode::Squash);
    assert_eq!(preprocessing.interpolation, Interpolation::Bilinear);
    let file = folder.write("longest.json", text.replace("shortest", "longest"));
    let error = ModelConfig::from_file(&file).unwrap_err().to_string();
    assert!(
        error.contains("`preprocess_cfg.resize_mode` is \"longest\""),
        "{error}"
    );
}

#[test]
fn what_a_description_asks_for_and_no_model_has_is_refused_by_name() {
    let text = std::fs::read_to_string(fixture("families/eva02_clip.json")).unwrap();
    let folder = Folder::new();
    for (from, to, said) in [
        (
            "\"subln\": true",
            "\"subln\": false",
            "`vision_cfg.naiveswiglu` and `vision_cfg.subln` differ",
        ),
        (
            "\"pt_hw_seq_len\": 16",
            "\"pt_hw_seq_len\": 14",
            "rotary embedding",
        ),
        (
            "\"rope\": true",
            "\"rope\": true, \"colour\": 3",
            "`vision_cfg.colour` is unknown",
        ),
        (
            "\"heads\": 2",
            "\"heads\": 3",
            "`text.width` 16 does not divide into 3 heads",
        ),
        (
            "\"heads\": 2",
            "\"hf_model_name\": \"roberta\"",
            "`text_cfg.hf_model_name` is \"roberta\"",
        ),
        (
            "\"layers\": 3",
            "\"layers\": [3, 4, 6, 3]",
            "`vision_cfg.layers` is [3,4,6,3]",
        ),
    ] {
        let file = folder.write("model.json", text.replacen(from, to, 1));
        let error = ModelConfig::from_file(&file).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn this_programs_own_description_can_say_all_that_others_can() {
    let own = r#"{
        "name": "eva02_clip_e", "image_size": 32, "patch_size": 8, "width": 48, "depth": 2, "heads": 2,
        "mlp_hidden": 411, "embedding": 24, "mlp": "gelu", "rope": false, "norm_placement": "after",
        "text": { "width": 16, "depth": 2, "heads": 2 }
    }"#;
    let own = ModelConfig::from_json(own, "own.json").unwrap();
    let file = fixture("families/eva02_clip_e.json");
    assert_eq!(own, ModelConfig::from_file(&file).unwrap());
    let own = r#"{
        "name": "openclip_quickgelu", "image_size": 32, "patch_size": 16, "width": 40, "depth": 2,
        "heads": 2, "mlp_hidden": 160, "embedding": 24, "mlp": "quick_gelu", "rope": false,
        "pre_norm": true, "patch_bias": false, "projection_bias": false, "qkv_bias": "all",
        "norm_eps": 1e-5, "text": { "width": 16, "depth": 2, "heads": 2, "mlp": "quick_gelu" }
    }"#;
    let own = ModelConfig::from_json(own, "own.json").unwrap();
    let file = fixture("families/openclip_quickgelu.json");
    assert_eq!(own, ModelConfig::from_file(&file).unwrap());
    let impossible = r#"{
        "name": "x", "image_size": 32, "patch_size": 8, "width": 48, "depth": 2, "heads": 2,
        "mlp_hidden": 64, "embedding": 24, "mlp": "swiglu", "pre_norm": true,
        "text": { "width": 16, "depth": 2, "heads": 2 }
    }"#;
    let error = ModelConfig::from_json(impossible, "own.json").unwrap_err();
    assert!(error.to_string().contains("no known layout"), "{error}");
}

#[test]
fn inspect_says_the_layout_and_convert_writes_another() {
    let families = fixture("families");
    let file = families.join("openclip_quickgelu.safetensors");
    let file = file.to_str().unwrap();
    run(&["inspect", file]).ended_with(0).printed(&[
        "layout       open-clip\n",
        "dimensions   image 32, patch 16",
    ]);
    let folder = Folder::new();
    let out = folder.join("transformers.safetensors");
    let out = out.to_str().unwrap();
    run(&["convert", file, out, "--layout", "transformers"]).ended_with(0);
    run(&["inspect", out])
        .ended_with(0)
        .printed(&["layout       transformers\n"]);
    run(&[
        "convert",
        file,
        folder.join("x.safetensors").to_str().unwrap(),
        "--layout",
        "eva-clip",
    ])
    .ended_with(2)
    .said(&["for which the layout eva-clip has no name", "hint: "]);
    run(&[
        "convert",
        file,
        folder.join("x.safetensors").to_str().unwrap(),
        "--layout",
        "mlx",
    ])
    .ended_with(2)
    .said(&["no layout is named mlx; there are eva-clip, open-clip,"]);
}

/// A tag, a folder that is named after a repository, or the hub's cache tell which published weights a
/// file holds, and so what is published of them.
#[test]
fn published_weights_are_known_by_tag_or_folder() {
    let folder = Folder::new();
    let of = |path: &str| {
        std::fs::create_dir_all(folder.join(path)).unwrap();
        let name = format!("{path}/model.safetensors");
        hollow(&folder, &name, "ViT-B-32", Layout::OpenClip)
    };
    let asked = |model, pretrained, checkpoint: &Path| {
        let asked = Asked {
            model,
            pretrained,
            checkpoint: Some(checkpoint),
            weights: None,
        };
        choose(asked, &mut Silent).unwrap()
    };
    let repository = |chosen: &Chosen| chosen.pretrained.map(|known| known.repository);
    let neutral = of("a");
    let tagged = asked(Some("ViT-B-32"), Some("openai"), &neutral);
    assert_eq!(tagged.checkpoint, neutral);
    assert_eq!(
        repository(&tagged),
        Some("timm/vit_base_patch32_clip_224.openai")
    );
    assert_eq!(tagged.config.name, "ViT-B-32-quickgelu");
    assert_eq!(repository(&asked(Some("ViT-B-32"), None, &neutral)), None);
    for path in [
        "CLIP-ViT-B-32-laion2B-s34B-b79K",
        "models--laion--CLIP-ViT-B-32-laion2B-s34B-b79K/snapshots/0123",
    ] {
        let chosen = asked(None, None, &of(path));
        assert_eq!(
            repository(&chosen),
            Some("laion/CLIP-ViT-B-32-laion2B-s34B-b79K"),
            "{path}"
        );
    }
}

/// OpenAI's own files have keys that tell, whatever the file's name.
#[test]
fn openais_keys_warn_under_a_neutral_name() {
    let folder = Folder::new();
    let file = hollow(&folder, "weights.safetensors", "ViT-B-32", Layout::OpenClip);
    let warned = |file: &Path, model: &str| {
        let warnings = asked(Some(model), file).unwrap().warnings;
        warnings.first().map(ToString::to_string)
    };
    assert_eq!(warned(&file, "ViT-B-32"), None);
    let mut bytes = [0; 8];
    let mut source = std::fs::File::open(&file).unwrap();
    source.read_exact(&mut bytes).unwrap();
    let mut header = vec![0; u64::from_le_bytes(bytes) as usize];
    source.read_exact(&mut header).unwrap();
    let end = source.metadata().unwrap().len() as usize - 8 - header.len();
    let header = std::str::from_utf8(&header).unwrap();
    let mut header = header.trim_end_matches('}').to_string() + "}";
    for (index, key) in ["input_resolution", "context_length", "vocab_size"]
        .iter()
        .enumerate()
    {
        let begin = end + 8 * index;
        header += &format!(
            r#","{key}":{{"dtype":"I64","shape":[],"data_offsets":[{begin},{}]}}"#,
            begin + 8
        );
    }
    header += "}";
    let bytes = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes()].concat();
    let file = folder.write("neutral.safetensors", &bytes);
    let sized = std::fs::File::options().write(true).open(&file).unwrap();
    sized.set_len((bytes.len() + end + 24) as u64).unwrap();
    let warning = warned(&file, "ViT-B-32").unwrap();
    assert!(warning.contains("--model ViT-B-32-quickgelu"), "{warning}");
    assert_eq!(warned(&file, "ViT-B-32-quickgelu"), None);
}

#[test]
fn inspect_reads_the_description_beside_the_weights() {
    let file = fixture("families/hf_clip/model.safetensors");
    run(&["inspect", file.to_str().unwrap()])
        .ended_with(0)
        .printed(&[
            "described by the checkpoint's config.json",
            "hf_clip: every key fits",
        ]);
}
