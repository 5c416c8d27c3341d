//! What torch.save writes in all its variety, against values written by PyTorch itself.
//!
//! `make_fixtures.py` in the folder of the fixtures makes them; `expected.safetensors` holds each
//! tensor as `FILE/NAME`, contiguous.

use candle_core::{DType, Device};
use uta_eval::checkpoint::{Checkpoint, CheckpointError, Dtype, Format};

use super::util::{
    TempFile, fixture, flat, open, open_bytes, safetensors_of, tensor_pickle, torch, torch_tensor,
    torch_with, values, zip, zip64,
};

/// Compares all tensors of a file with those that PyTorch wrote down for it.
fn assert_as_expected(case: &str) {
    let file = open(&format!("checkpoints/{case}.pt"));
    assert_equal(&file, case, "expected");
}

/// As [`assert_as_expected`], with the second file of expected tensors.
fn assert_as_expected_again(case: &str) {
    let file = open(&format!("checkpoints/{case}.pt"));
    assert_equal(&file, case, "expected_again");
}

fn assert_equal(file: &Checkpoint, case: &str, expected: &str) {
    let expected = open(&format!("checkpoints/{expected}.safetensors"));
    let prefix = format!("{case}/");
    let names: Vec<&str> = expected
        .entries()
        .filter_map(|entry| entry.name.strip_prefix(&prefix))
        .collect();
    let found: Vec<&str> = file.entries().map(|entry| entry.name).collect();
    assert_eq!(found, names, "the tensors of {case}");
    for name in names {
        let ours = file.get(name).unwrap();
        let theirs = expected.get(&format!("{prefix}{name}")).unwrap();
        assert_eq!(
            (ours.shape, ours.dtype),
            (theirs.shape, theirs.dtype),
            "{case}: {name}"
        );
        if matches!(ours.dtype, Dtype::U16 | Dtype::I64 | Dtype::BOOL) {
            continue;
        }
        let read = |file: &Checkpoint, name: &str| {
            flat(&file.tensor(name, DType::F32, &Device::Cpu).unwrap())
        };
        assert_eq!(
            read(file, name),
            read(&expected, theirs.name),
            "{case}: {name}"
        );
    }
}

fn open_weights(case: &str, key: &str) -> Result<Checkpoint, CheckpointError> {
    Checkpoint::open_weights(&fixture(&format!("checkpoints/{case}.pt")), Some(key))
}

fn refusal(case: &str) -> CheckpointError {
    Checkpoint::open(&fixture(&format!("checkpoints/{case}.pt")))
        .expect_err("the file should be refused")
}

#[test]
fn transposed_shared_sliced_expanded_and_scalar_tensors_are_read_exactly() {
    assert_as_expected("views");
}

#[test]
fn a_view_is_read_alike_whether_its_elements_lie_close_or_far_apart() {
    let storage: Vec<u8> = (0..5000u16)
        .flat_map(|i| f32::from(i).to_le_bytes())
        .collect();
    // Distances at which all between the elements is read, and at which it is not.
    for stride in [7, 63, 65, 1200] {
        let strides = format!("1 {stride}");
        let pickle = tensor_pickle("FloatStorage", "5000", "3", "2 4", &strides);
        let file = open_bytes(&torch_with(&pickle, &storage)).expect("good");
        let element = |i| f64::from(3 + i / 4 + (i % 4) * stride);
        let expected: Vec<f64> = (0..8).map(element).collect();
        assert_eq!(values(&file, "w"), expected, "stride {stride}");
    }
}

#[test]
fn bfloat16_and_pickle_protocol_4_are_read() {
    assert_as_expected("bfloat16_protocol4");
}

#[test]
fn a_training_checkpoint_with_optimizer_and_arbitrary_objects_gives_its_model() {
    for case in ["training", "training_protocol4", "training_protocol5"] {
        assert_as_expected(case);
        let file = open(&format!("checkpoints/{case}.pt"));
        assert_eq!(file.nested_under(), Some("model"));
        assert_eq!(file.stripped_prefix(), Some("module."));
    }
}

#[test]
fn parameters_with_attributes_and_tensor_subclasses_are_read_as_tensors() {
    assert_as_expected("subclasses");
}

#[test]
fn calls_recorded_in_the_pickle_are_not_made_and_reported_as_no_tensors() {
    assert_as_expected("calls");
    assert_eq!(open("checkpoints/calls.pt").without_tensor(), ["call"]);
}

#[test]
fn a_state_dict_nested_twice_is_found() {
    assert_as_expected("nested_twice");
    let file = open("checkpoints/nested_twice.pt");
    assert_eq!(file.nested_under(), Some("state_dict.model"));
}

#[test]
fn one_dict_under_two_keys_is_one_state_dict_but_two_dicts_are_ambiguous() {
    assert_as_expected("same_twice");
    let error = refusal("ambiguous");
    assert!(matches!(error, CheckpointError::Ambiguous { .. }));
    assert!(
        error.to_string().contains("under state_dict and model"),
        "{error}"
    );
    assert_eq!(
        error.hint().unwrap(),
        "say which one is meant: --weights state_dict or --weights model"
    );
    let [a, b] = ["state_dict", "model"].map(|key| {
        let file = open_weights("ambiguous", key).unwrap();
        assert_eq!(file.nested_under(), Some(key));
        values(&file, "w")
    });
    assert_ne!(a, b);
}

#[test]
fn a_copied_dict_of_the_same_tensors_is_one_state_dict() {
    let file = torch_tensor("FloatStorage", "2", "0", "2", "1");
    let start = 30 + "a/data.pkl".len() + 3;
    let end = file.windows(3).position(|bytes| bytes == b"Rs.").unwrap() + 1;
    // `X`, the key, and the recorded call that makes the tensor.
    let item = &file[start..end];
    let twice = |second: &[u8]| {
        let mut pickle = b"\x80\x02}X\x05\0\0\0model}".to_vec();
        pickle.extend_from_slice(item);
        pickle.extend_from_slice(b"ssX\x0a\0\0\0state_dict}");
        pickle.extend_from_slice(second);
        pickle.extend_from_slice(b"ss.");
        open_bytes(&torch(&pickle))
    };
    assert_eq!(twice(item).unwrap().nested_under(), Some("state_dict"));
    let other_key = [b"X\x01\0\0\0v", &item[6..]].concat();
    let error = twice(&other_key).unwrap_err();
    assert!(
        matches!(error, CheckpointError::Ambiguous { .. }),
        "{error}"
    );
}

#[test]
fn a_type_without_a_storage_class_is_recognised() {
    assert_as_expected("uint16");
}

#[test]
fn complex_float8_and_sparse_tensors_are_refused_by_name() {
    for (case, tensor, kind) in [
        ("complex", "z", "ComplexFloatStorage"),
        ("float8", "z", "torch.float8_e4m3fn"),
        ("sparse", "s", "_rebuild_sparse_tensor"),
    ] {
        let error = refusal(case);
        let text = error.to_string();
        assert!(
            text.contains(&format!("tensor {tensor} has the type {kind}")),
            "{text}"
        );
        assert!(error.hint().unwrap().contains("float16"));
    }
}

#[test]
fn a_whole_module_or_a_single_tensor_is_no_state_dict() {
    for (case, text) in [
        (
            "whole_module",
            "pickled object of torch.nn.modules.linear.Linear",
        ),
        ("single_tensor", "a single tensor"),
        ("elsewhere", "its keys are ema, step"),
    ] {
        let error = refusal(case);
        assert!(error.to_string().contains(text), "{error}");
        let hint = error.hint().unwrap();
        let expected = match case {
            "elsewhere" => "--weights ema",
            _ => "model.state_dict()",
        };
        assert!(hint.contains(expected), "{hint}");
    }
    assert!(open_weights("elsewhere", "ema").unwrap().get("w").is_some());
}

#[test]
fn a_torchscript_programs_tensors_are_read_by_the_way_to_them() {
    let file = open("checkpoints/torchscript.pt");
    let names: Vec<&str> = file.entries().map(|entry| entry.name).collect();
    assert_eq!(names, ["bias", "weight"]);
    assert_eq!(file.get("weight").unwrap().shape, [1, 1]);
    assert!(file.without_tensor().is_empty());
}

/// OpenAI's own files are such programs, and their weights are published as plain tensors, too.
#[test]
fn a_torchscript_program_that_cannot_be_read_is_refused_with_where_its_weights_are() {
    for pickle in [&b"no pickle"[..], b"\x80\x02}."] {
        let program = zip(&[
            ("a/data.pkl", pickle, 0),
            ("a/constants.pkl", b"\x80\x02).", 0),
            ("a/data/0", &[0; 8], 0),
        ]);
        let error = open_bytes(&program).unwrap_err();
        assert!(error.to_string().contains("TorchScript"), "{error}");
        let hint = error.hint().unwrap();
        assert!(hint.contains("hf://timm/vit_base_patch32_clip_224.openai"));
    }
}

#[test]
fn files_of_pytorch_before_1_6_are_read() {
    for case in ["legacy_views", "legacy_protocol4", "legacy_training"] {
        assert_as_expected_again(case);
        let file = open(&format!("checkpoints/{case}.pt"));
        assert_eq!(file.format(), Format::PyTorchLegacy);
    }
    let file = open("checkpoints/legacy_training.pt");
    assert_eq!(file.nested_under(), Some("model"));
    assert_eq!(file.stripped_prefix(), Some("module."));
    assert_eq!(open("checkpoints/legacy.pt").get("w").unwrap().shape, [2]);
}

#[test]
fn a_deflated_archive_is_read() {
    assert_as_expected_again("deflated");
    let file = open("checkpoints/deflated.pt");
    let path = fixture("checkpoints/deflated.pt");
    assert_eq!(file.bytes() as u64, path.metadata().unwrap().len());
}

#[test]
fn of_weights_and_their_average_each_is_taken_by_its_key_and_the_other_is_named() {
    let file = open("checkpoints/ema.pt");
    assert_equal(&file, "ema/model", "expected_again");
    assert_eq!(file.nested_under(), Some("model"));
    assert_eq!(file.others(), ["model_ema"]);
    let file = open_weights("ema", "model").unwrap();
    assert_eq!(file.others(), ["model_ema"]);
    let file = open_weights("ema", "model_ema").unwrap();
    assert_eq!(file.nested_under(), Some("model_ema"));
    assert_eq!(file.stripped_prefix(), Some("module."));
    assert_eq!(file.others(), ["model"]);
    for name in ["weight", "bias"] {
        let expected = open("checkpoints/expected_again.safetensors");
        let expected = values(&expected, &format!("ema/model_ema/{name}"));
        assert_eq!(values(&file, name), expected);
    }
    let error = open_weights("ema", "teacher").unwrap_err();
    let text = error.to_string();
    assert!(text.contains("no weights under teacher"), "{text}");
    assert!(text.contains("model, model_ema"), "{text}");
    assert!(error.hint().is_some());
}

#[test]
fn a_key_may_be_several_joined_by_dots_or_what_names_begin_with() {
    let file = open_weights("nested_twice", "state_dict.model").unwrap();
    assert_eq!(file.nested_under(), Some("state_dict.model"));
    let file = open_weights("nested_twice", "state_dict").unwrap();
    assert_eq!(file.nested_under(), Some("state_dict.model"));
    let tensors: [(&str, &[f32]); 2] = [("model.a", &[1.0]), ("model_ema.a", &[2.0])];
    let flat = TempFile::new(&safetensors_of(&tensors));
    let file = Checkpoint::open_weights(&flat.path, Some("model_ema")).unwrap();
    assert_eq!(values(&file, "a"), [2.0]);
    assert_eq!(file.nested_under(), Some("model_ema"));
    let error = Checkpoint::open_weights(&flat.path, Some("mode")).unwrap_err();
    let text = error.to_string();
    assert!(
        text.ends_with("it has some under model, model_ema"),
        "{text}"
    );
}

#[test]
fn wrappers_of_a_compiled_and_parallel_model_are_taken_off() {
    assert_as_expected_again("compiled");
    let file = open("checkpoints/compiled.pt");
    assert_eq!(file.stripped_prefix(), Some("_orig_mod.module."));
    assert_eq!(file.stripped_within(), ["_orig_mod."]);
}

#[test]
fn empty_files_are_refused_with_what_to_do() {
    let error = refusal("no_tensors");
    assert!(
        matches!(error, CheckpointError::NoTensors { .. }),
        "{error}"
    );
}

#[test]
fn nan_and_infinite_weights_are_an_error_that_says_where_and_how_many() {
    let file = open("checkpoints/nan.pt");
    file.tensor("ok", DType::F32, &Device::Cpu).unwrap();
    for dtype in [DType::F32, DType::F16, DType::BF16] {
        let error = file.tensor("bad", dtype, &Device::Cpu).unwrap_err();
        let text = error.to_string();
        let expected = "tensor bad has 2 of 4 values that are NaN or infinite, the first at [1, 0]";
        assert!(text.contains("nan.pt") && text.contains(expected), "{text}");
        assert!(error.hint().is_some());
    }
}

#[test]
fn an_archive_with_64_bit_records_is_read() {
    let plain = torch_tensor("FloatStorage", "2", "0", "2", "1");
    let pickle_start = 30 + "a/data.pkl".len();
    let length = u32::from_le_bytes(plain[22..26].try_into().unwrap()) as usize;
    let pickle = &plain[pickle_start..pickle_start + length];
    let data: Vec<u8> = [1.5f32, -2.0]
        .iter()
        .flat_map(|v| v.to_le_bytes())
        .collect();
    let file = zip64(&[("a/data.pkl", pickle), ("a/data/0", &data)]);
    assert_eq!(values(&open_bytes(&file).unwrap(), "w"), [1.5, -2.0]);
}

#[test]
fn big_endian_archives_are_refused() {
    let file = zip(&[("a/data.pkl", b"\x80\x02}.", 0), ("a/byteorder", b"big", 0)]);
    let error = open_bytes(&file).unwrap_err();
    assert!(
        error.to_string().contains("byte order is \"big\""),
        "{error}"
    );
    assert!(error.hint().unwrap().contains("torch.save"));
}
