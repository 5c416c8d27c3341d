use serde::Deserialize;

use crate::checkpoints::derived::{missing_key, nested_module};
use crate::support::{Folder, demo, fixture, run};

fn ladybug() -> String {
    demo("imagenet/val/n02165456/n02165456_000.jpg")
        .to_str()
        .unwrap()
        .into()
}

fn zebra() -> String {
    demo("imagenet/val/n02391049/n02391049_000.jpg")
        .to_str()
        .unwrap()
        .into()
}

fn classify(more: &[&str]) -> Vec<String> {
    let checkpoint = demo("uta_demo.safetensors");
    [
        "classify",
        "--model",
        "uta_demo",
        "--ckpt-path",
        checkpoint.to_str().unwrap(),
    ]
    .iter()
    .chain(more)
    .map(ToString::to_string)
    .collect()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Classification {
    schema_version: u32,
    model: String,
    checkpoint: String,
    weights: Option<String>,
    pictures: Vec<Picture>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Picture {
    path: String,
    labels: Vec<Label>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Label {
    label: String,
    probability: f64,
    logit: f64,
}

#[test]
fn classify_prints_each_pictures_labels_best_first() {
    let ran = run(&classify(&[
        &ladybug(),
        &zebra(),
        "--labels",
        "a photo of a zebra, a photo of a ladybug",
    ]))
    .ended_with(0);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines.len(), 6, "{}", ran.stdout);
    assert_eq!((lines[0], lines[3]), (ladybug().as_str(), zebra().as_str()));
    assert!(
        lines[1].ends_with(" %  a photo of a ladybug"),
        "{}",
        ran.stdout
    );
    assert!(
        lines[4].ends_with(" %  a photo of a zebra"),
        "{}",
        ran.stdout
    );
}

#[test]
fn probabilities_are_the_softmax_of_the_logits_in_the_order_of_the_labels() {
    let labels = "ladybug,zebra,ladybug";
    let ran = run(&classify(&[&ladybug(), "--labels", labels, "--json", "-"])).ended_with(0);
    let found: Classification = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(
        (found.schema_version, found.model.as_str()),
        (4, "uta_demo")
    );
    assert!(found.checkpoint.ends_with("uta_demo.safetensors"));
    assert_eq!(found.weights, None);
    assert_eq!(found.pictures.len(), 1);
    assert_eq!(found.pictures[0].path, ladybug());
    let labels = &found.pictures[0].labels;
    assert_eq!(
        labels
            .iter()
            .map(|l| l.label.as_str())
            .collect::<Vec<_>>()
            .join(","),
        "ladybug,zebra,ladybug"
    );
    let sum: f64 = labels.iter().map(|l| l.logit.exp()).sum();
    for label in labels {
        assert!((label.probability - label.logit.exp() / sum).abs() < 1e-5);
    }
    assert_eq!(labels[0].logit.to_bits(), labels[2].logit.to_bits());
}

#[test]
fn classify_goes_on_behind_a_picture_that_cannot_be_read() {
    let folder = Folder::new();
    let bad = folder.write("bad.jpg", "x");
    let ran = run(&classify(&[
        bad.to_str().unwrap(),
        &zebra(),
        "--labels",
        "zebra",
    ]));
    let ran = ran.ended_with(6).printed(&["100.00 %  zebra"]);
    assert!(
        ran.stderr.contains("bad.jpg: it is no picture"),
        "{}",
        ran.stderr
    );
}

#[test]
fn an_empty_label_is_refused() {
    run(&classify(&[&zebra(), "--labels", "a zebra,,a dog"]))
        .ended_with(2)
        .said(&["--labels has an empty label", "single commas"]);
}

#[test]
fn labels_that_are_one_or_were_meant_to_be_several_are_told_of() {
    run(&classify(&[&zebra(), "--labels", "a zebra"]))
        .ended_with(0)
        .warned(&["there is one label", "--labels \"a dog,a cat\""]);
    for labels in ["a zebra;a dog", "a zebra; a dog,a cat"] {
        run(&classify(&[&zebra(), "--labels", labels]))
            .ended_with(0)
            .warned(&["has a semicolon", "--labels \"a zebra,a dog\""]);
    }
    let ran = run(&classify(&[&zebra(), "--labels", "a zebra,a dog"])).ended_with(0);
    assert_eq!(ran.stderr, "");
}

#[test]
fn inspect_tells_model_tensors_and_dtypes() {
    let checkpoint = demo("uta_demo.safetensors");
    run(&["inspect", checkpoint.to_str().unwrap()])
        .ended_with(0)
        .printed(&[
            "safetensors, 4201194 bytes",
            "116 tensors (116 f16), 2094913 values",
            "uta_demo: every key fits",
            "2 of 10 stored",
            "visual.blocks.{0..3}.mlp.w3.weight (4 keys): [96, 256] f16",
        ]);
}

#[test]
fn inspect_tells_nesting_prefix_and_what_a_named_model_misses() {
    let missing = missing_key();
    let checkpoint = &missing.path;
    let tiny = fixture("tiny.json");
    run(&["inspect", checkpoint.to_str().unwrap()])
        .ended_with(0)
        .printed(&["PyTorch zip", "under model", "none of the built-in ones"]);
    run(&[
        "inspect",
        checkpoint.to_str().unwrap(),
        "--model",
        tiny.to_str().unwrap(),
    ])
    .ended_with(4)
    .printed(&[
        "tiny: does not fit",
        "visual.blocks.1.mlp.w2.bias: expected [128]",
    ]);
    let nested = nested_module();
    run(&[
        "inspect",
        nested.path.to_str().unwrap(),
        "--model",
        tiny.to_str().unwrap(),
    ])
    .ended_with(0)
    .printed(&[
        "under state_dict",
        "begins with module.",
        "1 f32",
        "every key fits",
    ]);
}

#[test]
fn convert_flattens_and_never_overwrites() {
    let folder = Folder::new();
    let out = folder.join("out.safetensors");
    let input = nested_module();
    let arguments = |dtype: &str| {
        [
            "convert",
            input.path.to_str().unwrap(),
            out.to_str().unwrap(),
            "--dtype",
            dtype,
        ]
        .map(ToString::to_string)
    };
    run(&arguments("bf16")).ended_with(0).printed(&[
        "out.safetensors: ",
        " tensors, ",
        ", the weights under state_dict",
    ]);
    let tiny = fixture("tiny.json");
    run(&[
        "inspect",
        out.to_str().unwrap(),
        "--model",
        tiny.to_str().unwrap(),
    ])
    .ended_with(0)
    .printed(&["safetensors", " bf16)", "every key fits"]);
    let before = std::fs::read(&out).unwrap();
    run(&arguments("f32"))
        .ended_with(5)
        .said(&["out.safetensors exists already", "overwritten"]);
    assert!(std::fs::read(&out).unwrap() == before);
    assert_eq!(folder.names(), ["out.safetensors"]);
}

#[test]
fn convert_refuses_a_value_that_the_type_cannot_hold() {
    let folder = Folder::new();
    let data = [1.0f32, 1e6]
        .iter()
        .flat_map(|v| v.to_le_bytes())
        .collect::<Vec<u8>>();
    let view =
        safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![2], &data).unwrap();
    let file = safetensors::serialize([("big", view)], None).unwrap();
    let input = folder.write("in.safetensors", file);
    let out = folder.join("out.safetensors");
    run(&[
        "convert",
        input.to_str().unwrap(),
        out.to_str().unwrap(),
        "--dtype",
        "f16",
    ])
    .ended_with(4)
    .said(&[
        "tensor big",
        "cannot be stored as f16",
        "1000000",
        "bf16 or f32",
    ]);
    assert_eq!(folder.names(), ["in.safetensors"]);
}
