use serde::Deserialize;

use crate::support::{Folder, json, largest_difference, run};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    images: usize,
    classes_scored: usize,
    top1_correct: usize,
    top5_correct: usize,
    predictions: Vec<Picture>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Picture {
    file: String,
    label: usize,
    top5: Vec<usize>,
    logits: Vec<f32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    path: String,
    label: usize,
    top5: Vec<usize>,
    logits: Vec<f32>,
}

#[test]
fn the_demo_ends_in_the_references_counts_and_every_top_five_is_the_references() {
    let expected: Expected = json("demo/expected.json");
    assert_eq!((expected.images, expected.classes_scored), (220, 1000));
    assert_eq!((expected.top1_correct, expected.top5_correct), (215, 220));

    let folder = Folder::new();
    let predictions = folder.join("demo.jsonl");
    run(&["demo", "--predictions", predictions.to_str().unwrap()])
        .ended_with(0)
        .printed(&[
            "97.73 %  (215/220)",
            "100.00 %  (220/220)",
            "ranked among 1000",
        ]);

    let lines = std::fs::read_to_string(predictions).unwrap();
    let lines: Vec<Line> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), expected.predictions.len());
    for (line, expected) in lines.iter().zip(&expected.predictions) {
        assert!(
            line.path.ends_with(&expected.file),
            "{} is not {}",
            line.path,
            expected.file
        );
        assert_eq!(line.label, expected.label, "{}", expected.file);
        assert_eq!(line.top5, expected.top5, "{}", expected.file);
        // The expected logits are printed with four decimals.
        let difference = largest_difference(&line.logits, &expected.logits);
        assert!(
            difference <= 1e-3,
            "{} differs by {difference}",
            expected.file
        );
    }
}

#[test]
fn the_demo_leaves_nothing_behind() {
    let folder = Folder::new();
    crate::support::run_with(&["demo"], &[("TMPDIR", folder.path().to_str().unwrap())])
        .ended_with(0);
    assert_eq!(folder.names(), Vec::<String>::new());
}
