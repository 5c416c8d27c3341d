//! Comparison with a model's tensors, and which configuration a checkpoint looks like.

use std::fs;
use std::io::Write;
use std::path::Path;

use tempfile::TempDir;
use uta_eval::checkpoint::{TensorSpec, verify};
use uta_eval::inference::Silent;
use uta_eval::inference::loading::open_for;
use uta_eval::model::{Layout, ModelConfig};

use super::util::{open, open_bytes, safetensors, safetensors_of};

fn spec(name: &str, shape: &[usize], required: bool) -> TensorSpec {
    TensorSpec {
        name: name.into(),
        shape: shape.into(),
        required,
    }
}

/// Writes an f16 checkpoint of zeros; the file has holes in place of the data.
fn write_zeros(path: &Path, specs: &[TensorSpec]) {
    let mut end = 0;
    let mut entries = Vec::new();
    for TensorSpec { name, shape, .. } in specs {
        let begin = end;
        end += 2 * shape.iter().product::<usize>();
        entries.push(format!(
            r#""{name}":{{"dtype":"F16","shape":{shape:?},"data_offsets":[{begin},{end}]}}"#
        ));
    }
    let head = safetensors(&format!("{{{}}}", entries.join(",")), &[]);
    let mut file = fs::File::create(path).unwrap();
    file.write_all(&head).unwrap();
    file.set_len((head.len() + end) as u64).unwrap();
}

/// Opens a checkpoint of zeros for a model, which must fail, and gives the message and the hint.
fn mismatch(specs: &[TensorSpec], model: &str) -> (String, String) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("zeros.safetensors");
    write_zeros(&path, specs);
    let error = open_for(&path, &ModelConfig::by_name(model).unwrap(), &mut Silent).unwrap_err();
    assert!(error.to_string().contains("zeros.safetensors"), "{error}");
    (error.to_string(), error.hint().unwrap())
}

/// The tensors of a model's file, with the names of the files that its authors publish.
fn specs_of(model: &str) -> Vec<TensorSpec> {
    let config = ModelConfig::by_name(model).unwrap();
    let layout = Layout::of_config(&config).unwrap();
    let tensors = layout.tensors(&config).unwrap().into_iter();
    tensors
        .map(|tensor| spec(&tensor.key, &tensor.shapes[0], tensor.required))
        .collect()
}

#[test]
fn a_single_value_with_one_axis_is_taken_for_a_scalar_as_pytorch_does() {
    let header = r#"{"logit_scale":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]}}"#;
    let file = open_bytes(&safetensors(header, &[0; 2])).unwrap();
    verify(&file, &[spec("logit_scale", &[], true)]).unwrap();
    assert!(verify(&file, &[spec("logit_scale", &[1, 1], true)]).is_err());
}

#[test]
fn every_difference_is_reported_with_expected_and_found() {
    let header = r#"{"extra":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"count":{"dtype":"I64","shape":[],"data_offsets":[4,12]},"w":{"dtype":"F16","shape":[2,1],"data_offsets":[12,16]},"rope":{"dtype":"F32","shape":[1],"data_offsets":[16,20]}}"#;
    let file = open_bytes(&safetensors(header, &[0; 20])).unwrap();
    let specs = [
        spec("absent", &[3, 4], true),
        spec("absent_but_optional", &[3], false),
        spec("count", &[], true),
        spec("rope", &[2], false),
        spec("w", &[1, 2], true),
    ];
    assert_eq!(
        verify(&file, &specs).unwrap_err().to_string(),
        "  1 missing:\n    absent: expected [3, 4]\n  \
         1 unexpected:\n    extra: found [1]\n  \
         2 mis-shaped:\n    rope: expected [2], found [1]\n    \
         w: expected [1, 2], found [2, 1]\n  \
         1 not floating point:\n    count: expected f32, f16 or bf16, found i64"
    );
}

#[test]
fn a_checkpoint_that_fits_passes_with_and_without_optional_tensors() {
    let specs = [spec("a", &[2], true), spec("b", &[1], false)];
    let file = safetensors_of(&[("a", &[1.0, 2.0])]);
    verify(&open_bytes(&file).unwrap(), &specs).unwrap();
    let file = safetensors_of(&[("a", &[1.0, 2.0]), ("b", &[1.0])]);
    verify(&open_bytes(&file).unwrap(), &specs).unwrap();
}

#[test]
fn a_key_without_a_tensor_is_reported() {
    let specs = [spec("w", &[2], true), spec("call", &[1], true)];
    let mismatch = verify(&open("checkpoints/calls.pt"), &specs).unwrap_err();
    assert_eq!(
        mismatch.to_string(),
        "  1 not a tensor:\n    call: found something else"
    );
}

#[test]
fn a_missing_tower_is_listed_in_a_few_lines_that_hide_nothing() {
    let file = open_bytes(&safetensors_of(&[("a", &[1.0])])).unwrap();
    let mut specs = vec![spec("a", &[1], true), spec("visual.head.bias", &[40], true)];
    for layer in 0..12 {
        let norm = format!("visual.blocks.{layer}.norm1.weight");
        specs.push(spec(&norm, &[if layer < 6 { 48 } else { 64 }], true));
    }
    assert_eq!(
        verify(&file, &specs).unwrap_err().to_string(),
        "  13 missing:\n    \
         visual.blocks.{0..5}.norm1.weight (6 keys): expected [48]\n    \
         visual.blocks.{6..11}.norm1.weight (6 keys): expected [64]\n    \
         visual.head.bias: expected [40]"
    );
}

#[test]
fn rotary_tables_may_be_complete_partial_or_absent() {
    let demo = ModelConfig::by_name("uta_demo").unwrap();
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("zeros.safetensors");
    let is_table = |spec: &TensorSpec| spec.name.contains("rope");
    assert!(specs_of("uta_demo").iter().any(is_table));
    for kept in ["", "visual.rope", "blocks.1", "nowhere"] {
        let mut specs = specs_of("uta_demo");
        specs.retain(|spec| !is_table(spec) || spec.name.contains(kept));
        write_zeros(&path, &specs);
        open_for(&path, &demo, &mut Silent).unwrap();
    }
}

#[test]
fn a_checkpoint_of_another_variant_says_which_it_looks_like() {
    for (other, model) in [
        ("eva_large_p14_336", "eva_base_p16"),
        ("eva_giant_p14_336", "eva_large_p14_336"),
        ("eva_base_p16", "uta_demo"),
        ("uta_demo", "eva_giant_p14_336"),
    ] {
        let (text, hint) = mismatch(&specs_of(other), model);
        assert!(
            text.contains(&format!("does not fit the model {model}\n")),
            "{text}"
        );
        assert!(text.contains("mis-shaped"), "{text}");
        assert_eq!(text.lines().count(), 2, "{text}");
        assert_eq!(hint.lines().count(), 1, "{hint}");
        assert!(hint.contains(&format!("try --model {other}")), "{hint}");
    }
}

#[test]
fn another_variant_is_recognised_without_one_of_its_keys() {
    for lost in [
        "visual.pos_embed",
        "logit_scale",
        "visual.blocks.3.norm1.bias",
    ] {
        let mut specs = specs_of("uta_demo");
        specs.retain(|spec| spec.name != lost);
        let (_, hint) = mismatch(&specs, "eva_base_p16");
        assert!(hint.contains("try --model uta_demo"), "{lost}: {hint}");
    }
}

#[test]
fn a_single_wrong_key_does_not_suggest_another_variant() {
    let mut specs = specs_of("uta_demo");
    specs.retain(|spec| spec.name != "visual.norm.bias");
    specs.push(spec("visual.norm.offset", &[96], true));
    let (text, hint) = mismatch(&specs, "uta_demo");
    assert!(text.contains("visual.norm.bias: expected [96]"), "{text}");
    assert!(text.contains("visual.norm.offset: found [96]"), "{text}");
    assert!(!hint.contains("--model"), "{hint}");
}

#[test]
fn something_else_altogether_is_asked_about() {
    let (_, hint) = mismatch(&[spec("bert.weight", &[3], true)], "uta_demo");
    assert!(hint.contains("is it a UTA checkpoint"), "{hint}");
}

#[test]
fn of_many_wrong_keys_an_error_names_some_and_how_many_there_are() {
    let mut specs = specs_of("uta_demo");
    for i in 0..30 {
        specs.push(spec(&format!("extra{i:02}"), &[1], true));
    }
    let (text, _) = mismatch(&specs, "uta_demo");
    assert!(
        text.contains("  30 unexpected:\n    extra00: found [1]"),
        "{text}"
    );
    assert!(
        text.ends_with("extra09: found [1]\n    and 20 lines more"),
        "{text}"
    );
}

#[test]
fn a_prefix_that_is_not_removed_is_named_in_the_hint() {
    let mut specs = specs_of("uta_demo");
    for spec in &mut specs {
        spec.name.insert_str(0, "net.clip.");
    }
    let (text, hint) = mismatch(&specs, "uta_demo");
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(hint.contains("without the prefix net.clip."), "{hint}");
    assert!(hint.ends_with("--weights net.clip"), "{hint}");
}

#[test]
fn absurd_dimensions_are_no_variant_and_no_overflow() {
    let mut specs = specs_of("uta_demo");
    for spec in &mut specs {
        match spec.name.as_str() {
            "visual.pos_embed" => spec.shape = vec![0, usize::MAX, 1],
            "visual.patch_embed.proj.weight" => spec.shape = vec![0, 3, usize::MAX / 3, 1],
            _ => {}
        }
    }
    specs.push(spec(&format!("visual.blocks.{}.x", usize::MAX), &[1], true));
    let (text, hint) = mismatch(&specs, "uta_demo");
    assert!(text.contains("visual.pos_embed"), "{text}");
    assert!(!hint.contains("--model"), "{hint}");
}
