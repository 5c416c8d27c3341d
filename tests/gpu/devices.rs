use uta_eval::inference::devices::{DeviceChoice, Devices, PrecisionChoice, select_with};
use uta_eval::kernels::Precision;
use uta_eval::model::Compute;
use uta_eval::model::backend::GpuPrecision;
use uta_eval::util::usage::UsageError;

use super::emulator::compute;

fn chosen(device: &str, precision: PrecisionChoice, gpus: usize) -> Result<Devices, UsageError> {
    let open = |number: usize, precision: GpuPrecision| {
        if number < gpus {
            Ok(compute(precision))
        } else {
            Err(format!("there are {gpus}"))
        }
    };
    select_with(
        &DeviceChoice::parse(device).unwrap(),
        precision,
        true,
        &open,
    )
}

#[test]
fn a_gpu_that_works_is_taken_in_half_precision() {
    let devices = chosen("auto", PrecisionChoice::Auto, 1).unwrap();
    assert_eq!(devices.first().precision(), "f16");
    assert_eq!(devices.remark, None);
    assert_eq!(devices.replicas().count(), 2);
    for (precision, name) in [
        (PrecisionChoice::F32, "f32"),
        (PrecisionChoice::Bf16, "bf16"),
        (PrecisionChoice::Tf32, "tf32"),
    ] {
        assert_eq!(
            chosen("cuda", precision, 1).unwrap().first().precision(),
            name
        );
    }
}

#[test]
fn without_a_gpu_auto_takes_the_cpu_and_says_why() {
    let devices = chosen("auto", PrecisionChoice::Auto, 0).unwrap();
    assert_eq!(
        (devices.name().as_str(), devices.first().precision()),
        ("cpu", "f32")
    );
    assert!(devices.remark.unwrap().to_string().contains("there are 0"));
    let bf16 = chosen("auto", PrecisionChoice::Bf16, 0).unwrap();
    assert_eq!(bf16.first().precision(), "bf16");
}

#[test]
fn what_was_asked_for_is_not_replaced() {
    for (device, precision, gpus, part) in [
        (
            "cuda",
            PrecisionChoice::Auto,
            0,
            "GPU 0 cannot be used: there are 0",
        ),
        (
            "cuda:0,1",
            PrecisionChoice::Auto,
            1,
            "GPU 1 cannot be used: there are 1",
        ),
        (
            "cpu",
            PrecisionChoice::F16,
            1,
            "--precision f16 needs a GPU",
        ),
        (
            "auto",
            PrecisionChoice::Tf32,
            0,
            "no GPU works (there are 0)",
        ),
    ] {
        let error = chosen(device, precision, gpus).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
        assert!(error.hint.is_some());
    }
}

#[test]
fn several_gpus_take_turns_in_beginning() {
    let devices = chosen("cuda:0,1", PrecisionChoice::Auto, 2).unwrap();
    assert_eq!(devices.replicas().count(), 4);
}

#[test]
fn device_names_are_read_and_nonsense_is_refused() {
    assert_eq!(
        DeviceChoice::parse("cuda:1,0"),
        Ok(DeviceChoice::Cuda(vec![1, 0]))
    );
    for wrong in [
        "gpu", "cuda:", "cuda:a", "cuda:0,0", "cuda:-1", "CUDA", "cuda:0,",
    ] {
        assert!(DeviceChoice::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn automatic_batches_suit_device_and_model() {
    assert_eq!(Devices::cpu(Precision::F32).batch_size(197), 64);
    let gpu = chosen("cuda", PrecisionChoice::Auto, 1).unwrap();
    assert_eq!(
        [197, 577, 100_000].map(|tokens| gpu.batch_size(tokens)),
        [256, 64, 1]
    );
    let _: &Compute = gpu.first();
}
