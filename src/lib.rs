//! Zero-shot ImageNet accuracy of CLIP-like vision-language checkpoints.
//!
//! A CLIP model has two towers, which encode pictures and texts into one space. This crate loads a
//! checkpoint, encodes the class names in 80 templates with the text tower, encodes pictures with the
//! vision tower, and counts how often the nearest class is the right one.
//!
//! # Rooms
//!
//! From the ground up. A room uses those above it in this table and none below; a test reads every
//! `use` and fails otherwise (`tests/architecture.rs`).
//!
//! | room | what it holds |
//! |---|---|
//! | [`util`] | arithmetic on vectors, work in order on several threads, files that appear whole, text for terminals |
//! | [`text`] | class names, templates, CLIP's tokenizer |
//! | [`picture`] | decoding, resizing, cropping: Pillow's pixels, byte for byte |
//! | [`kernels`] | matrix products, attention and normalisation for CPUs, chosen at run time, and for GPUs |
//! | [`model`] | configurations, layouts of names, the transformer of both towers, and the backends that compute it |
//! | [`checkpoint`] | safetensors and PyTorch files, and the Hugging Face Hub; knows tensors, not models |
//! | [`metrics`] | ranking, counting, intervals, calibration, paired tests, expectations |
//! | [`classifier`] | one column for each class, from the trie of all prompts; its file and cache |
//! | [`data`] | where pictures and labels are, the data sets and how they are judged, and the loader |
//! | [`evaluation`] | the loop over batches, the journal of what it found, shards |
//! | [`inference`] | devices; from a checkpoint to towers and a classifier that predict |
//! | [`report`] | results as data, and every form they are written in |
//! | [`app`] | flags, settings, commands, errors with their exit codes; all that is printed |
//!
//! # Three walks
//!
//! **A picture, from its path to its rank.** `data` finds it and its label, as a `Sample`. A thread of
//! `data::loader` reads its bytes, and `picture::Preprocessor` decodes, resizes and crops them.
//! `evaluation::evaluate` hands the batch of crops to a `Predictor`, which is
//! `inference::zero_shot::ZeroShot`. It gives them to `model::VisionTower`, whose transformer runs on a
//! `model::backend::Backend`, and gets features. `classifier::ranker::Ranker` multiplies them by the
//! classifier's columns and ranks the classes. The `Evaluator` counts the rank, and `report` tells.
//!
//! **`--precision`, from the flag to the kernel.** `app::flags` reads it, `app::settings` turns it into
//! a `PrecisionChoice`, and `inference::devices` into the backend of a `model::Compute`: a
//! `kernels::Precision` on a CPU, a `GpuPrecision` on a GPU. The backend's `linear` packs each weight
//! for that precision, once. The packed form decides which tile of `kernels::cpu` multiplies it.
//!
//! **A tensor, from the file to packed weights.** `checkpoint::Checkpoint` reads the file's header.
//! `model::layouts` recognises whose names the tensors have; `inference::loading` compares all of them
//! with those that the configuration asks for. The tower asks for its tensor by the canonical name;
//! `inference::weights` finds its place in the file, reads it as f32 and refuses values that are not
//! finite. The backend packs it, and the f32 copy is dropped.
//!
//! # Invariants
//!
//! A test holds each of the first four.
//!
//! - Only `app` and the binary print; `util::output_file` writes results.
//! - `unsafe` code is in `kernels` only, and each file that has some gives the reason.
//! - Only `checkpoint::hub` uses the network, for an address `hf://…` or a published model's name.
//! - Only `app` knows the flags.
//! - A picture's result is the same bits for any batch size, place in the batch and number of
//!   threads: a kernel computes a row from nothing but that row and the weights. (On GPUs the last
//!   bits may differ with the batch.)
//! - Nothing that can fail early fails late: inputs are checked and outputs opened before weights
//!   are read.
//! - Counts and sums are integers; a fraction is formed once, at the end, and never of an empty
//!   set. So the results of shards add up to the whole's, bit for bit.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod app;
pub mod checkpoint;
pub mod classifier;
pub mod data;
pub mod evaluation;
pub mod inference;
pub mod kernels;
pub mod metrics;
pub mod model;
pub mod picture;
pub mod report;
pub mod text;
pub mod util;
