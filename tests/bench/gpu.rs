use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use candle_core::{Device, Result, Tensor};
use uta_eval::classifier::{self, Classifier, Trie};
use uta_eval::data::{Batch, Sample, Unreadable};
use uta_eval::evaluation::EvaluationError;
use uta_eval::evaluation::{Evaluator, Finding, Observer, Predictor, evaluate};
use uta_eval::inference::classifiers::tokens;
use uta_eval::inference::devices::{self, DeviceChoice, Devices, PrecisionChoice};
use uta_eval::inference::zero_shot::{ImageEncoder, ZeroShot};
use uta_eval::kernels::gpu::{Engine, Launch};
use uta_eval::metrics::{Prediction, Tally};
use uta_eval::model::backend::Gpu;
use uta_eval::model::{Compute, ModelConfig};
use uta_eval::text::{ClassNames, Templates};
use uta_eval::util::warning::Warning;

use crate::pictures::jpeg;
use crate::pipeline::loader;
use crate::timing::{least, noise};
use crate::towers::{TEXT_GFLOP, text_tower, vision_tower};

/// Models, multiply-adds of a picture times two in units of 10^9, and batches of an evaluation.
const MODELS: [(&str, f64, usize); 3] = [
    ("eva_base_p16", 35.1, 60),
    ("eva_large_p14_336", 382.7, 30),
    ("eva_giant_p14_336", 1241.0, 12),
];
/// Pictures of an end-to-end run.
const PICTURES: usize = 20_000;
/// Rows, columns and depth of the product that stands for the device's limit.
const LARGE: usize = 8192;

/// Evaluations of random weights on the first GPU: all of the work but decoding.
pub fn table() {
    println!("\nthe first GPU");
    for precision in [
        PrecisionChoice::F16,
        PrecisionChoice::Bf16,
        PrecisionChoice::F32,
    ] {
        let devices = match devices::select(&DeviceChoice::Cuda(vec![0]), precision) {
            Ok(devices) => devices,
            Err(error) => return println!("{error}"),
        };
        let peak = peak(devices.first());
        println!(
            "\n{}: a large product reaches {peak:.0} TFLOP/s",
            devices.first().precision()
        );
        println!(
            "{:<20} {:>6} {:>12} {:>10} {:>8}",
            "model", "batch", "pictures/s", "TFLOP/s", "of it"
        );
        for (name, gflop, batches) in MODELS {
            let config = ModelConfig::by_name(name).unwrap();
            let size = devices.batch_size(config.vision.tokens());
            let rate = evaluation(&config, &devices, size, batches);
            let flops = rate * gflop / 1e3;
            println!(
                "{name:<20} {size:>6} {rate:>12.0} {flops:>10.0} {:>6.0} %",
                100.0 * flops / peak
            );
            if precision == PrecisionChoice::F16 {
                kernels(&config, devices.first(), size);
            }
        }
        if precision != PrecisionChoice::F32 {
            text(devices.first());
        }
        if precision == PrecisionChoice::F16 {
            stages(&devices);
        }
    }
}

/// The backend of a device that is a GPU.
fn gpu(compute: &Compute) -> &Gpu {
    let backend: &dyn Any = &*compute.backend;
    backend.downcast_ref().unwrap()
}

/// TFLOP/s of a large product.
fn peak(compute: &Compute) -> f64 {
    let dtype = gpu(compute).precision.dtype();
    let square = Tensor::from_vec(noise(LARGE * LARGE), (LARGE, LARGE), &compute.device);
    let square = square.unwrap().to_dtype(dtype).unwrap();
    let seconds = least(|| {
        drop(square.matmul(&square).unwrap());
        compute.device.synchronize().unwrap();
    });
    2.0 * (LARGE as f64).powi(3) / seconds / 1e12
}

fn zero_shot(config: &ModelConfig, compute: &Compute) -> ZeroShot {
    let tower = vision_tower(config, compute);
    let encoder = ImageEncoder::new(tower, &config.preprocessing, compute).unwrap();
    let columns: Vec<Vec<f32>> = noise(1000 * config.embedding)
        .chunks(config.embedding)
        .map(<[f32]>::to_vec)
        .collect();
    ZeroShot::new(encoder, Classifier::new(config.embedding, &columns)).unwrap()
}

fn batch(config: &ModelConfig, size: usize) -> Batch {
    let bytes = size * config.preprocessing.size.pow(2) * 3;
    let sample = |label| Sample::file("noise".into(), label);
    Batch {
        pixels: noise(bytes)
            .iter()
            .map(|v| (127.0 + 127.0 * v) as u8)
            .collect(),
        samples: (0..size).map(sample).collect(),
        ..Batch::default()
    }
}

/// Pictures a second through the loop of the evaluation, with all replicas.
fn evaluation(config: &ModelConfig, devices: &Devices, size: usize, batches: usize) -> f64 {
    let zero_shots: Vec<ZeroShot> = devices
        .replicas()
        .map(|replica| zero_shot(config, replica))
        .collect();
    let predictors: Vec<&dyn Predictor> = zero_shots.iter().map(|z| z as _).collect();
    let one = batch(config, size);
    let run = |count: usize| {
        let copy = |_| Batch {
            pixels: one.pixels.clone(),
            samples: one.samples.clone(),
            ..Batch::default()
        };
        let samples: Vec<Sample> = one
            .samples
            .iter()
            .cycle()
            .take(count * size)
            .cloned()
            .collect();
        pass(&predictors, &samples, (0..count).map(copy));
    };
    run(4); // compiles, allocates
    let clock = Instant::now();
    run(batches);
    (batches * size) as f64 / clock.elapsed().as_secs_f64()
}

fn pass(predictors: &[&dyn Predictor], samples: &[Sample], batches: impl Iterator<Item = Batch>) {
    let mut observer = Quiet;
    let evaluator = Evaluator::new(predictors.to_vec(), &mut observer, samples, Vec::new());
    let mut evaluators = [evaluator.unwrap()];
    evaluate(samples, batches, &mut evaluators);
    assert!(evaluators[0].failure.is_none());
}

/// Seconds of the stages of a run from a folder of JPEGs, but for the checkpoint's: its weights are
/// random. The classifier is in the table of texts.
fn stages(devices: &Devices) {
    let folder = tempfile::tempdir().unwrap();
    let jpeg = jpeg(500, 375, 97, false);
    let samples: Vec<Sample> = (0..PICTURES)
        .map(|i| {
            let path = folder.path().join(format!("{i}.jpg"));
            std::fs::write(&path, &jpeg).unwrap();
            Sample::file(path, 0)
        })
        .collect();
    let config = ModelConfig::by_name(MODELS[0].0).unwrap();
    let size = devices.batch_size(config.vision.tokens());
    println!(
        "end to end: {PICTURES} 500 x 375 JPEGs of {} kB, {} threads",
        jpeg.len() / 1000,
        rayon::current_num_threads()
    );
    let stage = |name: &str, work: &dyn Fn()| {
        let clock = Instant::now();
        work();
        let seconds = clock.elapsed().as_secs_f64();
        let rate = PICTURES as f64 / seconds;
        println!("    {name:<24} {seconds:>8.2} s {rate:>8.0}/s");
    };
    let zero_shots: Vec<ZeroShot> = devices
        .replicas()
        .map(|replica| zero_shot(&config, replica))
        .collect();
    let predictors: Vec<&dyn Predictor> = zero_shots.iter().map(|z| z as _).collect();
    stage("decoding alone", &|| {
        loader(&config, &samples, size).for_each(drop);
    });
    stage("decoding and computing", &|| {
        pass(&predictors, &samples, loader(&config, &samples, size));
    });
}

struct Quiet;

impl Observer for Quiet {
    fn found(&mut self, _: usize, _: &[Finding]) -> std::result::Result<(), EvaluationError> {
        Ok(())
    }
    fn predicted(
        &mut self,
        _: &Sample,
        _: &Prediction,
    ) -> std::result::Result<(), EvaluationError> {
        Ok(())
    }
    fn unreadable(&mut self, _: &Unreadable) -> std::result::Result<(), EvaluationError> {
        Ok(())
    }
    fn warned(&mut self, warning: Warning) {
        println!("{warning}");
    }
    fn batch_done(&mut self, _: &Tally, _: usize) {}
}

/// Seconds of each kernel, waiting for each.
#[derive(Debug)]
struct Watched {
    engine: Arc<dyn Engine>,
    device: Device,
    seconds: Mutex<BTreeMap<String, f64>>,
}

impl Engine for Watched {
    fn run(&self, launch: &Launch<'_>) -> Result<Vec<Tensor>> {
        self.device.synchronize()?;
        let clock = Instant::now();
        let outputs = self.engine.run(launch)?;
        self.device.synchronize()?;
        let mut seconds = self.seconds.lock().unwrap();
        *seconds.entry(launch.kernel.clone()).or_default() += clock.elapsed().as_secs_f64();
        Ok(outputs)
    }

    fn wait(&self) -> Result<()> {
        self.engine.wait()
    }

    fn shared_limit(&self) -> usize {
        self.engine.shared_limit()
    }
}

/// Milliseconds of a batch by kernel; the rest is matrix products and transfers.
fn kernels(config: &ModelConfig, compute: &Compute, size: usize) {
    let gpu = gpu(compute);
    let watched = Arc::new(Watched {
        engine: Arc::clone(&gpu.engine),
        device: compute.device.clone(),
        seconds: Mutex::default(),
    });
    let watching = Gpu {
        engine: watched.clone(),
        precision: gpu.precision,
    };
    let compute = Compute::gpu(compute.device.clone(), watching);
    let (zero_shot, batch) = (zero_shot(config, &compute), batch(config, size));
    zero_shot.predict(&batch).unwrap();
    watched.seconds.lock().unwrap().clear();
    let clock = Instant::now();
    zero_shot.predict(&batch).unwrap();
    let all = clock.elapsed().as_secs_f64();
    let seconds = watched.seconds.lock().unwrap();
    for (kernel, seconds) in &*seconds {
        println!("    {kernel:<24} {:>8.2} ms", 1e3 * seconds);
    }
    let rest = all - seconds.values().sum::<f64>();
    println!("    {:<24} {:>8.2} ms", "products, transfers", 1e3 * rest);
}

/// Seconds of a classifier of all classes.
fn text(compute: &Compute) {
    let names = ClassNames::imagenet();
    let trie = Trie::new(&tokens(&names, &Templates::imagenet()).unwrap());
    let config = ModelConfig::by_name("eva_base_p16").unwrap();
    let tower = text_tower(&config, compute);
    let build = || classifier::build(&tower, &trie, names.len(), None, &mut |_| ()).unwrap();
    build(); // compiles, allocates
    let clock = Instant::now();
    build();
    let seconds = clock.elapsed().as_secs_f64();
    println!(
        "classifier of {} token positions: {seconds:.2} s, {:.0} TFLOP/s",
        trie.len(),
        trie.len() as f64 * TEXT_GFLOP / seconds / 1e3
    );
}
