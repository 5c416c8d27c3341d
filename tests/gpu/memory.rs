use std::sync::Arc;

use candle_core::{Error, Result, Tensor};
use uta_eval::app::exit_code::ExitCode;
use uta_eval::classifier::{Progress, Trie, build};
use uta_eval::inference::loading;
use uta_eval::inference::zero_shot::ImageEncoder;
use uta_eval::kernels::gpu::{Engine, Launch};
use uta_eval::model::Compute;
use uta_eval::model::backend::{Gpu, GpuPrecision};

use super::emulator::gpu;
use crate::support::{Golden, fixture, open, relative_error, tiny, towers_by};

/// An emulated GPU that cannot hold large tensors, or that has little shared memory.
#[derive(Debug)]
struct Small {
    engine: Arc<dyn Engine>,
    largest: usize,
    shared: usize,
}

impl Engine for Small {
    fn run(&self, launch: &Launch<'_>) -> Result<Vec<Tensor>> {
        let values = |output: &(candle_core::Shape, _)| output.0.elem_count();
        if launch.outputs.iter().map(values).max() > Some(self.largest) {
            return Err(Error::Cuda("DriverError(CUDA_ERROR_OUT_OF_MEMORY)".into()));
        }
        self.engine.run(launch)
    }

    fn wait(&self) -> Result<()> {
        self.engine.wait()
    }

    fn shared_limit(&self) -> usize {
        self.shared
    }
}

fn small(largest: usize, shared: usize) -> Compute {
    let Gpu { engine, precision } = gpu(GpuPrecision::F32);
    let engine = Arc::new(Small {
        engine,
        largest,
        shared,
    });
    Compute::gpu(candle_core::Device::Cpu, Gpu { engine, precision })
}

#[test]
fn a_classifier_is_built_in_smaller_runs_and_that_is_told() {
    let sequences: Vec<Vec<u32>> = (0..40)
        .map(|i| vec![49406, 320 + i / 4, 500 + i, 49407])
        .collect();
    let trie = Trie::new(&sequences);
    let built = |largest| {
        let (_, tower) = towers_by(
            &small(largest, 99 << 10),
            &fixture("golden/tiny.safetensors"),
            &tiny(),
        );
        let mut told = Vec::new();
        let classifier = build(&tower, &trie, 4, None, &mut |progress| {
            if let Progress::Smaller { nodes } = progress {
                told.push(nodes);
            }
        });
        (classifier.unwrap(), told)
    };
    let (expected, told) = built(usize::MAX);
    assert!(told.is_empty());
    // The largest tensors are the hidden channels of the MLP.
    let (found, told) = built(50 * tiny().text.transformer.mlp_hidden);
    assert_eq!(told, [trie.len() / 2]);
    for class in 0..4 {
        let products = found
            .column(class)
            .iter()
            .zip(expected.column(class))
            .map(|(a, b)| a * b);
        assert!((products.sum::<f32>() - 1.0).abs() < 1e-5);
    }
}

#[test]
fn lanes_of_a_device_learn_from_each_other_and_tell_once() {
    let golden = Golden::load("golden/tiny_expected.safetensors");
    let pixels: Vec<u8> = golden
        .get("image_u8")
        .flatten_all()
        .unwrap()
        .to_vec1()
        .unwrap();
    let (config, file) = (tiny(), fixture("golden/tiny.safetensors"));
    let pictures = golden.get("image_features").dim(0).unwrap();
    assert!(pictures > 1);
    // Room for one picture.
    let room = config.vision.tokens()
        * 2
        * config
            .vision
            .transformer
            .mlp_hidden
            .max(3 * config.vision.transformer.width);
    let replicas = [small(room, 99 << 10), small(room, 99 << 10)];
    let towers = replicas
        .iter()
        .map(|replica| towers_by(replica, &file, &config).0)
        .collect();
    let encoders =
        ImageEncoder::for_replicas(towers, &config.preprocessing, replicas.iter()).unwrap();
    for encoder in &encoders {
        let features = Tensor::new(encoder.encode(&pixels).unwrap(), &replicas[0].device).unwrap();
        assert!(relative_error(&features, golden.get("image_features")) <= 2e-5);
    }
    let news: Vec<Option<usize>> = encoders.iter().map(ImageEncoder::reduced).collect();
    assert_eq!(news, [Some(1), None]);
}

#[test]
fn a_model_that_does_not_fit_is_refused_before_its_weights_are_read() {
    let config = tiny();
    let checkpoint = open(&fixture("golden/tiny.safetensors"), &config);
    let compute = small(usize::MAX, 600);
    let error = loading::text_tower(&checkpoint, &config, &compute).unwrap_err();
    let vision = loading::vision_tower(&checkpoint, &config, &compute, &mut |_| ());
    assert_eq!(vision.unwrap_err().to_string(), error.to_string());
    let text = error.to_string();
    assert!(
        text.contains("does not fit on the GPU: the vision tower's MLP would take 512 bytes"),
        "{text}"
    );
    let error = uta_eval::app::error::Error::from(error);
    assert_eq!(error.hint().unwrap(), "choose --device cpu");
    assert_eq!(error.exit_code(), ExitCode::Usage);
}
