//! The golden files: both formats agree, nesting and prefix go, a missing key is named.

use std::fs;

use candle_core::{DType, Device};
use sha2::{Digest, Sha256};
use uta_eval::checkpoint::{Checkpoint, Dtype, Format, TensorSpec, verify};

use super::derived::{MISSING, missing_key, nested_module};
use super::util::{fixture, open, values};

/// What a model with exactly the tensors of the complete golden file needs.
fn golden_specs() -> Vec<TensorSpec> {
    let golden = open("golden/tiny.safetensors");
    let spec = |entry: uta_eval::checkpoint::TensorEntry| TensorSpec {
        name: entry.name.into(),
        shape: entry.shape.into(),
        required: true,
    };
    golden.entries().map(spec).collect()
}

#[test]
fn the_pt_file_equals_the_safetensors_file_bit_for_bit() {
    let (a, b) = (open("golden/tiny.safetensors"), open("golden/tiny.pt"));
    assert_eq!(a.format(), Format::Safetensors);
    assert_eq!(b.format(), Format::PyTorch);
    assert_eq!(a.entries().count(), b.entries().count());
    for (x, y) in a.entries().zip(b.entries()) {
        assert_eq!((x.name, x.shape, x.dtype), (y.name, y.shape, y.dtype));
        let bits = |file: &Checkpoint| -> Vec<u32> {
            let tensor = file.tensor(x.name, DType::F32, &Device::Cpu).unwrap();
            assert_eq!(tensor.dims(), x.shape);
            let values = tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            values.into_iter().map(f32::to_bits).collect()
        };
        assert!(bits(&a) == bits(&b), "{} differs", x.name);
    }
}

#[test]
fn the_safetensors_file_reads_as_the_safetensors_crate_reads_it() {
    let bytes = fs::read(fixture("golden/tiny.safetensors")).unwrap();
    let reference = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let ours = open("golden/tiny.safetensors");
    assert_eq!(ours.entries().count(), reference.len());
    for entry in ours.entries() {
        let view = reference.tensor(entry.name).unwrap();
        assert_eq!((view.shape(), view.dtype()), (entry.shape, Dtype::F16));
        let pairs = view.data().chunks_exact(2);
        let expected: Vec<f64> = pairs
            .map(|pair| half::f16::from_le_bytes([pair[0], pair[1]]).to_f64())
            .collect();
        let name = entry.name;
        assert!(values(&ours, name) == expected, "{name} differs");
    }
}

#[test]
fn nesting_and_prefix_are_removed_and_reported() {
    let nested = Checkpoint::open(&nested_module().path).unwrap();
    assert_eq!(nested.nested_under(), Some("state_dict"));
    assert_eq!(nested.stripped_prefix(), Some("module."));
    let flat = open("golden/tiny.safetensors");
    assert_eq!((flat.nested_under(), flat.stripped_prefix()), (None, None));
    let names = |file: &Checkpoint| -> Vec<String> {
        file.entries().map(|entry| entry.name.into()).collect()
    };
    assert_eq!(names(&nested), names(&flat));
    assert_eq!(nested.get("logit_scale").unwrap().dtype, Dtype::F32);
    for name in names(&flat) {
        assert!(values(&flat, &name) == values(&nested, &name), "{name}");
    }
}

#[test]
fn a_missing_key_is_refused_by_name() {
    let whole = Checkpoint::open(&nested_module().path).unwrap();
    verify(&whole, &golden_specs()).unwrap();
    let broken = Checkpoint::open(&missing_key().path).unwrap();
    assert_eq!(broken.nested_under(), Some("model"));
    let mismatch = verify(&broken, &golden_specs()).unwrap_err();
    assert_eq!(
        mismatch.to_string(),
        format!("  1 missing:\n    {MISSING}: expected [128]")
    );
}

#[test]
fn the_hash_is_that_of_the_whole_file() {
    for name in ["golden/tiny.safetensors", "golden/tiny.pt"] {
        let digest = Sha256::digest(fs::read(fixture(name)).unwrap());
        let expected: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(open(name).sha256().unwrap(), expected);
    }
}
