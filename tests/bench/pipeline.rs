use std::path::PathBuf;
use std::time::Instant;

use uta_eval::classifier::Classifier;
use uta_eval::data::{Batch, Loader, LoaderSettings, Sample};
use uta_eval::evaluation::Predictor;
use uta_eval::kernels::Precision;
use uta_eval::model::{Compute, Variant};
use uta_eval::picture::Preprocessor;
use uta_eval::zero_shot::{ImageEncoder, ZeroShot};

use crate::pictures::jpeg;
use crate::timing::noise;
use crate::towers::vision_tower;

const BATCH: usize = 16;

/// Pictures a second of loading alone, of the model alone, and of both at once. They share the
/// processor's cores, so that both at once can take no less than the sum of their times.
pub fn table() {
    let folder = tempfile::tempdir().unwrap();
    let jpeg = jpeg(500, 375, 92.0, false);
    println!(
        "\nend to end: 500 x 375 JPEGs of {} kB in batches of {BATCH}, {} threads each for loading and computing",
        jpeg.len() / 1000,
        rayon::current_num_threads()
    );
    println!(
        "{:<20} {:>9} {:>16} {:>16} {:>16} {:>16}",
        "model", "pictures", "loading alone", "model alone", "sum of times", "both at once"
    );
    for (name, count) in [("uta_demo", 4096), ("eva_base_p16", 96)] {
        let samples: Vec<Sample> = (0..count)
            .map(|i| {
                let path: PathBuf = folder.path().join(format!("{i}.jpg"));
                std::fs::write(&path, &jpeg).unwrap();
                Sample { path, label: 0 }
            })
            .collect();
        let variant = Variant::by_name(name).unwrap();
        let preprocessing = &variant.preprocessing;
        let load = || {
            let settings = LoaderSettings {
                batch_size: BATCH,
                workers: rayon::current_num_threads(),
            };
            let preprocessor = Preprocessor::new(preprocessing.size, preprocessing.interpolation);
            Loader::start(samples.clone(), preprocessor, settings).unwrap()
        };
        let compute = Compute::cpu(Precision::F32);
        let tower = vision_tower(&variant, &compute);
        let encoder = ImageEncoder::new(tower, preprocessing, &compute).unwrap();
        let columns: Vec<Vec<f32>> = noise(1000 * variant.embedding)
            .chunks(variant.embedding)
            .map(<[f32]>::to_vec)
            .collect();
        let model = ZeroShot::new(encoder, Classifier::new(variant.embedding, &columns));

        let batches: Vec<Batch> = load().take(8).collect();
        let loading = rate(count, || load().for_each(drop));
        let computing = rate(count, || {
            for i in 0..count / BATCH {
                model.predict(&batches[i % batches.len()]).unwrap();
            }
        });
        let both = rate(count, || {
            load().for_each(|batch| drop(model.predict(&batch).unwrap()));
        });
        let sum = 1.0 / (1.0 / loading + 1.0 / computing);
        println!(
            "{name:<20} {count:>9} {loading:>16.1} {computing:>16.1} {sum:>16.1} {both:>16.1}"
        );
    }
}

fn rate(pictures: usize, work: impl FnOnce()) -> f64 {
    let clock = Instant::now();
    work();
    pictures as f64 / clock.elapsed().as_secs_f64()
}
