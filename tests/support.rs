use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use candle_core::{Device, Tensor};
use uta_eval::inference::Silent;
use uta_eval::inference::loading;
use uta_eval::inference::weights::Weights;
use uta_eval::kernels::{Isa, Precision};
use uta_eval::model::{Compute, ModelConfig, TextTower, VisionTower};

/// A file below `tests/fixtures`. One that is missing fails the test.
pub fn fixture(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name);
    assert!(path.exists(), "the fixture {} is missing", path.display());
    path
}

/// A file below `tests/fixtures` that is kept compressed, unpacked into a folder.
pub fn unpacked(name: &str, folder: &Folder) -> PathBuf {
    let packed = std::fs::File::open(fixture(&format!("{name}.gz"))).unwrap();
    let mut bytes = Vec::new();
    std::io::copy(&mut flate2::read::GzDecoder::new(packed), &mut bytes).unwrap();
    folder.write("unpacked", bytes)
}

/// A file of the embedded demo.
pub fn demo(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("assets/demo")
        .join(name);
    assert!(path.exists(), "{} is missing", path.display());
    path
}

/// Reads a JSON fixture.
pub fn json<T: serde::de::DeserializeOwned>(name: &str) -> T {
    let path = fixture(name);
    let text = std::fs::read_to_string(&path).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Tensors that the reference made, by name.
pub struct Golden(HashMap<String, Tensor>);

impl Golden {
    pub fn load(name: &str) -> Self {
        Self(candle_core::safetensors::load(fixture(name), &Device::Cpu).unwrap())
    }

    pub fn get(&self, name: &str) -> &Tensor {
        self.0
            .get(name)
            .unwrap_or_else(|| panic!("no golden tensor {name}"))
    }
}

/// The small golden model, read from its description.
pub fn tiny() -> ModelConfig {
    ModelConfig::from_name_or_file(fixture("tiny.json").to_str().unwrap()).unwrap()
}

pub fn open(checkpoint: &Path, config: &ModelConfig) -> Arc<Weights> {
    loading::open_for(checkpoint, config, &mut Silent).unwrap()
}

/// Every way to compute in f32 that this machine has: each instruction set, and candle's own
/// operations.
pub fn ways() -> Vec<(&'static str, Compute)> {
    let own = |isa: Isa| (isa.name(), Compute::cpu_with(isa, Precision::F32));
    let plain = ("plain", Compute::plain(Device::Cpu));
    Isa::available()
        .into_iter()
        .map(own)
        .chain([plain])
        .collect()
}

/// Every way to compute in bfloat16 on this machine: each instruction set, and the model of a tile unit.
pub fn bf16_ways() -> Vec<(&'static str, Compute)> {
    let own = |isa: Isa| (isa.name(), Compute::cpu_with(isa, Precision::Bf16));
    Isa::available()
        .into_iter()
        .chain([Isa::tile_model()])
        .map(own)
        .collect()
}

pub fn towers(checkpoint: &Path, config: &ModelConfig) -> (VisionTower, TextTower) {
    towers_by(&Compute::cpu(Precision::F32), checkpoint, config)
}

pub fn towers_by(
    compute: &Compute,
    checkpoint: &Path,
    config: &ModelConfig,
) -> (VisionTower, TextTower) {
    let checkpoint = open(checkpoint, config);
    let warn = &mut |warning| panic!("{warning}");
    let vision = loading::vision_tower(&checkpoint, config, compute, warn).unwrap();
    let text = loading::text_tower(&checkpoint, config, compute).unwrap();
    (vision, text)
}

pub fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// Relative error: the length of the difference over the length of what is expected.
pub fn relative_error(found: &Tensor, expected: &Tensor) -> f64 {
    assert_eq!(found.dims(), expected.dims());
    let square = |v: f64| v * v;
    let (found, expected) = (values(found), values(expected));
    let pairs = || {
        found
            .iter()
            .zip(&expected)
            .map(|(a, b)| (f64::from(*a), f64::from(*b)))
    };
    let difference: f64 = pairs().map(|(a, b)| square(a - b)).sum();
    let length: f64 = pairs().map(|(_, b)| square(b)).sum();
    (difference / length).sqrt()
}

/// Largest absolute difference.
pub fn largest_difference(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    found
        .iter()
        .zip(expected)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max)
}

/// What a run of the program ended in.
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
    shown: String,
}

/// Runs the program.
pub fn run<S: AsRef<std::ffi::OsStr>>(arguments: &[S]) -> Ran {
    run_with(arguments, &[])
}

/// Runs the program with environment variables.
pub fn run_with<S: AsRef<std::ffi::OsStr>>(arguments: &[S], variables: &[(&str, &str)]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_uta-eval"));
    command.args(arguments).envs(variables.iter().copied());
    Ran::of(command)
}

impl Ran {
    /// Runs a command.
    pub fn of(mut command: Command) -> Self {
        let Output {
            status,
            stdout,
            stderr,
        } = command.output().unwrap();
        let (stdout, stderr) = (
            String::from_utf8(stdout).unwrap(),
            String::from_utf8(stderr).unwrap(),
        );
        let shown = format!("{command:?}\n{status}\nstdout:\n{stdout}\nstderr:\n{stderr}");
        Self {
            code: status.code().unwrap_or(-1),
            stdout,
            stderr,
            shown,
        }
    }

    /// Checks the exit code, and that nothing ever panics.
    #[track_caller]
    pub fn ended_with(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}", self.shown);
        assert!(!self.stderr.contains("panicked"), "{}", self.shown);
        self
    }

    /// Checks that standard error has all of these texts, and standard output nothing.
    #[track_caller]
    pub fn said(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(
                self.stderr.contains(text),
                "no \"{text}\" in\n{}",
                self.shown
            );
        }
        assert_eq!(self.stdout, "", "{}", self.shown);
        self
    }

    /// Checks that standard error has all of these texts.
    #[track_caller]
    pub fn warned(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(
                self.stderr.contains(text),
                "no \"{text}\" in\n{}",
                self.shown
            );
        }
        self
    }

    /// Checks that standard output has all of these texts.
    #[track_caller]
    pub fn printed(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(
                self.stdout.contains(text),
                "no \"{text}\" in\n{}",
                self.shown
            );
        }
        self
    }
}

/// A folder that lives as long as the test.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file, with the folders it lies in.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// Copies a file, with the folders it lies in.
    pub fn copy(&self, from: &Path, name: &str) -> PathBuf {
        self.write(name, std::fs::read(from).unwrap())
    }

    /// Names in the folder, sorted.
    pub fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.path()).unwrap();
        let mut names: Vec<String> = entries
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

/// Arguments that evaluate the demo's checkpoint on a folder.
pub fn demo_on(pictures: &Path) -> Vec<String> {
    let checkpoint = demo("uta_demo.safetensors");
    [
        "--no-cache",
        "--model",
        "uta_demo",
        "--ckpt-path",
        checkpoint.to_str().unwrap(),
        "--imagenet-path",
    ]
    .map(Into::into)
    .into_iter()
    .chain([pictures.to_str().unwrap().to_string()])
    .collect()
}

/// `demo_on` with one template only, which is faster.
pub fn quick_demo_on(pictures: &Path, folder: &Folder) -> Vec<String> {
    let templates = folder.write("templates.txt", "a photo of a {}.\n");
    let mut arguments = demo_on(pictures);
    arguments.extend(["--templates".into(), templates.to_str().unwrap().into()]);
    arguments
}

/// The signals that end a run, as `kill` takes them. Those that this process began with ignored are left
/// out, as INT of a shell's background job is: the program leaves them ignored.
pub fn ending_signals() -> Vec<&'static str> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    let ignored = ignored.unwrap_or(0);
    let all = [(2, "-INT"), (15, "-TERM"), (1, "-HUP")];
    let heeded = all
        .iter()
        .filter(|(number, _)| ignored & 1 << (number - 1) == 0);
    heeded.map(|(_, name)| *name).collect()
}

/// The first of them, by which a test interrupts the program.
pub fn interrupt_signal() -> &'static str {
    ending_signals()[0]
}
