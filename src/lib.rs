//! Zero-shot ImageNet accuracy of UTA vision-language checkpoints.
//!
//! UTA (Unmasked Token Alignment, arXiv 2405.19009) aligns an EVA-02 vision transformer to a CLIP
//! text tower. This crate loads such a checkpoint, encodes the class names in 80 templates with
//! the text tower, encodes pictures with the vision tower, and counts how often the nearest class
//! is the right one.
//!
//! # The way of a picture
//!
//! `data` finds it and its label, and its workers read it; `picture` decodes, resizes and crops
//! it as Pillow does; batches of bytes go to `zero_shot`, which normalises them, runs the `model`
//! (on `kernels`, or candle's operations) and asks the `classifier`; `evaluation` counts,
//! `metrics` ranks, `report` tells.
//!
//! # Map
//!
//! From the bottom up; a module uses only those above it in this list.
//!
//! | module | what it is |
//! |---|---|
//! | [`vector`] | dot product, normalisation, softmax with a fixed order of operations |
//! | [`visible`] | file names and messages as text that a terminal only shows |
//! | [`temporary`] | files that appear whole or not at all |
//! | [`destination`] | where what is written to a path ends up |
//! | [`memory`] | how much of it the process took |
//! | [`budget`] | so much work at once as there is memory for |
//! | [`preprocessing`] | what a model expects of its pictures, as plain data |
//! | [`text`] | class names, templates, CLIP's tokenizer |
//! | [`picture`] | decoding, resizing, cropping: Pillow's pixels, byte for byte |
//! | [`kernels`] | matrix products, attention and normalisation for x86 CPUs, chosen at run time; `gpu` has those for GPUs |
//! | [`model`] | configurations and their dimensions, tensor names, both towers as one transformer, run by a `backend` |
//! | [`at_once`] | as many pictures at once as fit into a device's memory |
//! | [`lanes`] | several workers on one stream of items, in order |
//! | [`hub`] | checkpoints of the Hugging Face Hub, downloaded into its cache |
//! | [`checkpoint`] | safetensors and PyTorch files: opening, verifying, converting |
//! | [`classifier`] | one column for each class, from the trie of all prompts; its file and cache |
//! | [`interval`] | how sure a share is |
//! | [`metrics`] | ranking, counting, accuracy |
//! | [`statistics`] | classes, calibration, confusions, paired tests; from one small record a picture |
//! | [`shard`] | the part of a data set that one of several processes evaluates |
//! | [`data`] | where pictures and labels are (folders, label files, tar, WebDataset, Parquet), the sets and how they are judged, checks of them, and the pipeline that loads them |
//! | [`error`] | what can stop a command, what is worth a warning, exit codes |
//! | [`expectation`] | the accuracy that a result ought to have |
//! | [`interruption`] | what Ctrl-C does, and when |
//! | [`ranking`] | features and a classifier in, ranked classes out |
//! | [`evaluation`] | the loop over batches; knows neither models nor files |
//! | [`journal`] | what an evaluation found so far, for the one that goes on |
//! | [`loading`] | from a checkpoint to the towers |
//! | [`classifiers`] | getting a classifier: from a file, the cache, or by building it |
//! | [`zero_shot`] | towers and classifier as a predictor |
//! | [`report`] | results as data; text, JSON, HTML and prediction files; merging and comparing them |
//! | [`features`] | pictures' features in a file, with all that evaluating them again takes |
//! | [`trace`] | what each thread did, and when, as a Chrome trace |
//! | [`cli`] | the flags |
//! | [`devices`] | which devices compute, in which precision |
//! | [`sweep_file`] | a sweep's file as command lines |
//! | [`settings`] | validated settings made from flags |
//! | [`progress`] | bars, stages and warnings on standard error, as many as are wanted |
//! | [`commands`] | what each subcommand does |
//!
//! # Invariants
//!
//! - Only `commands`, `progress` and the binary print; `report::output` writes what they print.
//! - Disk access is in `checkpoint`, `data`, `temporary`, `destination`, `journal`,
//!   `report::output` and `read`, `features`, `classifier`'s `file` and `cache`, the commands'
//!   `sweep` and `listing` (a sweep's folder), and two functions of `text` and one of
//!   `model::config` that read small files named by flags. Only `hub` uses the network, for an
//!   address `hf://…`, and writes into its cache.
//! - `unsafe` code is in `kernels` only: vector instructions, threads that write to disjoint parts of
//!   one buffer, an option of the allocator, and launches on GPUs.
//! - A picture's result is the same bits for any batch size, place in the batch and number of
//!   threads: a kernel computes a row from nothing but that row and the weights. On processors
//!   without kernels, candle's operations get one picture at a time. (On GPUs the last bits may
//!   differ with the batch.)
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
