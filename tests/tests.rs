//! All integration tests, in one binary: linked once, run in parallel.
#![allow(clippy::unwrap_used, clippy::expect_used)]

/// Fixtures, temporary folders, and running the program.
mod support;

/// Which room uses which, who prints, where `unsafe` is.
mod architecture;

/// Both towers, the classifier and logits against the reference's numbers.
mod golden;

/// Models of every family against the numbers of the families' own code.
mod families;

/// The GPU's kernels and towers on an emulated GPU, and what surrounds them.
mod gpu;

/// Preprocessing against Pillow, byte for byte.
mod pictures;

/// Seeded damage to pictures, checkpoints and archives.
mod fuzz;

/// Class names, templates and the tokenizer against the reference's ids and hostile files.
mod texts;

/// The trie classifier against encoding each prompt alone.
mod classifier;

/// Classifiers that are kept, saved, damaged and interrupted.
mod cache;

/// The demo, picture by picture.
mod demo;

/// The main job from outside: results, outputs, reproducibility.
mod evaluation;

/// Links, devices, equal names, kills: where results go.
mod outputs;

/// Many checkpoints at once.
mod sweep;

/// Prompts of each class, several lists with weights, names told apart.
mod prompts;

/// Merged, compared, expected and described results.
mod results;
/// Evaluations that are killed and go on.
mod resume;

/// Intervals, tests and calibration against scipy, statsmodels and numpy.
mod statistics;

/// Folder layouts, right and wrong.
mod folders;

/// Data sets beside ImageNet, other labels, other classes.
mod sets;

/// `models`.
mod models;

/// `data check`.
mod data_check;

/// Opening, checking and converting checkpoints.
mod checkpoints;

/// `classify`, `inspect` and `convert`.
mod commands;

/// Bad input: every message and exit code.
mod errors;

/// The same pictures from folders, flat folders with labels, and archives.
mod sources;

/// All data sets of a paper's row in one run.
mod suite;

/// Faults of the system, where a test wants them.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod faults;

/// Disks that fail for a while, pictures that change, clocks that stand still.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod passing;

/// Names with any bytes in documents and in text for people.
#[cfg(target_os = "linux")]
mod names;

/// Logs that cannot be written, full disks, signals: what befalls a run.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod environment;

/// Completions, the manual page, and how much is said on standard error.
mod habits;

/// Features that are kept and evaluated again.
mod features;

/// What each thread did, and when.
mod trace;

/// A checkpoint with weights and their moving average: which is evaluated is said everywhere.
mod average;

/// Downloads from a server with faults.
mod hub;

/// The Hub's variables and certificates, as its Python tools treat them.
mod trust;

/// Which model a run has, and what decided it.
mod choice;
/// The README and the guides: their commands, examples, links and flags.
mod guide;
