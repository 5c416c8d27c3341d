//! Writing safetensors files.

use std::fs;

use half::{bf16, f16};
use uta_eval::checkpoint::{Checkpoint, CheckpointError, Dtype, convert};

use super::derived::nested_module;
use super::util::{TempFile, open, open_bytes, safetensors_of, values};

fn is_float(dtype: Dtype) -> bool {
    matches!(dtype, Dtype::F16 | Dtype::BF16 | Dtype::F32 | Dtype::F64)
}

fn names_in(folder: &tempfile::TempDir) -> Vec<String> {
    let entries = fs::read_dir(folder.path()).expect("the folder");
    let mut names: Vec<String> = entries
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}

#[test]
fn each_type_rounds_once_and_the_result_reads_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = open("checkpoints/views.pt");
    for (dtype, stored) in [
        (None, None),
        (Some(Dtype::F16), Some(Dtype::F16)),
        (Some(Dtype::BF16), Some(Dtype::BF16)),
        (Some(Dtype::F32), Some(Dtype::F32)),
    ] {
        let out = folder.path().join(format!("{dtype:?}.safetensors"));
        let summary = convert(&source, &out, dtype).expect("converted");
        let bytes = fs::read(&out).expect("the output");
        assert_eq!(
            (summary.tensors, summary.bytes),
            (source.entries().count(), bytes.len() as u64)
        );
        let reference = safetensors::SafeTensors::deserialize(&bytes).expect("a valid file");
        assert_eq!(reference.len(), summary.tensors);
        let copy = Checkpoint::open(&out).expect("a good file");
        for entry in source.entries() {
            let copied = copy.get(entry.name).expect("the same tensor");
            let expected = stored
                .filter(|_| is_float(entry.dtype))
                .unwrap_or(entry.dtype);
            assert_eq!((copied.shape, copied.dtype), (entry.shape, expected));
            if !is_float(entry.dtype) {
                continue;
            }
            let rounded: Vec<f64> = values(&source, entry.name)
                .into_iter()
                .map(|value| match expected {
                    Dtype::F16 => f16::from_f64(value).to_f64(),
                    Dtype::BF16 => bf16::from_f64(value).to_f64(),
                    Dtype::F32 => f64::from(value as f32),
                    _ => value,
                })
                .collect();
            assert_eq!(
                values(&copy, entry.name),
                rounded,
                "{} as {dtype:?}",
                entry.name
            );
        }
    }
}

#[test]
fn nesting_and_prefix_are_gone_from_the_output_and_equal_inputs_give_equal_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let [a, b] = ["golden/tiny.safetensors", "golden/tiny.pt"].map(|name| {
        let out = folder.path().join(name.replace('/', "_"));
        convert(&open(name), &out, Some(Dtype::F32)).expect("converted");
        fs::read(out).expect("the output")
    });
    assert!(a == b, "the files differ");
    let out = folder.path().join("nested");
    let source = Checkpoint::open(&nested_module().path).expect("a good file");
    convert(&source, &out, None).expect("converted");
    let nested = Checkpoint::open(&out).expect("a good file");
    assert_eq!(
        (nested.nested_under(), nested.stripped_prefix()),
        (None, None)
    );
    assert!(nested.get("visual.cls_token").is_some() && nested.get("logit_scale").is_some());
}

#[test]
fn the_golden_weights_survive_a_round_trip_through_f32() {
    let folder = tempfile::tempdir().expect("a folder");
    let (wide, back) = (folder.path().join("wide"), folder.path().join("back"));
    let source = open("golden/tiny.safetensors");
    convert(&source, &wide, Some(Dtype::F32)).expect("converted");
    convert(
        &Checkpoint::open(&wide).expect("good"),
        &back,
        Some(Dtype::F16),
    )
    .expect("converted");
    let back = Checkpoint::open(&back).expect("good");
    for entry in source.entries() {
        assert!(
            values(&source, entry.name) == values(&back, entry.name),
            "{}",
            entry.name
        );
    }
}

#[test]
fn an_existing_file_is_never_overwritten() {
    let out = TempFile::new(b"precious");
    let source = open_bytes(&safetensors_of(&[("a", &[1.0])])).expect("a good file");
    let error = convert(&source, &out.path, None).expect_err("it exists");
    assert!(
        matches!(error, CheckpointError::OutputExists { .. }),
        "{error}"
    );
    assert!(error.hint().is_some());
    assert_eq!(fs::read(&out.path).expect("the file"), b"precious");
    assert_eq!(names_in(&out.folder), ["weights.bin"]);
}

#[test]
fn a_failed_conversion_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out.safetensors");
    let source = open_bytes(&safetensors_of(&[("a", &[1.0]), ("b", &[1e9])])).expect("good");
    let error = convert(&source, &out, Some(Dtype::F16)).expect_err("1e9 is too large for f16");
    assert!(
        matches!(&error, CheckpointError::OutOfRange { tensor, .. } if tensor == "b"),
        "{error}"
    );
    let error = convert(&open("checkpoints/nan.pt"), &out, None).expect_err("NaN");
    assert!(
        matches!(error, CheckpointError::NotFinite { .. }),
        "{error}"
    );
    let error = convert(&source, &out, Some(Dtype::I64)).expect_err("weights are no integers");
    assert!(matches!(error, CheckpointError::NoTarget { .. }), "{error}");
    let nowhere = folder.path().join("no/out");
    let error = convert(&source, &nowhere, None).expect_err("no folder");
    assert!(
        matches!(error, CheckpointError::Unwritable { .. }),
        "{error}"
    );
    assert_eq!(names_in(&folder), [""; 0]);
}

#[test]
fn a_tensor_longer_than_one_chunk_is_converted_whole() {
    let long: Vec<f32> = (0..100_003).map(|i| (i % 1000) as f32).collect();
    let source = open_bytes(&safetensors_of(&[("a", &long)])).expect("a good file");
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out");
    convert(&source, &out, Some(Dtype::F16)).expect("converted");
    let expected: Vec<f64> = long.iter().map(|value| f64::from(*value)).collect();
    assert_eq!(
        values(&Checkpoint::open(&out).expect("good"), "a"),
        expected
    );
}

#[cfg(unix)]
#[test]
fn the_new_file_is_as_readable_as_any_other() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let (plain, out) = (folder.path().join("plain"), folder.path().join("out"));
    fs::write(&plain, b"").unwrap();
    convert(&open("checkpoints/views.pt"), &out, None).unwrap();
    let mode = |path| fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&out), mode(&plain));
}
