//! The library of faults, and runs of the program with it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::support::{Folder, Ran, fixture, run_with};

/// The library, built once.
fn library() -> &'static Path {
    static BUILT: OnceLock<(Folder, PathBuf)> = OnceLock::new();
    let (_, library) = BUILT.get_or_init(|| {
        let folder = Folder::new();
        let library = folder.join("libfaults.so");
        let compiler = std::env::var("RUSTC").unwrap_or("rustc".into());
        let built = Command::new(compiler)
            .args([
                "--edition=2024",
                "--crate-type=cdylib",
                "-Copt-level=1",
                "-o",
            ])
            .args([&library, &fixture("faults.rs")])
            .output()
            .unwrap();
        assert!(built.status.success(), "{built:?}");
        (folder, library)
    });
    library
}

/// The variable that loads the library.
pub fn preload() -> (&'static str, &'static str) {
    ("LD_PRELOAD", library().to_str().unwrap())
}

/// Runs the program with faults, as `tests/fixtures/faults.rs` names them.
pub fn run_with_faults<S: AsRef<OsStr>>(arguments: &[S], faults: &[(&str, &str)]) -> Ran {
    run_with(arguments, &[&[preload()], faults].concat())
}

/// As [`run_with_faults`], to be started by the test.
pub fn command_with_faults<S: AsRef<OsStr>>(arguments: &[S], faults: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_uta-eval"));
    command.args(arguments).env("LD_PRELOAD", library());
    command.envs(faults.iter().copied());
    command
}
