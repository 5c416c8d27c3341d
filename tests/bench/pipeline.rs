use std::path::PathBuf;
use std::time::{Duration, Instant};

use uta_eval::classifier::Classifier;
use uta_eval::data::{Batch, Loader, LoaderSettings, Sample, Unreadable};
use uta_eval::evaluation::EvaluationError;
use uta_eval::evaluation::{self, Evaluator, Finding, Observer, Predicted, Predictor};
use uta_eval::inference::zero_shot::{ImageEncoder, ZeroShot};
use uta_eval::kernels::Precision;
use uta_eval::metrics::{Prediction, Tally};
use uta_eval::model::{Compute, ModelConfig};
use uta_eval::picture::Preprocessor;
use uta_eval::picture::preprocessing::Preprocessing;
use uta_eval::util::warning::Warning;

use crate::pictures::jpeg;
use crate::timing::{middle, noise};
use crate::towers::vision_tower;

/// The program's default.
const BATCH: usize = 64;

/// Pictures a second of loading alone, of the model alone, and of both at once.
///
/// On a CPU the two share the cores, so that both at once can take no less than the sum of their
/// times. The last rows stand for a device of its own: a model that only waits, and that is
/// faster or slower than the loading.
pub fn table() {
    let folder = tempfile::tempdir().unwrap();
    let jpeg = jpeg(500, 375, 97, false);
    println!(
        "\nend to end: 500 x 375 JPEGs of {} kB in batches of {BATCH}, {} threads each for loading and computing",
        jpeg.len() / 1000,
        rayon::current_num_threads()
    );
    println!(
        "{:<22} {:>9} {:>14} {:>14} {:>14} {:>14}",
        "model", "pictures", "loading alone", "model alone", "at best", "both at once"
    );
    let samples: Vec<Sample> = (0..4096)
        .map(|i| {
            let path: PathBuf = folder.path().join(format!("{i}.jpg"));
            std::fs::write(&path, &jpeg).unwrap();
            Sample::file(path, 0)
        })
        .collect();
    for (name, count) in [("uta_demo", 4096), ("eva_base_p16", 128)] {
        let (config, model) = zero_shot(name);
        row(name, &config, &samples[..count], &model, |load, model| {
            1.0 / (1.0 / load + 1.0 / model)
        });
    }
    let config = ModelConfig::by_name("eva_base_p16").unwrap();
    for (name, seconds) in [
        ("waits 4 ms a batch", 0.004),
        ("waits 20 ms a batch", 0.020),
    ] {
        row(name, &config, &samples, &Waits(seconds), f64::min);
    }
}

/// A model with random weights and 1000 classes.
fn zero_shot(name: &str) -> (ModelConfig, ZeroShot) {
    let config = ModelConfig::by_name(name).unwrap();
    let compute = Compute::cpu(Precision::F32);
    let tower = vision_tower(&config, &compute);
    let encoder = ImageEncoder::new(tower, &config.preprocessing, &compute).unwrap();
    let columns: Vec<Vec<f32>> = noise(1000 * config.embedding)
        .chunks(config.embedding)
        .map(<[f32]>::to_vec)
        .collect();
    let model = ZeroShot::new(encoder, Classifier::new(config.embedding, &columns)).unwrap();
    (config, model)
}

/// What a sweep over three checkpoints takes, as a multiple of what their towers alone take.
///
/// The passes of both are taken by turns, and the medians compared.
pub fn sweep() {
    let folder = tempfile::tempdir().unwrap();
    let jpeg = jpeg(500, 375, 97, false);
    println!(
        "\nsweep of {CHECKPOINTS} checkpoints: 500 x 375 JPEGs in batches of {BATCH}, {} threads each for loading and computing",
        rayon::current_num_threads()
    );
    println!(
        "{:<22} {:>9} {:>14} {:>14} {:>8}",
        "model", "pictures", "towers, s", "sweep, s", "ratio"
    );
    let samples: Vec<Sample> = (0..1024)
        .map(|i| {
            let path: PathBuf = folder.path().join(format!("{i}.jpg"));
            std::fs::write(&path, &jpeg).unwrap();
            Sample::file(path, 0)
        })
        .collect();
    for (name, count) in [("uta_demo", 1024), ("eva_base_p16", 64)] {
        let models: Vec<(ModelConfig, ZeroShot)> =
            (0..CHECKPOINTS).map(|_| zero_shot(name)).collect();
        let samples = &samples[..count];
        let batches: Vec<Batch> = loader(&models[0].0, samples, BATCH).collect();
        let (mut towers, mut whole) = (Vec::new(), Vec::new());
        for _ in 0..PASSES {
            let clock = Instant::now();
            for (_, model) in &models {
                for batch in &batches {
                    model.predict(batch).unwrap();
                }
            }
            towers.push(clock.elapsed().as_secs_f64());
            let mut silent: Vec<Silent> = models.iter().map(|_| Silent).collect();
            let mut evaluators: Vec<Evaluator> = models
                .iter()
                .zip(&mut silent)
                .map(|((_, model), silent)| {
                    Evaluator::new(vec![model], silent, samples, Vec::new()).unwrap()
                })
                .collect();
            let clock = Instant::now();
            evaluation::evaluate(
                samples,
                loader(&models[0].0, samples, BATCH),
                &mut evaluators,
            );
            whole.push(clock.elapsed().as_secs_f64());
            assert!(evaluators.iter().all(|e| e.computed == count));
        }
        let (towers, whole) = (middle(towers), middle(whole));
        let ratio = whole / towers;
        println!("{name:<22} {count:>9} {towers:>14.2} {whole:>14.2} {ratio:>8.3}");
    }
}

const CHECKPOINTS: usize = 3;
const PASSES: usize = 5;

struct Silent;

impl Observer for Silent {
    fn found(&mut self, _: usize, _: &[Finding]) -> Result<(), EvaluationError> {
        Ok(())
    }
    fn predicted(&mut self, _: &Sample, _: &Prediction) -> Result<(), EvaluationError> {
        Ok(())
    }
    fn unreadable(&mut self, picture: &Unreadable) -> Result<(), EvaluationError> {
        panic!("{}", picture.reason)
    }
    fn warned(&mut self, _: Warning) {}
    fn batch_done(&mut self, _: &Tally, _: usize) {}
}

/// Takes its time and no processor.
struct Waits(f64);

impl Predictor for Waits {
    fn predict(&self, _: &Batch) -> Result<Predicted, EvaluationError> {
        std::thread::sleep(Duration::from_secs_f64(self.0));
        Ok(Predicted::default())
    }
}

fn row(
    name: &str,
    config: &ModelConfig,
    samples: &[Sample],
    model: &dyn Predictor,
    best: impl Fn(f64, f64) -> f64,
) {
    let load = || loader(config, samples, BATCH);
    let batches: Vec<Batch> = load().take(8).collect();
    let count = samples.len();
    let loading = rate(count, || load().for_each(drop));
    let alone = rate(count, || {
        for i in 0..count / BATCH {
            model.predict(&batches[i % batches.len()]).unwrap();
        }
    });
    let both = rate(count, || {
        load().for_each(|batch| drop(model.predict(&batch).unwrap()));
    });
    let best = best(loading, alone);
    println!("{name:<22} {count:>9} {loading:>14.1} {alone:>14.1} {best:>14.1} {both:>14.1}");
}

fn rate(pictures: usize, work: impl FnOnce()) -> f64 {
    let clock = Instant::now();
    work();
    pictures as f64 / clock.elapsed().as_secs_f64()
}

pub fn loader(config: &ModelConfig, samples: &[Sample], batch_size: usize) -> Loader {
    let settings = LoaderSettings {
        batch_size,
        workers: rayon::current_num_threads(),
    };
    let Preprocessing {
        size,
        interpolation,
        ..
    } = config.preprocessing;
    let preprocessor = Preprocessor::new(size, interpolation);
    Loader::start(
        samples.iter().cloned().collect(),
        Default::default(),
        preprocessor,
        settings,
    )
    .unwrap()
}
