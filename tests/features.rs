use std::path::{Path, PathBuf};

use serde_json::Value;
use uta_eval::text::imagenet::wnids;

use crate::support::{Folder, Ran, demo, quick_demo_on, run};

const LADYBUG: usize = 301;

/// What a run left behind.
struct Made {
    json: Value,
    predictions: String,
}

fn path(path: &Path) -> String {
    path.to_str().unwrap().into()
}

/// Runs with these arguments, and reads the results, `name` being part of their names.
fn made(folder: &Folder, name: &str, arguments: Vec<String>, code: i32) -> Made {
    let json = folder.join(&format!("{name}.json"));
    let predictions = folder.join(&format!("{name}.jsonl"));
    let mut arguments = arguments;
    arguments.extend(["--json".into(), path(&json)]);
    arguments.extend(["--predictions".into(), path(&predictions)]);
    run(&arguments).ended_with(code);
    Made {
        json: serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap(),
        predictions: std::fs::read_to_string(&predictions).unwrap(),
    }
}

/// Evaluates pictures and keeps their features.
fn kept(folder: &Folder, pictures: &Path, more: &[&str], code: i32) -> (Made, PathBuf) {
    let features = folder.join("features.safetensors");
    let mut arguments = quick_demo_on(pictures, folder);
    arguments.extend(more.iter().map(ToString::to_string));
    arguments.extend(["--save-features".into(), path(&features)]);
    (made(folder, "first", arguments, code), features)
}

fn from(features: &Path, more: &[&str]) -> Vec<String> {
    let mut arguments = vec!["--from-features".to_string(), path(features)];
    arguments.extend(more.iter().map(ToString::to_string));
    arguments
}

/// Checks that two results differ in nothing but times, memory, and where it all came from.
#[track_caller]
fn assert_same(first: &Made, again: &Made, features: &Path) {
    assert_eq!(first.predictions, again.predictions);
    let facts = |made: &Made| {
        let mut json = made.json.clone();
        let object = json.as_object_mut().unwrap();
        for field in [
            "seconds",
            "pictures_per_second",
            "provenance",
            "peak_memory_bytes",
            "features_file",
        ] {
            assert!(object.remove(field).is_some(), "{field}");
        }
        for field in ["origin", "path"] {
            let classifier = object["classifier"].as_object_mut().unwrap();
            assert!(classifier.remove(field).is_some());
        }
        json
    };
    assert_eq!(facts(first), facts(again));
    assert_eq!(first.json["features_file"], Value::Null);
    assert_eq!(again.json["features_file"], path(features));
    assert_eq!(again.json["classifier"]["path"], path(features));
    assert!(first.json["top1"]["total"].as_u64().unwrap() > 0);
}

#[test]
fn features_give_the_result_again_bit_for_bit_without_model_and_pictures() {
    let folder = Folder::new();
    // A copy that can go away, with a picture that cannot be read.
    for class in [LADYBUG, 340] {
        for number in 0..6 {
            let name = format!("{0}/{0}_00{number}.jpg", wnids()[class]);
            folder.copy(
                &demo(&format!("imagenet/val/{name}")),
                &format!("set/val/{name}"),
            );
        }
    }
    folder.write("set/val/n02165456/broken.jpg", "no picture");
    let pictures = folder.join("set");
    let (first, features) = kept(&folder, &pictures, &["--batch-size", "5"], 6);
    assert_eq!(first.json["top1"]["total"], 12);
    std::fs::remove_dir_all(&pictures).unwrap();

    let again = made(&folder, "again", from(&features, &[]), 6);
    assert_same(&first, &again, &features);

    // The page does without thumbnails then.
    let html = folder.join("report.html");
    run(&from(&features, &["--report", html.to_str().unwrap()]))
        .ended_with(6)
        .printed(&["top-1", &format!("features     {}", path(&features))]);
    assert!(std::fs::read_to_string(&html).unwrap().contains("</html>"));

    let expected = ["--expect-top1", "1"];
    run(&from(&features, &expected))
        .ended_with(1)
        .warned(&["top-1"]);
}

#[test]
fn subsets_of_classes_and_several_right_ones_are_kept_too() {
    let folder = Folder::new();
    let ladybug = |number: usize| {
        let wnid = wnids()[LADYBUG];
        demo(&format!("imagenet/val/{wnid}/{wnid}_00{number}.jpg"))
    };
    // ReaL: class 301; 301 and 310; 340.
    for (place, number) in [510, 12102, 2070].into_iter().enumerate() {
        let name = format!("real/val/n02165456/ILSVRC2012_val_{number:08}.JPEG");
        folder.copy(&ladybug(place), &name);
    }
    let (first, features) = kept(&folder, &folder.join("real"), &["--labels", "real"], 0);
    assert!(first.predictions.contains("[301,310]"));
    let again = made(&folder, "again", from(&features, &[]), 0);
    assert_same(&first, &again, &features);

    for number in 0..3 {
        let name = format!("a/n02165456/{number}.jpg");
        folder.copy(&ladybug(number), &name);
    }
    let (first, features) = kept(&folder, &folder.join("a"), &["--dataset", "imagenet-a"], 0);
    assert_eq!(first.json["data"]["classes"], 200);
    let again = made(&folder, "again", from(&features, &[]), 0);
    assert_same(&first, &again, &features);
}

#[test]
fn features_of_shards_give_results_that_merge_to_the_whole() {
    let folder = Folder::new();
    let limit = ["--limit", "30"];
    let (whole, _) = kept(&folder, &demo("imagenet"), &limit, 0);
    let mut merge = vec!["merge".to_string(), "--json".into(), "-".into()];
    for shard in ["1/2", "2/2"] {
        let more = ["--limit", "30", "--shard", shard];
        let (_, features) = kept(&folder, &demo("imagenet"), &more, 0);
        let name = shard.replace('/', "-of-");
        made(&folder, &name, from(&features, &[]), 0);
        merge.push(path(&folder.join(&format!("{name}.json"))));
    }
    let merged: Value = serde_json::from_str(&run(&merge).ended_with(0).stdout).unwrap();
    for field in ["top1", "top5", "calibration", "per_class", "judgements"] {
        assert_eq!(merged[field], whole.json[field], "{field}");
    }
}

#[test]
fn features_are_a_safetensors_file_that_other_tools_read() {
    let folder = Folder::new();
    let (first, features) = kept(&folder, &demo("imagenet"), &["--limit", "7"], 0);
    let bytes = std::fs::read(&features).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let shape = |name: &str| tensors.tensor(name).unwrap().shape().to_vec();
    let embedding = shape("features")[1];
    assert_eq!(shape("features"), [7, embedding]);
    assert_eq!(shape("labels"), [7]);
    assert_eq!(shape("classifier"), [1000, embedding]);
    let labels = tensors.tensor("labels").unwrap();
    let labels: Vec<i64> = labels
        .data()
        .chunks_exact(8)
        .map(|b| i64::from_le_bytes(b.try_into().unwrap()))
        .collect();
    let judged: Vec<i64> = first.json["judgements"]
        .as_array()
        .unwrap()
        .iter()
        .map(|judgement| judgement[1].as_i64().unwrap())
        .collect();
    assert_eq!(labels, judged);

    // The logits of the file's own numbers are those of the predictions.
    let floats = |name: &str| -> Vec<f32> {
        let tensor = tensors.tensor(name).unwrap();
        let value = |b: &[u8]| f32::from_le_bytes(b.try_into().unwrap());
        tensor.data().chunks_exact(4).map(value).collect()
    };
    let (features, classifier) = (floats("features"), floats("classifier"));
    let lines = first.predictions.lines();
    for (line, features) in lines.zip(features.chunks_exact(embedding)) {
        let line: Value = serde_json::from_str(line).unwrap();
        let best = line["top5"][0].as_u64().unwrap() as usize;
        let column = &classifier[best * embedding..][..embedding];
        let product =
            |a: &[f32], b: &[f32]| -> f64 { a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum() };
        let logit = 100.0 * product(features, column) / product(features, features).sqrt();
        assert!((logit - line["logits"][0].as_f64().unwrap()).abs() < 1e-3);
    }
}

#[test]
fn another_classifier_of_the_same_checkpoint_evaluates_other_prompts() {
    let folder = Folder::new();
    let limit = ["--limit", "40"];
    let (first, features) = kept(&folder, &demo("imagenet"), &limit, 0);
    let templates = folder.write("others.txt", "a drawing of a {}.\n");
    let classifier = |name: &str, more: &[&str]| {
        let out = folder.join(name);
        let checkpoint = demo("uta_demo.safetensors");
        let mut arguments = vec![
            "classifier",
            "--no-cache",
            "--model",
            "uta_demo",
            "--ckpt-path",
        ];
        arguments.extend([checkpoint.to_str().unwrap(), "--out", out.to_str().unwrap()]);
        arguments.extend(more);
        run(&arguments).ended_with(0);
        path(&out)
    };
    let templates = ["--templates", templates.to_str().unwrap()];
    let drawings = classifier("drawings.safetensors", &templates);

    // As if the pictures were evaluated with it.
    let mut arguments = quick_demo_on(&demo("imagenet"), &folder);
    arguments.truncate(arguments.len() - 2); // without its templates
    arguments.retain(|argument| argument != "--no-cache");
    arguments.extend(limit.map(Into::into));
    arguments.extend(["--classifier".into(), drawings.clone()]);
    let expected = made(&folder, "expected", arguments, 0);
    let again = from(&features, &["--classifier", &drawings]);
    let again = made(&folder, "again", again, 0);
    assert_eq!(again.predictions, expected.predictions);
    assert_ne!(again.predictions, first.predictions);
    for field in [
        "top1",
        "top5",
        "calibration",
        "prompts",
        "classifier",
        "judgements",
    ] {
        assert_eq!(again.json[field], expected.json[field], "{field}");
    }

    // Other names need the classifier that was made of them.
    let others: String = (0..1000).map(|class| format!("thing {class}\n")).collect();
    let others = path(&folder.write("names.txt", others));
    run(&from(&features, &["--classnames", &others]))
        .ended_with(2)
        .said(&["need the classifier", "--classifier"]);
    let [flag, file] = templates;
    let things = classifier("things.safetensors", &[flag, file, "--classnames", &others]);
    run(&from(&features, &["--classifier", &things]))
        .ended_with(2)
        .said(&["things.safetensors", "other class names"]);
    let both = from(
        &features,
        &["--classifier", &things, "--classnames", &others],
    );
    let again = made(&folder, "things", both, 0);
    let name = again.json["per_class"][0]["name"].as_str().unwrap();
    assert!(name.starts_with("thing "), "{name}");

    let few = path(&folder.write("few.txt", "a\nb\n"));
    run(&from(
        &features,
        &["--classifier", &things, "--classnames", &few],
    ))
    .ended_with(2)
    .said(&["few.txt lists 2 classes", "1000"]);
    let moved: String = (0..1000)
        .map(|class| format!("folder{class}\tx\n"))
        .collect();
    let moved = path(&folder.write("moved.txt", moved));
    run(&from(
        &features,
        &["--classifier", &things, "--classnames", &moved],
    ))
    .ended_with(2)
    .said(&["moved.txt lists other folders"]);
}

#[test]
fn flags_that_features_have_decided_are_refused() {
    let folder = Folder::new();
    let file = path(&folder.join("features.safetensors"));
    for more in [
        ["--imagenet-path", "x"],
        ["--ckpt-path", "x"],
        ["--model", "uta_demo"],
        ["--templates", "x"],
        ["--limit", "3"],
        ["--precision", "bf16"],
        ["--resume", "x"],
        ["--save-features", "x"],
    ] {
        run(&from(Path::new(&file), &more))
            .ended_with(2)
            .said(&["--from-features", more[0]]);
    }
    let evaluate = |more: &[&str]| {
        let mut arguments = quick_demo_on(&demo("imagenet"), &folder);
        arguments.extend(more.iter().map(ToString::to_string));
        run(&arguments)
    };
    evaluate(&["--save-features", &file, "--resume", "x"])
        .ended_with(2)
        .said(&["--resume or --save-features"]);
    let checkpoint = path(&demo("uta_demo.safetensors"));
    let several = ["--ckpt-path", &checkpoint, "--save-features", &file];
    evaluate(&several)
        .ended_with(2)
        .said(&["--save-features is for the result of one checkpoint"]);
    evaluate(&["--save-features", &file, "--json", &file])
        .ended_with(2)
        .said(&["both name"]);
    evaluate(&["--save-features", "/nowhere/features.safetensors"])
        .ended_with(5)
        .said(&["/nowhere/features.safetensors"]);
    #[cfg(unix)]
    evaluate(&["--save-features", "/dev/null"])
        .ended_with(5)
        .said(&["/dev/null", "no regular file"]);
    assert_eq!(folder.names(), ["templates.txt"]);
}

#[test]
fn files_that_hold_no_features_and_damaged_ones_are_told_apart() {
    let folder = Folder::new();
    let (_, features) = kept(&folder, &demo("imagenet"), &["--limit", "3"], 0);
    let whole = std::fs::read(&features).unwrap();
    let refused = |bytes: &[u8], texts: &[&str]| -> Ran {
        let file = folder.write("bad.safetensors", bytes);
        let arguments = from(&file, &[]);
        let ran = run(&arguments).ended_with(2);
        assert!(!ran.stdout.contains("top-1"));
        ran.said(texts)
    };
    run(&from(&folder.join("none.safetensors"), &[]))
        .ended_with(2)
        .said(&["none.safetensors", "cannot be read", "--from-features"]);
    run(&from(folder.path(), &[]))
        .ended_with(2)
        .said(&["no regular file"]);
    refused(b"", &["no safetensors file", "--save-features"]);
    refused(&[255; 100], &["no safetensors file"]);
    refused(
        &std::fs::read(demo("uta_demo.safetensors")).unwrap(),
        &["not written by --save-features"],
    );
    for length in [4, 100, 4090, 4100, whole.len() / 2, whole.len() - 1] {
        refused(&whole[..length], &["bad.safetensors", "hint: "]);
    }
    // Any bit behind the header.
    for place in (4096..whole.len()).step_by(whole.len() / 40) {
        let mut bytes = whole.clone();
        bytes[place] ^= 4;
        refused(&bytes, &["damaged", "make them again"]);
    }
}

#[test]
fn equal_runs_keep_equal_files() {
    let folder = Folder::new();
    let made = || {
        let (_, features) = kept(&folder, &demo("imagenet"), &["--limit", "3"], 0);
        let bytes = std::fs::read(&features).unwrap();
        std::fs::remove_file(features).unwrap();
        bytes
    };
    assert!(made() == made());
}

#[test]
fn features_of_another_version_are_refused_with_both_versions() {
    let folder = Folder::new();
    let (_, features) = kept(&folder, &demo("imagenet"), &["--limit", "3"], 0);
    let bytes = std::fs::read(&features).unwrap();
    let text = String::from_utf8_lossy(&bytes[..4096]).into_owned();
    let marked = |version: &str| format!(r#""uta_eval_features":"{version}""#);
    assert!(text.contains(&marked("3")));
    let header = text.replace(&marked("3"), &marked("1"));
    // The header's length in front of it is the same.
    let old = [
        &bytes[..8],
        &header.as_bytes()[header.len() - 4088..],
        &bytes[4096..],
    ]
    .concat();
    let old = folder.write("old.safetensors", old);
    run(&from(&old, &[])).ended_with(2).said(&[
        "old.safetensors have version 1 of their form, and this program reads version 3",
        "make them again with --save-features",
    ]);
}
