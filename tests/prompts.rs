use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use uta_eval::classifier::{Classifier, file};

use crate::support::{Folder, Ran, demo, quick_demo_on, run};

/// Names of the classes.
const NAMES: [&str; 3] = ["ladybug", "zebra", "flagpole"];

/// Runs `uta-eval classifier` on the demo's text tower.
fn build(folder: &Folder, out: &str, more: &[&str]) -> Ran {
    let names = folder.write("names.txt", NAMES.join("\n") + "\n");
    let (checkpoint, out) = (demo("uta_demo.safetensors"), folder.join(out));
    let mut arguments = vec!["classifier", "--no-cache", "--model", "uta_demo"];
    arguments.extend(["--ckpt-path", checkpoint.to_str().unwrap()]);
    arguments.extend(["--out", out.to_str().unwrap()]);
    if !more.contains(&"--classnames") {
        arguments.extend(["--classnames", names.to_str().unwrap()]);
    }
    arguments.extend(more);
    run(&arguments)
}

fn read(folder: &Folder, name: &str) -> Classifier {
    file::read(&folder.join(name)).unwrap().0
}

/// The unit vectors of texts, each as a class of its own.
fn features(folder: &Folder, texts: &[&str]) -> Vec<Vec<f32>> {
    let names = folder.write("texts.txt", texts.join("\n") + "\n");
    let verbatim = folder.write("verbatim.txt", "{}\n");
    let more = [
        "--classnames",
        names.to_str().unwrap(),
        "--templates",
        verbatim.to_str().unwrap(),
    ];
    build(folder, "texts.safetensors", &more).ended_with(0);
    let classifier = read(folder, "texts.safetensors");
    std::fs::remove_file(folder.join("texts.safetensors")).unwrap();
    let column = |class: usize| classifier.column(class).to_vec();
    (0..texts.len()).map(column).collect()
}

/// The weighted sum of vectors at unit length.
fn mean(vectors: &[(f64, &[f32])]) -> Vec<f64> {
    let mut sum = vec![0.0; vectors[0].1.len()];
    for (weight, vector) in vectors {
        let parts = sum.iter_mut().zip(*vector);
        parts.for_each(|(sum, value)| *sum += weight * f64::from(*value));
    }
    let length = sum.iter().map(|v| v * v).sum::<f64>().sqrt();
    sum.iter().map(|v| v / length).collect()
}

#[track_caller]
fn assert_near(found: &[f32], expected: &[f64]) {
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            (f64::from(*found) - expected).abs() < 2e-6,
            "{found} {expected}"
        );
    }
}

fn own_prompts(folder: &Folder) -> PathBuf {
    let own = json!({
        "zebra": ["a striped horse", "black and white stripes", "a zebra on grass"],
        "ladybug": ["a red beetle with dots"],
        "flagpole": ["a tall pole", "a flag in the wind"],
    });
    folder.write("own.json", own.to_string())
}

#[test]
fn a_class_is_the_mean_of_its_own_prompts_however_many_there_are() {
    let folder = Folder::new();
    let own = own_prompts(&folder);
    build(
        &folder,
        "own.safetensors",
        &["--templates", own.to_str().unwrap()],
    )
    .ended_with(0)
    .printed(&["3 classes of their own prompts"]);
    let found = read(&folder, "own.safetensors");
    let texts = features(
        &folder,
        &[
            "a red beetle with dots",
            "a striped horse",
            "black and white stripes",
            "a zebra on grass",
            "a tall pole",
            "a flag in the wind",
        ],
    );
    let all = |range: std::ops::Range<usize>| -> Vec<(f64, &[f32])> {
        texts[range]
            .iter()
            .map(|text| (1.0, text.as_slice()))
            .collect()
    };
    assert_near(found.column(0), &mean(&all(0..1)));
    assert_near(found.column(1), &mean(&all(1..4)));
    assert_near(found.column(2), &mean(&all(4..6)));
}

#[test]
fn several_lists_are_averaged_by_their_weights() {
    let folder = Folder::new();
    let own = own_prompts(&folder);
    let own = own.to_str().unwrap();
    let photos = folder.write("photos.txt", "a photo of a {}.\na photo of many {c}.\n");
    let photos = photos.to_str().unwrap();
    build(&folder, "own.safetensors", &["--templates", own]).ended_with(0);
    build(&folder, "photos.safetensors", &["--templates", photos]).ended_with(0);
    let (of_own, of_photos) = (
        read(&folder, "own.safetensors"),
        read(&folder, "photos.safetensors"),
    );
    for (name, weights, numbers) in [
        ("equal", None, [1.0, 1.0]),
        ("weighed", Some("0.25,3"), [0.25, 3.0]),
        ("one", Some("0,1"), [0.0, 1.0]),
    ] {
        let mut more = vec!["--templates", own, "--templates", photos];
        more.extend(
            weights
                .iter()
                .flat_map(|weights| ["--template-weights", weights]),
        );
        let out = format!("{name}.safetensors");
        build(&folder, &out, &more).ended_with(0);
        let found = read(&folder, &out);
        for class in 0..NAMES.len() {
            let lists = [
                (numbers[0], of_own.column(class)),
                (numbers[1], of_photos.column(class)),
            ];
            assert_near(found.column(class), &mean(&lists));
        }
    }
}

#[test]
fn the_result_names_the_lists_and_the_names() {
    let folder = Folder::new();
    let picture = demo("imagenet/val/n02165456/n02165456_000.jpg");
    folder.copy(&picture, "val/n02165456/a.jpg");
    let template = folder.write("one.txt", "a photo of a {c}.\n");
    let more = folder.write("more.txt", "a drawing of a {}.\n");
    let result = |more: &[&str]| -> Value {
        let mut arguments = quick_demo_on(&folder.join("val"), &folder);
        arguments.truncate(arguments.len() - 2); // without its templates
        arguments.extend(more.iter().map(ToString::to_string));
        arguments.extend(["--json".into(), "-".into()]);
        serde_json::from_str(&run(&arguments).ended_with(0).stdout).unwrap()
    };
    let (template, more) = (template.to_str().unwrap(), more.to_str().unwrap());
    let plain = result(&["--templates", template]);
    let named = folder.write("templates.txt", "a photo of a {}.\n");
    let braces = result(&["--templates", named.to_str().unwrap()]);
    assert_eq!(plain["classifier"]["key"], braces["classifier"]["key"]);
    assert_eq!(plain["tied_classes"], json!([[657, 744], [836, 837]]));
    assert_eq!(plain["prompts"]["classnames"], "built-in");

    let both = result(&[
        "--templates",
        template,
        "--templates",
        more,
        "--template-weights",
        "2,0.5",
        "--classnames",
        "distinct",
    ]);
    let prompts = &both["prompts"];
    assert_eq!(prompts["templates"], 2);
    let lists = json!([
        { "file": template, "weight": 2.0 },
        { "file": more, "weight": 0.5 },
    ]);
    assert_eq!(prompts["lists"], lists);
    assert_eq!(prompts["classnames"], "distinct");
    assert_eq!(prompts["classnames_file"], Value::Null);
    assert_eq!(both["tied_classes"], json!([]));
    assert_ne!(both["classifier"]["key"], plain["classifier"]["key"]);
}

#[test]
fn lists_that_do_not_fit_are_refused_before_anything_is_read() {
    let folder = Folder::new();
    let own = own_prompts(&folder);
    let own = own.to_str().unwrap();
    let damaged = folder.write("damaged.json", r#"{"zebra": "a zebra"}"#);
    let damaged = damaged.to_str().unwrap();
    let names = folder.write("other.txt", "ladybug\nzebra\nlion\n");
    for (more, texts) in [
        (
            &["--templates", own, "--classnames", names.to_str().unwrap()][..],
            &["1 of 3 classes have no prompts (lion)", "WordNet ids"][..],
        ),
        (
            &["--templates", damaged],
            &["\"zebra\" has no list of texts"],
        ),
        (
            &["--templates", own, "--template-weights", "1,2"],
            &["has 2 numbers for 1 --templates"],
        ),
        (
            &["--templates", own, "--template-weights", "-1"],
            &["numbers from 0"],
        ),
        (
            &["--templates", own, "--template-weights", "0"],
            &["numbers from 0"],
        ),
        (&["--template-weights", "1"], &["--templates"]),
    ] {
        build(&folder, "out.safetensors", more)
            .ended_with(2)
            .said(texts);
    }
    assert!(!Path::new(&folder.join("out.safetensors")).exists());
}
