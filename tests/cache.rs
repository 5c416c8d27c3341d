use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::{Folder, Ran, demo, fixture, run};

/// Evaluates twenty pictures with the given flags, which choose the classifier.
fn evaluate(folder: &Folder, more: &[&str]) -> (Ran, String) {
    let predictions = folder.join("predictions.csv");
    let (pictures, checkpoint) = (demo("imagenet"), demo("uta_demo.safetensors"));
    let mut arguments = vec![
        "--imagenet-path",
        pictures.to_str().unwrap(),
        "--model",
        "uta_demo",
        "--ckpt-path",
        checkpoint.to_str().unwrap(),
        "--limit",
        "20",
        "--predictions",
        predictions.to_str().unwrap(),
    ];
    arguments.extend(more);
    let ran = run(&arguments);
    (
        ran,
        std::fs::read_to_string(predictions).unwrap_or_default(),
    )
}

/// Flags for a cache in the folder and one quick template.
fn cached(folder: &Folder) -> [String; 4] {
    let templates = folder.write("templates.txt", "a photo of a {}.\n");
    let cache = folder.join("cache");
    [
        "--cache-dir",
        cache.to_str().unwrap(),
        "--templates",
        templates.to_str().unwrap(),
    ]
    .map(Into::into)
}

fn slices(flags: &[String]) -> Vec<&str> {
    flags.iter().map(String::as_str).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

#[test]
fn a_second_run_takes_the_classifier_from_the_cache_and_gives_the_same_bits() {
    let folder = Folder::new();
    let flags = cached(&folder);
    let (first, built) = evaluate(&folder, &slices(&flags));
    first
        .ended_with(0)
        .printed(&["classifier   built from 1 template"]);
    let (second, found) = evaluate(&folder, &slices(&flags));
    second
        .ended_with(0)
        .printed(&["classifier   of 1 template, from the cache"]);
    assert!(
        built == found,
        "the cached classifier gives other predictions"
    );
    assert_eq!(files(&folder.join("cache")).len(), 1);
    let (third, anew) = evaluate(&folder, &["--no-cache", "--templates", &flags[3]]);
    third.ended_with(0).printed(&["built"]);
    assert!(built == anew);
}

#[test]
fn other_prompts_and_other_weights_have_other_classifiers() {
    let folder = Folder::new();
    let flags = cached(&folder);
    evaluate(&folder, &slices(&flags)).0.ended_with(0);
    folder.write("templates.txt", "a drawing of a {}.\n");
    evaluate(&folder, &slices(&flags))
        .0
        .ended_with(0)
        .printed(&["built"]);
    let names = std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/text/imagenet_classnames.txt"),
    )
    .unwrap();
    let names = folder.write("names.txt", names.replacen("tench", "carp", 1));
    let mut more = slices(&flags);
    more.extend(["--classnames", names.to_str().unwrap()]);
    evaluate(&folder, &more).0.ended_with(0).printed(&["built"]);
    let out = folder.join("tiny.safetensors");
    classifier(
        &folder,
        &fixture("golden/tiny.safetensors"),
        &fixture("tiny.json"),
        &out,
    )
    .ended_with(0);
    assert_eq!(files(&folder.join("cache")).len(), 4);
}

#[test]
fn a_damaged_cache_file_is_ignored_with_a_warning_and_replaced() {
    let folder = Folder::new();
    let flags = cached(&folder);
    let (_, good) = evaluate(&folder, &slices(&flags));
    let file = files(&folder.join("cache")).remove(0);
    let bytes = std::fs::read(&file).unwrap();
    let mut flipped = bytes.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let pixels = std::fs::read(demo("imagenet/val/n02165456/n02165456_000.jpg")).unwrap();
    for (damaged, reason) in [
        (flipped, "its digest differs"),
        (bytes[..bytes.len() - 5].to_vec(), "is no classifier"),
        (Vec::new(), "is no classifier"),
        (pixels, "is no classifier"),
        (
            std::fs::read(demo("uta_demo.safetensors")).unwrap(),
            "not written by uta-eval",
        ),
    ] {
        std::fs::write(&file, damaged).unwrap();
        let (ran, predictions) = evaluate(&folder, &slices(&flags));
        let ran = ran.ended_with(0).printed(&["built from 1 template"]);
        assert!(
            ran.stderr.contains("warning: ") && ran.stderr.contains(reason),
            "{}",
            ran.stderr
        );
        assert!(predictions == good);
        // Metadata has no fixed order, so the size is what can be compared.
        assert_eq!(std::fs::metadata(&file).unwrap().len(), bytes.len() as u64);
        assert_eq!(
            files(&folder.join("cache")).len(),
            1,
            "nothing else is left"
        );
    }
}

#[test]
fn a_cache_that_cannot_be_written_is_a_warning_only() {
    let folder = Folder::new();
    let flags = cached(&folder);
    folder.write("cache", "a file, no folder");
    let (ran, _) = evaluate(&folder, &slices(&flags));
    let ran = ran.ended_with(0).printed(&["built"]);
    assert!(
        ran.stderr.contains("the classifier cannot be kept in "),
        "{}",
        ran.stderr
    );
}

#[test]
fn runs_at_the_same_time_do_each_other_no_harm() {
    let folder = Folder::new();
    let flags = cached(&folder);
    let outcomes: Vec<Ran> = std::thread::scope(|scope| {
        let runs: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let own = Folder::new();
                    evaluate(&own, &slices(&flags)).0
                })
            })
            .collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    for ran in outcomes {
        let ran = ran.ended_with(0);
        assert_eq!(
            ran.stderr.matches("warning").count(),
            1,
            "only the partial set: {}",
            ran.stderr
        );
    }
    assert_eq!(files(&folder.join("cache")).len(), 1);
}

/// Builds a classifier into `out`.
fn classifier(folder: &Folder, checkpoint: &Path, model: &Path, out: &Path) -> Ran {
    let flags = cached(folder);
    let mut arguments = vec![
        "classifier",
        "--model",
        model.to_str().unwrap(),
        "--ckpt-path",
        checkpoint.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
    ];
    arguments.extend(slices(&flags));
    run(&arguments)
}

#[test]
fn a_classifier_built_ahead_of_time_is_used_with_the_templates_it_was_made_with() {
    let folder = Folder::new();
    let out = folder.join("classifier.safetensors");
    let checkpoint = demo("uta_demo.safetensors");
    classifier(&folder, &checkpoint, Path::new("uta_demo"), &out)
        .ended_with(0)
        .printed(&["1000 classes of 1 template, 64 dimensions, built"]);
    let (ran, predictions) = evaluate(&folder, &["--classifier", out.to_str().unwrap()]);
    ran.ended_with(0).printed(&["of 1 template, from the file"]);
    let (_, built) = evaluate(&folder, &slices(&cached(&folder)));
    assert!(predictions == built);

    let before = std::fs::read(&out).unwrap();
    classifier(&folder, &checkpoint, Path::new("uta_demo"), &out)
        .ended_with(5)
        .said(&["classifier.safetensors cannot be written", "exists"]);
    assert!(std::fs::read(&out).unwrap() == before);
}

#[test]
fn equal_classifiers_are_equal_files() {
    let folder = Folder::new();
    let checkpoint = demo("uta_demo.safetensors");
    let [built, cached] = ["built", "cached"].map(|name| {
        let out = folder.join(name);
        classifier(&folder, &checkpoint, Path::new("uta_demo"), &out).ended_with(0);
        std::fs::read(out).unwrap()
    });
    assert!(built == cached);
}

#[test]
fn a_classifier_of_another_model_or_other_classes_is_refused() {
    let folder = Folder::new();
    let out = folder.join("tiny-classifier.safetensors");
    classifier(
        &folder,
        &fixture("golden/tiny.safetensors"),
        &fixture("tiny.json"),
        &out,
    )
    .ended_with(0);
    let refused = |more: &[&str], texts: &[&str]| {
        evaluate(&folder, more).0.ended_with(2).warned(texts);
    };
    let tiny = out.to_str().unwrap();
    refused(
        &["--classifier", tiny],
        &["made by another text tower", "uta-eval classifier --out"],
    );
    refused(
        &["--classifier", "/no/such"],
        &["/no/such cannot be read: No such file"],
    );
    let checkpoint = demo("uta_demo.safetensors");
    refused(
        &["--classifier", checkpoint.to_str().unwrap()],
        &["is no classifier"],
    );
    refused(
        &["--classifier", tiny, "--templates", "x"],
        &["cannot be used with"],
    );

    let ours = folder.join("demo-classifier.safetensors");
    classifier(&folder, &checkpoint, Path::new("uta_demo"), &ours).ended_with(0);
    let names = folder.write("names.txt", "n02165456\tladybug\nn02391049\tzebra\n");
    let more = [
        "--classifier",
        ours.to_str().unwrap(),
        "--classnames",
        names.to_str().unwrap(),
    ];
    let pictures = folder.join("two");
    for wnid in ["n02165456", "n02391049"] {
        let picture = demo(&format!("imagenet/val/{wnid}/{wnid}_000.jpg"));
        folder.copy(&picture, &format!("two/{wnid}/a.jpg"));
    }
    let mut arguments = vec![
        "--imagenet-path",
        pictures.to_str().unwrap(),
        "--model",
        "uta_demo",
        "--ckpt-path",
        checkpoint.to_str().unwrap(),
    ];
    arguments.extend(more);
    run(&arguments)
        .ended_with(2)
        .warned(&["it has 1000 classes, not 2"]);
}

#[test]
#[cfg(unix)]
fn an_interrupt_leaves_nothing_half_written() {
    let folder = Folder::new();
    let (pictures, checkpoint) = (demo("imagenet"), demo("uta_demo.safetensors"));
    let (predictions, cache) = (folder.join("predictions.csv"), folder.join("cache"));
    let mut child = Command::new(env!("CARGO_BIN_EXE_uta-eval"))
        .args(["--model", "uta_demo", "--imagenet-path"])
        .args([pictures.as_path(), Path::new("--ckpt-path"), &checkpoint])
        .args([
            Path::new("--predictions"),
            &predictions,
            Path::new("--cache-dir"),
            &cache,
            Path::new("--verbose"),
        ])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The file for the predictions is open before the long part begins.
    let mut told = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(told.any(|line| line.unwrap().starts_with("loading the checkpoint")));
    let id = child.id().to_string();
    assert!(
        Command::new("kill")
            .args([crate::support::interrupt_signal(), &id])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(folder.names(), Vec::<String>::new());
}
