use std::path::Path;

use serde::Deserialize;

use crate::support::{
    Folder, Ran, demo, demo_on, fixture, json, largest_difference, quick_demo_on, run, run_with,
};

/// The documented JSON form, field by field: an unknown one is a change of the contract.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Report {
    schema_version: u32,
    interrupted: bool,
    program: Program,
    provenance: Provenance,
    model: Model,
    checkpoint: Checkpoint,
    data: Data,
    prompts: Prompts,
    classifier: ClassifierInfo,
    settings: Settings,
    features_file: Option<String>,
    top1: Accuracy,
    top5: Accuracy,
    mean_per_class_recall_percent: Option<f64>,
    calibration: serde_json::Value,
    ties: serde_json::Value,
    confusions: Vec<serde_json::Value>,
    per_class: Vec<serde_json::Value>,
    expectations: Vec<serde_json::Value>,
    unreadable: Vec<Unreadable>,
    changed: Vec<String>,
    tied_classes: Vec<Vec<usize>>,
    seconds: Seconds,
    pictures_per_second: Option<f64>,
    peak_memory_bytes: Option<u64>,
    warnings: Vec<String>,
    judgements: Vec<(String, usize, usize, u8, u32, u8)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Provenance {
    started: String,
    hosts: Vec<String>,
    processors: Vec<String>,
    command: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Program {
    name: String,
    version: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Model {
    name: String,
    published_name: Option<String>,
    published: Option<serde_json::Value>,
    image_size: usize,
    decided_by: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Checkpoint {
    path: String,
    name: String,
    format: String,
    weights: Option<String>,
    prefix: Option<String>,
    layout: String,
    bytes: u64,
    sha256: String,
    dtypes: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Data {
    path: String,
    source: String,
    labels_file: Option<String>,
    pictures: usize,
    selected: usize,
    selected_sha256: String,
    classes_present: usize,
    classes: usize,
    dataset: Option<String>,
    protocol: String,
    labels: String,
    unlabelled: usize,
    ignored: Ignored,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ignored {
    hidden: usize,
    not_pictures: usize,
    other_folders: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Prompts {
    templates: usize,
    templates_file: Option<String>,
    lists: Vec<PromptList>,
    classnames: String,
    classnames_file: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PromptList {
    file: Option<String>,
    weight: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClassifierInfo {
    origin: String,
    path: Option<String>,
    key: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    precision: String,
    device: String,
    batch_size: usize,
    workers: usize,
    threads: usize,
    limit: Option<usize>,
    shard: Option<serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Accuracy {
    correct: u64,
    total: u64,
    percent: Option<f64>,
    interval95: Option<[f64; 2]>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unreadable {
    path: String,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Seconds {
    load: f64,
    classifier: f64,
    first_batch: Option<f64>,
    evaluation: f64,
    total: f64,
}

fn report(ran: &Ran) -> Report {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|e| panic!("{e} in {}", ran.stdout))
}

/// `arguments` and more.
fn with(mut arguments: Vec<String>, more: &[&str]) -> Vec<String> {
    arguments.extend(more.iter().map(ToString::to_string));
    arguments
}

#[test]
fn the_json_report_is_one_document_with_every_documented_fact() {
    let folder = Folder::new();
    let arguments = quick_demo_on(&demo("imagenet"), &folder);
    let ran = run(&with(
        arguments,
        &["--json", "-", "--batch-size", "7", "--workers", "3"],
    ))
    .ended_with(0);
    let report = report(&ran);
    assert_eq!(report.schema_version, 4);
    assert_eq!(report.features_file, None);
    assert!(!report.interrupted);
    assert_eq!(report.program.name, "uta-eval");
    assert_eq!(report.program.version, env!("CARGO_PKG_VERSION"));
    assert_eq!(
        (report.model.name.as_str(), report.model.image_size),
        ("uta_demo", 64)
    );
    assert_eq!(
        (report.model.published_name, report.model.published),
        (None, None)
    );
    assert_eq!(report.model.decided_by, "--model");
    let checkpoint = report.checkpoint;
    assert_eq!(checkpoint.layout, "eva-clip");
    assert_eq!((checkpoint.weights, checkpoint.prefix), (None, None));
    assert_eq!(
        (checkpoint.name.as_str(), checkpoint.bytes),
        ("uta_demo.safetensors", 4_201_194)
    );
    assert_eq!(
        (checkpoint.format.as_str(), checkpoint.dtypes.as_slice()),
        ("safetensors", &["f16".to_string()][..])
    );
    assert!(
        checkpoint
            .path
            .ends_with("assets/demo/uta_demo.safetensors")
    );
    assert_eq!(
        checkpoint.sha256,
        "a80e18103cf5ad0eeaca55340e8d44f65a0f4eab90b66e540d578f60f9c6fd22"
    );
    assert!(report.data.path.ends_with("imagenet/val"));
    assert_eq!(report.data.source, "folders");
    assert_eq!(report.data.labels_file, None);
    assert_eq!(
        (
            report.data.pictures,
            report.data.classes_present,
            report.data.classes
        ),
        (220, 22, 1000)
    );
    assert_eq!(
        (report.data.ignored.hidden, report.data.ignored.not_pictures),
        (0, 0)
    );
    assert_eq!(report.data.ignored.other_folders, 0);
    assert_eq!(report.data.dataset.as_deref(), Some("imagenet"));
    assert_eq!(
        (report.data.labels.as_str(), report.data.unlabelled),
        ("original", 0)
    );
    assert_eq!(report.data.protocol, "clip-benchmark");
    assert_eq!(
        (report.prompts.templates, report.prompts.classnames_file),
        (1, None)
    );
    assert_eq!(report.prompts.classnames, "built-in");
    let [list] = &report.prompts.lists[..] else {
        panic!()
    };
    assert_eq!(list.file, report.prompts.templates_file);
    assert_eq!(list.weight, 1.0);
    assert!(
        report
            .prompts
            .templates_file
            .unwrap()
            .ends_with("templates.txt")
    );
    assert_eq!(
        (report.classifier.origin.as_str(), report.classifier.path),
        ("built", None)
    );
    assert_eq!(report.classifier.key.len(), 64);
    let settings = report.settings;
    assert_eq!(
        (settings.precision.as_str(), settings.device.as_str()),
        ("f32", "cpu")
    );
    assert_eq!(
        (settings.batch_size, settings.workers, settings.limit),
        (7, 3, None)
    );
    assert!(settings.threads > 0 && settings.shard.is_none());
    for accuracy in [&report.top1, &report.top5] {
        assert_eq!(accuracy.total, 220);
        let percent = 100.0 * accuracy.correct as f64 / 220.0;
        assert!((accuracy.percent.unwrap() - percent).abs() < 1e-9);
    }
    assert!(report.top1.correct > 150 && report.top1.correct <= report.top5.correct);
    assert_eq!(report.unreadable.len(), 0);
    assert_eq!(report.changed.len(), 0);
    assert_eq!(report.data.selected, 220);
    assert_eq!(report.data.selected_sha256.len(), 64);
    let [low, high] = report.top1.interval95.unwrap();
    assert!(low < report.top1.percent.unwrap() && report.top1.percent.unwrap() < high);
    // Every class has ten pictures, so that the mean over classes is the accuracy.
    let recall = report.mean_per_class_recall_percent.unwrap();
    assert!((recall - report.top1.percent.unwrap()).abs() < 1e-9);
    assert_eq!(report.calibration["bins"].as_array().unwrap().len(), 15);
    assert!(report.ties["pictures"].as_u64().is_some());
    assert!(!report.confusions.is_empty() && report.per_class.len() >= 22);
    assert!(report.expectations.is_empty());
    assert_eq!(report.judgements.len(), 220);
    let (name, label, ..) = &report.judgements[0];
    assert_eq!(
        (name.as_str(), *label),
        ("n02165456/n02165456_000.jpg", 301)
    );
    let right = report.judgements.iter().filter(|j| j.3 == 1 && j.1 == j.2);
    assert_eq!(right.count() as u64, report.top1.correct);
    assert_eq!(report.tied_classes, [[657, 744], [836, 837]]);
    let provenance = &report.provenance;
    let (date, time) = provenance.started.split_once('T').unwrap();
    assert!(date.len() == 10 && time.ends_with('Z'), "{date} {time}");
    assert_eq!(
        [provenance.hosts.len(), provenance.processors.len()],
        [1, 1]
    );
    let command = &provenance.command;
    assert!(command.starts_with("uta-eval "), "{command}");
    assert!(command.contains(" --json - "), "{command}");
    let seconds = report.seconds;
    assert!(seconds.load + seconds.classifier + seconds.evaluation <= seconds.total);
    let first = seconds.first_batch.unwrap();
    assert!(seconds.load + seconds.classifier < first && first < seconds.total);
    assert!(report.pictures_per_second.unwrap() > 0.0);
    assert!(report.changed.is_empty());
    // The embedded checkpoint alone has 4 MB.
    assert!(!cfg!(unix) || report.peak_memory_bytes.unwrap() > 4_000_000);
    assert_eq!(report.warnings.len(), 1);
    assert!(report.warnings[0].contains("22 of the 1000 classes"));
}

#[test]
fn a_json_file_accompanies_the_text() {
    let folder = Folder::new();
    let file = folder.join("result.json");
    let arguments = quick_demo_on(&demo("imagenet"), &folder);
    run(&with(
        arguments,
        &["--limit", "20", "--json", file.to_str().unwrap()],
    ))
    .ended_with(0)
    .printed(&["top-1", "/20)", "the first 20 pictures"]);
    let report: Report = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!((report.top1.total, report.data.pictures), (20, 220));
    assert_eq!(report.settings.limit, Some(20));
    assert_eq!(
        folder.names(),
        ["result.json", "templates.txt"],
        "no temporary file is left"
    );
}

#[test]
fn the_same_bits_come_out_at_any_batch_size_and_number_of_workers_and_threads() {
    let folder = Folder::new();
    let mut files = Vec::new();
    for (index, (batch_size, workers, threads)) in [
        ("64", "2", "2"),
        ("1", "1", "1"),
        ("7", "5", "3"),
        ("220", "2", "8"),
    ]
    .iter()
    .enumerate()
    {
        let file = folder.join(&format!("{index}.jsonl"));
        let arguments = with(
            quick_demo_on(&demo("imagenet"), &folder),
            &["--batch-size", batch_size, "--workers", workers],
        );
        let arguments = with(arguments, &["--predictions", file.to_str().unwrap()]);
        run_with(&arguments, &[("RAYON_NUM_THREADS", threads)]).ended_with(0);
        files.push(std::fs::read_to_string(file).unwrap());
    }
    for (index, file) in files.iter().enumerate() {
        assert_eq!(file.lines().count(), 220);
        assert!(*file == files[0], "run {index} differs");
    }
}

#[test]
fn predictions_are_written_as_csv_with_a_header_and_quoted_paths() {
    let folder = Folder::new();
    let picture = demo("imagenet/val/n02165456/n02165456_000.jpg");
    folder.copy(&picture, "val/n02165456/a, \"b\".jpg");
    let file = folder.join("predictions.CSV");
    let arguments = quick_demo_on(folder.path(), &folder);
    run(&with(arguments, &["--predictions", file.to_str().unwrap()])).ended_with(0);
    let mut reader = csv::Reader::from_path(&file).unwrap();
    let header = reader
        .headers()
        .unwrap()
        .iter()
        .collect::<Vec<_>>()
        .join(",");
    assert_eq!(
        header,
        "path,label,class1,class2,class3,class4,class5,logit1,logit2,logit3,logit4,logit5"
    );
    let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(records.len(), 1);
    assert!(records[0][0].ends_with("a, \"b\".jpg"));
    assert_eq!((&records[0][1], &records[0][2]), ("301", "301"));
    let logits: Vec<f32> = (7..12).map(|i| records[0][i].parse().unwrap()).collect();
    assert!(logits.windows(2).all(|pair| pair[0] >= pair[1]));
}

#[derive(Deserialize)]
struct Expected {
    file: String,
    top5: Vec<usize>,
    logits: Vec<f32>,
}

#[derive(Deserialize)]
struct Line {
    path: String,
    top5: Vec<usize>,
    logits: Vec<f32>,
}

/// Every form of the small golden checkpoint, through a described model, from outside.
#[test]
fn a_described_model_and_every_checkpoint_form_give_the_references_predictions() {
    let folder = Folder::new();
    let expected: Vec<Expected> = json("golden/tiny_predictions_expected.json");
    for Expected { file, .. } in &expected {
        let photo = fixture(&format!("golden/photos/{file}"));
        folder.copy(&photo, &format!("pictures/n01440764/{file}"));
    }
    let converted = folder.join("converted.safetensors");
    let tiny_pt = fixture("golden/tiny.pt");
    run(&[
        "convert",
        tiny_pt.to_str().unwrap(),
        converted.to_str().unwrap(),
    ])
    .ended_with(0);
    let predictions = folder.join("predictions.jsonl");
    let mut bits = Vec::new();
    for checkpoint in [fixture("golden/tiny.safetensors"), tiny_pt, converted] {
        run(&[
            "--imagenet-path",
            folder.join("pictures").to_str().unwrap(),
            "--model",
            fixture("tiny.json").to_str().unwrap(),
            "--image-size",
            "32",
            "--no-cache",
            "--ckpt-path",
            checkpoint.to_str().unwrap(),
            "--predictions",
            predictions.to_str().unwrap(),
        ])
        .ended_with(0)
        .printed(&["/16)"]);
        bits.push(std::fs::read_to_string(&predictions).unwrap());
    }
    assert!(
        bits.iter().all(|b| *b == bits[0]),
        "the forms of the checkpoint differ"
    );
    let lines: Vec<Line> = bits[0]
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), expected.len());
    for line in &lines {
        let name = Path::new(&line.path).file_name().unwrap();
        let expected = expected.iter().find(|e| *e.file == *name).unwrap();
        assert_eq!(line.top5, expected.top5, "{}", line.path);
        assert!(
            largest_difference(&line.logits, &expected.logits) <= 1e-3,
            "{}",
            line.path
        );
    }
}

#[test]
fn unreadable_pictures_are_named_left_out_and_remembered_by_the_exit_code() {
    let folder = Folder::new();
    let picture = demo("imagenet/val/n02165456/n02165456_000.jpg");
    let bytes = std::fs::read(&picture).unwrap();
    folder.write("val/n02165456/empty.jpg", "");
    folder.copy(&picture, "val/n02165456/good.jpg");
    folder.write("val/n02165456/page.JPEG", "<!DOCTYPE html><html>404</html>");
    folder.write("val/n02165456/truncated.jpg", &bytes[..bytes.len() / 2]);
    let ran = run(&with(
        quick_demo_on(folder.path(), &folder),
        &["--json", "-"],
    ))
    .ended_with(6);
    let report = report(&ran);
    assert_eq!((report.top1.correct, report.top1.total), (1, 1));
    let reasons: Vec<(&str, &str)> = report
        .unreadable
        .iter()
        .map(|u| (u.path.rsplit('/').next().unwrap(), u.reason.as_str()))
        .collect();
    let [empty, page, truncated] = reasons.as_slice() else {
        panic!("{reasons:?}")
    };
    assert_eq!(*empty, ("empty.jpg", "the file is empty"));
    assert_eq!(
        *page,
        ("page.JPEG", "it is no picture: it looks like HTML or XML")
    );
    assert_eq!(truncated.0, "truncated.jpg");
    assert!(
        truncated.1.starts_with("it is truncated"),
        "{}",
        truncated.1
    );
    for text in [
        "unreadable: ",
        "empty.jpg: the file is empty",
        "3 pictures could not be read",
    ] {
        assert!(ran.stderr.contains(text), "no \"{text}\" in {}", ran.stderr);
    }
}

#[test]
fn strict_stops_at_the_first_unreadable_picture() {
    let folder = Folder::new();
    folder.copy(
        &demo("imagenet/val/n02165456/n02165456_000.jpg"),
        "val/n02165456/a.jpg",
    );
    folder.write("val/n02165456/b.jpg", "");
    let file = folder.join("predictions.csv");
    let arguments = quick_demo_on(folder.path(), &folder);
    run(&with(
        arguments,
        &["--strict", "--predictions", file.to_str().unwrap()],
    ))
    .ended_with(3)
    .said(&["b.jpg: the file is empty", "without --strict"]);
    assert!(
        !file.exists(),
        "a result that is not complete is not left behind"
    );
}

#[test]
fn when_no_picture_can_be_read_there_is_no_accuracy() {
    let folder = Folder::new();
    folder.write("val/n02165456/a.jpg", "no picture");
    let arguments = quick_demo_on(folder.path(), &folder);
    run(&with(arguments.clone(), &[]))
        .ended_with(6)
        .printed(&["top-1        undefined"]);
    let ran = run(&with(arguments, &["--json", "-"])).ended_with(6);
    assert_eq!(report(&ran).top1.percent, None);
}

#[test]
fn a_part_of_imagenet_is_evaluated_against_all_classes_and_the_result_says_so() {
    let folder = Folder::new();
    let whole = run(&with(demo_on(&demo("imagenet")), &["--json", "-"])).ended_with(0);
    assert_eq!(report(&whole).top1.correct, 215);
    // The last class folder alone: a label by position would be 0.
    let picture = demo("imagenet/val/n11939491/n11939491_000.jpg");
    folder.copy(&picture, "n11939491/a.jpg");
    let ran = run(&with(demo_on(folder.path()), &["--json", "-"])).ended_with(0);
    assert_eq!(report(&ran).top1.correct, 1);
    assert!(
        ran.stderr.contains("1 of the 1000 classes"),
        "{}",
        ran.stderr
    );
}

#[test]
fn class_names_with_folders_evaluate_other_classes_than_imagenets() {
    let folder = Folder::new();
    folder.copy(
        &demo("imagenet/val/n02165456/n02165456_000.jpg"),
        "set/bugs/a.jpg",
    );
    folder.copy(
        &demo("imagenet/val/n02391049/n02391049_000.jpg"),
        "set/stripes/a.jpg",
    );
    let names = folder.write(
        "names.txt",
        "stripes\tzebra\nbugs\tladybug\nnone\tflagpole\n",
    );
    let arguments = with(
        demo_on(&folder.join("set")),
        &["--json", "-", "--classnames"],
    );
    let ran = run(&with(arguments, &[names.to_str().unwrap()])).ended_with(0);
    let report = report(&ran);
    assert_eq!(
        (report.top1.correct, report.top1.total, report.top5.correct),
        (2, 2, 2)
    );
    assert_eq!(report.data.classes, 3);
    assert!(report.prompts.classnames_file.is_some());
}

#[test]
fn nothing_but_the_result_goes_to_standard_output() {
    let folder = Folder::new();
    let arguments = with(quick_demo_on(&demo("imagenet"), &folder), &["--limit", "3"]);
    let ran = run(&arguments).ended_with(0);
    assert!(ran.stdout.starts_with("top-1"), "{}", ran.stdout);
    assert_eq!(
        ran.stderr.lines().count(),
        1,
        "one warning, no bar: {}",
        ran.stderr
    );
    assert!(
        !ran.stderr.contains('\u{1b}'),
        "no escape sequences without a terminal"
    );
}
