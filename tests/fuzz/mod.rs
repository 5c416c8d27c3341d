//! Seeded damage to pictures, checkpoints and archives.
//!
//! A short round belongs to every run of the tests. For a longer one by hand, `UTA_FUZZ_ROUNDS` says
//! how many faults each file gets:
//!
//! ```sh
//! UTA_FUZZ_ROUNDS=2000 cargo test --release --test tests fuzz -- --nocapture
//! ```

mod archives;
mod checkpoints;
mod mutations;
mod pictures;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// How many faults each file gets, unless the environment says otherwise.
fn rounds(usual: u64) -> u64 {
    let asked = std::env::var("UTA_FUZZ_ROUNDS").ok();
    asked.map_or(usual, |rounds| rounds.parse().unwrap())
}

/// The files of a folder of fixtures with some ending, by name.
fn files(folder: &str, endings: &[&str]) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(folder);
    let paths = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> = paths
        .filter(|path| {
            path.extension()
                .is_some_and(|e| endings.contains(&e.to_str().unwrap()))
        })
        .collect();
    paths.sort();
    let file = |path: PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap().to_string();
        (name, std::fs::read(path).unwrap())
    };
    paths.into_iter().map(file).collect()
}

/// Prints how many files ended in which way.
fn print(what: &str, counts: &BTreeMap<String, usize>) {
    println!("{what}:");
    for (way, count) in counts {
        println!("{count:8}  {way}");
    }
}
