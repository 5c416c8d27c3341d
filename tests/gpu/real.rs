use candle_core::Tensor;
use uta_eval::inference::devices::{DeviceChoice, PrecisionChoice, select};
use uta_eval::inference::zero_shot::ImageEncoder;

use super::towers::{features, pixels, texts};
use crate::support::{Golden, fixture, relative_error, run, tiny, towers_by};

/// In turn: whether f32 products are rounded is a setting of the whole process.
#[test]
#[ignore = "needs a GPU"]
fn features_on_a_gpu_are_the_references() {
    let golden = Golden::load("golden/tiny_expected.safetensors");
    for (precision, tolerance) in [
        (PrecisionChoice::F32, 2e-5),
        (PrecisionChoice::Tf32, 2e-3),
        (PrecisionChoice::F16, 2e-3),
        (PrecisionChoice::Bf16, 1.6e-2),
    ] {
        let devices = select(&DeviceChoice::Cuda(vec![0]), precision).unwrap();
        let compute = devices.first();
        let way = compute.precision();
        let (vision, text) = towers_by(compute, &fixture("golden/tiny.safetensors"), &tiny());
        let encoder = ImageEncoder::new(vision, &tiny().preprocessing, compute).unwrap();
        let found = encoder.encode(&pixels(&golden)).unwrap();
        let found = Tensor::new(found, golden.get("image").device()).unwrap();
        let error = relative_error(&found, golden.get("image_features"));
        assert!(error <= tolerance, "{way}: image features: {error}");
        for (row, ids) in texts(golden.get("text_ids")).iter().enumerate() {
            let expected = golden.get("text_features").narrow(0, row, 1).unwrap();
            let error = relative_error(&features(&text, ids), &expected);
            assert!(error <= tolerance, "{way}: features of text {row}: {error}");
        }
    }
}

/// The demo itself fails if more than one picture is judged differently.
#[test]
#[ignore = "needs a GPU"]
fn the_demo_on_a_gpu_has_the_expected_result() {
    for precision in ["auto", "bf16"] {
        run(&["demo", "--device", "cuda:0", "--precision", precision]).ended_with(0);
    }
}
