//! The layouts of all families: recognised, strict in the file's own names, and the same tensors under
//! the same names.

use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use uta_eval::checkpoint::{Checkpoint, TensorSource, write};
use uta_eval::inference::Silent;
use uta_eval::inference::loading::open_for;
use uta_eval::inference::relayout::relayout;
use uta_eval::inference::weights::{Weights, fit, layout_of};
use uta_eval::model::{Layout, ModelConfig, schema};

use super::util::{fixture, open, open_bytes, safetensors_of};

/// The golden files: their description, their layout.
const FILES: [(&str, &str, Layout); 7] = [
    ("openclip_gelu", "openclip_gelu", Layout::OpenClip),
    ("openclip_quickgelu", "openclip_quickgelu", Layout::OpenClip),
    (
        "openclip_custom_text",
        "openclip_custom_text",
        Layout::OpenClipCustomText,
    ),
    ("eva02_clip", "eva02_clip", Layout::EvaClip),
    ("eva02_clip_timm_names", "eva02_clip", Layout::Timm),
    ("eva02_clip_e", "eva02_clip_e", Layout::EvaClipFused),
    ("eva01_clip_g", "eva01_clip_g", Layout::EvaClipFused),
];

fn config(name: &str) -> ModelConfig {
    let file = fixture(&format!("families/{name}.json"));
    ModelConfig::from_file(&file).unwrap()
}

fn weights(file: &str, config: &ModelConfig) -> Arc<Weights> {
    open_for(
        &fixture(&format!("families/{file}.safetensors")),
        config,
        &mut Silent,
    )
    .unwrap()
}

fn tensor(weights: &Weights, name: &str) -> Tensor {
    weights.tensor(name, DType::F32, &Device::Cpu).unwrap()
}

fn bits(tensor: &Tensor) -> Vec<u32> {
    let values = tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    values.into_iter().map(f32::to_bits).collect()
}

/// Asserts that two files hold the same tensors.
fn assert_same(a: &Weights, b: &Weights, config: &ModelConfig) {
    for spec in schema::tensors(config) {
        let [a, b] = [a, b].map(|weights| tensor(weights, &spec.name));
        assert_eq!(a.dims(), spec.shape, "{}", spec.name);
        assert_eq!(b.dims(), spec.shape, "{}", spec.name);
        assert!(bits(&a) == bits(&b), "{} differs", spec.name);
    }
}

#[test]
fn every_familys_file_is_recognised_and_fits_its_description() {
    for (file, description, layout) in FILES {
        let config = config(description);
        let weights = weights(file, &config);
        assert_eq!(weights.layout, layout, "{file}");
        for spec in schema::tensors(&config) {
            assert!(weights.contains(&spec.name), "{file}: {}", spec.name);
            assert_eq!(tensor(&weights, &spec.name).dims(), spec.shape);
        }
    }
}

#[test]
fn transformers_and_timms_names_lead_to_the_same_tensors_as_the_originals() {
    let quick = config("openclip_quickgelu");
    let described = ModelConfig::from_file(&fixture("families/hf_clip/config.json")).unwrap();
    assert_eq!(described.vision, quick.vision);
    assert_eq!(described.text, quick.text);
    assert_eq!(described.preprocessing, quick.preprocessing);
    let transformers = weights("hf_clip/model", &described);
    assert_eq!(transformers.layout, Layout::Transformers);
    let file = converted(&transformers.checkpoint, "open-clip");
    let layout = fit(&file, &quick).unwrap();
    assert_eq!(layout, Layout::OpenClip);
    let original = Weights {
        checkpoint: file,
        layout,
    };
    assert_same(&transformers, &original, &quick);

    let eva = config("eva02_clip");
    let timm = weights("eva02_clip_timm_names", &eva);
    assert_same(&timm, &weights("eva02_clip", &eva), &eva);
}

#[test]
fn thirds_and_transposed_tensors_are_those_that_the_file_has() {
    let quick = config("openclip_quickgelu");
    let weights = weights("openclip_quickgelu", &quick);
    let stored = |key: &str| {
        let checkpoint = &weights.checkpoint;
        checkpoint.tensor(key, DType::F32, &Device::Cpu).unwrap()
    };
    let fused = stored("visual.transformer.resblocks.1.attn.in_proj_weight");
    let parts = ["q", "k", "v"]
        .map(|part| tensor(&weights, &format!("visual.blocks.1.attn.{part}.weight")));
    assert!(bits(&fused) == bits(&Tensor::cat(&parts, 0).unwrap()));
    let transposed = stored("visual.proj").t().unwrap().contiguous().unwrap();
    assert!(bits(&transposed) == bits(&tensor(&weights, "visual.projection.weight")));
}

/// A file with the keys of another, whose names `rename` changes, in f32.
fn renamed(file: &Checkpoint, rename: impl Fn(&str) -> String) -> Vec<(String, Vec<usize>)> {
    let entries = file.entries();
    entries
        .map(|e| (rename(e.name), e.shape.to_vec()))
        .collect()
}

/// An f32 file of zeros.
fn zeros(entries: &[(String, Vec<usize>)]) -> Vec<u8> {
    let mut end = 0;
    let entries: Vec<String> = entries
        .iter()
        .map(|(name, shape)| {
            let begin = end;
            end += 4 * shape.iter().product::<usize>();
            format!(
                r#""{name}":{{"dtype":"F32","shape":{shape:?},"data_offsets":[{begin},{end}]}}"#
            )
        })
        .collect();
    super::util::safetensors(&format!("{{{}}}", entries.join(",")), &vec![0; end])
}

#[test]
fn wrappers_are_removed_and_keys_without_meaning_are_ignored() {
    let plain = open("families/openclip_quickgelu.safetensors");
    let quick = config("openclip_quickgelu");
    for prefix in [
        "module.",
        "_orig_mod.",
        "module._orig_mod.",
        "_orig_mod.module.",
        "model.",
    ] {
        let mut entries = renamed(&plain, |name| format!("{prefix}{name}"));
        for extra in [
            "logit_bias",
            "attn_mask",
            "input_resolution",
            "context_length",
            "vocab_size",
            "position_ids",
        ] {
            entries.push((format!("{prefix}{extra}"), vec![1, 2]));
        }
        let file = open_bytes(&zeros(&entries)).unwrap();
        assert_eq!(file.stripped_prefix(), Some(prefix));
        assert_eq!(fit(&file, &quick), Ok(Layout::OpenClip));
    }
}

#[test]
fn rotary_tables_may_have_the_grids_rows_and_columns_apart() {
    let eva = config("eva02_clip");
    let mut entries = renamed(&open("families/eva02_clip.safetensors"), str::to_string);
    for (name, shape) in &mut entries {
        if name.contains("rope") {
            *shape = vec![4, 4, 12];
        }
    }
    let file = open_bytes(&zeros(&entries)).unwrap();
    assert_eq!(fit(&file, &eva), Ok(Layout::EvaClip));
}

#[test]
fn what_is_wrong_is_said_in_the_files_own_names() {
    let described = ModelConfig::from_file(&fixture("families/hf_clip/config.json")).unwrap();
    let mut entries = renamed(&open("families/hf_clip/model.safetensors"), str::to_string);
    let lost = "vision_model.encoder.layers.1.self_attn.k_proj.bias";
    entries.retain(|(name, _)| name != lost);
    entries.push(("vision_model.head.weight".into(), vec![3]));
    let mismatch = fit(&open_bytes(&zeros(&entries)).unwrap(), &described).unwrap_err();
    assert_eq!(
        mismatch.to_string(),
        format!(
            "  1 missing:\n    {lost}: expected [40]\n  \
             1 unexpected:\n    vision_model.head.weight: found [3]"
        )
    );
}

#[test]
fn a_model_without_inner_layer_norms_does_not_fit_a_file_that_has_them() {
    let mut eva = config("eva02_clip");
    eva.vision.transformer.attention_norm = false;
    let file = open("families/eva02_clip.safetensors");
    let mismatch = fit(&file, &eva).unwrap_err().to_string();
    assert!(
        mismatch.contains("visual.blocks.{0..2}.attn.inner_attn_ln.bias (3 keys)"),
        "{mismatch}"
    );
}

#[test]
fn another_familys_file_is_measured_against_the_models_own_names() {
    let file = open("families/openclip_gelu.safetensors");
    let eva = ModelConfig::by_name("eva_base_p16").unwrap();
    let mismatch = fit(&file, &eva).unwrap_err().to_string();
    assert!(
        mismatch.contains("visual.cls_token: expected [1, 1, 768]"),
        "{mismatch}"
    );
    assert!(
        mismatch.contains("visual.class_embedding: found [48]"),
        "{mismatch}"
    );
}

#[test]
fn a_file_of_other_tensors_has_no_layout() {
    let file = open_bytes(&safetensors_of(&[("bert.weight", &[1.0])])).unwrap();
    assert_eq!(layout_of(&file), None);
}

/// Writes a file in another layout, and opens what was written.
fn converted(file: &Checkpoint, layout: &str) -> Checkpoint {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("converted.safetensors");
    let plan = relayout(file, layout).unwrap();
    write(file, &plan.outputs, &out, None).unwrap();
    Checkpoint::open(&out).unwrap()
}

/// Asserts that two files have the same tensors, but for those that `except` says.
fn assert_equal_files(a: &Checkpoint, b: &Checkpoint, except: impl Fn(&str) -> bool) {
    let names = |file: &Checkpoint| -> Vec<String> {
        let names = file.entries().map(|entry| entry.name.to_string());
        names.filter(|name| !except(name)).collect()
    };
    assert_eq!(names(a), names(b));
    for name in names(a) {
        let [x, y] = [a, b].map(|file| file.get(&name).unwrap());
        assert_eq!((x.shape, x.dtype), (y.shape, y.dtype), "{name}");
        let [x, y] = [a, b].map(|file| file.tensor(&name, DType::F32, &Device::Cpu).unwrap());
        assert!(bits(&x) == bits(&y), "{name} differs");
    }
}

#[test]
fn a_file_in_another_layout_is_the_one_that_its_authors_program_writes() {
    let eva = open("families/eva02_clip.safetensors");
    let timm = open("families/eva02_clip_timm_names.safetensors");
    assert_equal_files(&converted(&eva, "open-clip-timm"), &timm, |_| false);
    let tables = |name: &str| name.contains("rope");
    assert_equal_files(&converted(&timm, "eva-clip"), &eva, tables);
    let left_out = relayout(&eva, "open-clip-timm").unwrap().left_out;
    assert_eq!(left_out.len(), 8);
}

#[test]
fn there_and_back_again_is_the_same_file() {
    for (file, layout, back) in [
        ("openclip_gelu", "open-clip-custom-text", "open-clip"),
        (
            "openclip_custom_text",
            "transformers",
            "open-clip-custom-text",
        ),
        ("openclip_quickgelu", "transformers", "open-clip"),
        ("hf_clip/model", "open-clip", "transformers"),
        ("eva02_clip_e", "open-clip-timm", "eva-clip"),
        ("eva01_clip_g", "eva-clip", "eva-clip"),
    ] {
        let original = open(&format!("families/{file}.safetensors"));
        let other = converted(&original, layout);
        assert_equal_files(&converted(&other, back), &original, |_| false);
    }
}
