//! Compiles the GPU kernels, when the program is built with the feature `cuda`.

#![allow(clippy::expect_used)]

use std::env;
use std::path::PathBuf;
use std::process::Command;

const FOLDER: &str = "src/kernels/gpu";
/// GPUs that there is code for: the oldest with all that the kernels use, and those of data centres. The
/// driver compiles the first one's PTX for newer ones.
const CAPABILITIES: [&str; 2] = ["80", "90"];

fn main() {
    for file in [
        "attention.h",
        "build.rs",
        "forest.h",
        "kernels.cu",
        "portable.h",
        "rows.h",
        "sums.h",
    ] {
        println!("cargo::rerun-if-changed={FOLDER}/{file}");
    }
    if env::var_os("CARGO_FEATURE_CUDA").is_none() {
        return;
    }
    for variable in ["NVCC", "CUDA_HOME", "CUDA_PATH", "CUDA_COMPUTE_CAP"] {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    let out =
        PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("kernels.fatbin");
    let capabilities = match env::var("CUDA_COMPUTE_CAP") {
        Ok(capability) => vec![capability.replace('.', "")],
        Err(_) => CAPABILITIES.map(String::from).to_vec(),
    };
    let nvcc = nvcc();
    let result = Command::new(&nvcc)
        .args(["-fatbin", "-O3", "-std=c++17"])
        .args(capabilities.iter().enumerate().map(|(i, of)| {
            let ptx = if i == 0 {
                format!(",compute_{of}")
            } else {
                String::new()
            };
            format!("-gencode=arch=compute_{of},code=[sm_{of}{ptx}]")
        }))
        .arg("-o")
        .arg(&out)
        .arg(format!("{FOLDER}/kernels.cu"))
        .output();
    let advice = "the feature `cuda` needs nvcc: put it on the PATH, or name it in NVCC, or its toolkit in CUDA_HOME";
    match result {
        Ok(output) if output.status.success() => {}
        Ok(output) => panic!(
            "{} failed on the kernels:\n{}",
            nvcc.display(),
            String::from_utf8_lossy(&output.stderr)
        ),
        Err(e) => panic!("{} cannot be run: {e}; {advice}", nvcc.display()),
    }
}

fn nvcc() -> PathBuf {
    if let Some(nvcc) = env::var_os("NVCC") {
        return nvcc.into();
    }
    ["CUDA_HOME", "CUDA_PATH"]
        .into_iter()
        .filter_map(env::var_os)
        .map(|home| PathBuf::from(home).join("bin/nvcc"))
        .find(|nvcc| nvcc.exists())
        .unwrap_or_else(|| "nvcc".into())
}
