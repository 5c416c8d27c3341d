//! The row that a paper prints: all sets in one run, against runs of each and a calculation in Python.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Value, json};
use uta_eval::data::Set;
use uta_eval::text::imagenet::wnids;

use crate::choice::{cut, strange};
use crate::sources::util::tar;
use crate::support::{Folder, Ran, demo, json as fixture_json, run};

/// Numbers of pictures of the validation set whose ReaL labels are known: one, several, none.
const REAL: [usize; 4] = [510, 12_102, 2_070, 22];

/// The demo's classes.
fn demo_classes() -> Vec<usize> {
    let there = |class: &usize| demo("imagenet/val").join(wnids()[*class]).is_dir();
    (0..1000).filter(there).collect()
}

/// Picture number 0 to 9 of a demo's class.
fn picture(class: usize, number: usize) -> Vec<u8> {
    let wnid = wnids()[class];
    let name = format!("imagenet/val/{wnid}/{wnid}_00{number}.jpg");
    std::fs::read(demo(&name)).unwrap()
}

/// What a picture in a made set shows: its class, or for every third one the next class of the demo's,
/// so that not everything is right.
fn shown(class: usize, place: usize, number: usize) -> Vec<u8> {
    let demo = demo_classes();
    let own = demo.iter().position(|other| *other == class).unwrap();
    let next = demo[(own + usize::from(place.is_multiple_of(3))) % demo.len()];
    picture(next, number)
}

/// ObjectNet's folders that show one of the demo's classes, with the class.
fn objects() -> Vec<(String, usize)> {
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/sets/objectnet.tsv");
    let list = std::fs::read_to_string(list).unwrap();
    let demo = demo_classes();
    let mut objects = Vec::new();
    for line in list.lines() {
        let (folder, classes) = line.split_once('\t').unwrap_or((line, ""));
        let shown = classes.split_whitespace();
        let class = shown.filter_map(|w| wnids().iter().position(|wnid| *wnid == w));
        if let Some(class) = class.into_iter().find(|class| demo.contains(class)) {
            objects.push((folder.to_string(), class));
        }
    }
    objects
}

/// Made sets of each kind, labelled by each rule, with different pictures of the demo.
fn sets(folder: &Folder) -> PathBuf {
    let demo = demo_classes();
    let some = |set: Set| -> Vec<usize> {
        let of_set = set.classes().unwrap();
        demo.iter()
            .copied()
            .filter(|c| of_set.contains(c))
            .collect()
    };
    let mut real = REAL.iter();
    for (place, class) in demo.iter().enumerate() {
        let number = real.next().copied().unwrap_or(30_000 + place);
        let name = format!("ILSVRC2012_val_{number:08}.JPEG");
        folder.write(
            &format!("suite/imagenet/val/{}/{name}", wnids()[*class]),
            shown(*class, place, 0),
        );
        let v2 = "suite/imagenetv2/imagenetv2-matched-frequency-format-val";
        folder.write(&format!("{v2}/{class}/a.jpeg"), shown(*class, place, 1));
        let sketch = format!("suite/sketch/{}/sketch_{place}.JPEG", wnids()[*class]);
        folder.write(&sketch, shown(*class, place, 2));
    }
    let top = "suite/imagenetv2/imagenetv2-top-images-format-val";
    for class in demo.iter().take(3) {
        folder.write(&format!("{top}/{class}/a.jpeg"), picture(*class, 3));
    }
    // Shards whose labels count the set's own classes.
    let own = Set::A.classes().unwrap();
    let mut members = Vec::new();
    for (place, class) in some(Set::A).into_iter().enumerate() {
        let label = own.iter().position(|c| *c == class).unwrap();
        members.push((format!("s{place}.cls"), label.to_string().into_bytes()));
        members.push((format!("s{place}.jpg"), shown(class, place, 4)));
    }
    let root = "suite/clip-benchmark/wds_imagenet-a";
    folder.write(&format!("{root}/test/0.tar"), tar(&members));
    folder.write(&format!("{root}/test/nshards.txt"), "1\n");
    let names = Set::A.own_names().unwrap().join("\n");
    folder.write(&format!("{root}/classnames.txt"), names + "\n");
    let members: Vec<(String, Vec<u8>)> = some(Set::R)
        .into_iter()
        .enumerate()
        .map(|(place, class)| {
            let name = format!("imagenet-r/{}/a.jpg", wnids()[class]);
            (name, shown(class, place, 5))
        })
        .collect();
    folder.write("suite/imagenet-r.tar", tar(&members));
    for (place, (object, class)) in objects().into_iter().enumerate() {
        let path = format!("suite/objectnet-1.0/images/{object}/a.jpg");
        folder.write(&path, shown(class, place, 6));
    }
    folder.join("suite")
}

/// Arguments of a suite or of one evaluation on the demo's model.
fn arguments(folder: &Folder, before: &[&str], more: &[&str]) -> Vec<String> {
    let checkpoint = demo("uta_demo.safetensors");
    let template = folder.write("one.txt", "a photo of a {}.\n");
    let cache = folder.join("cache");
    let common = [
        "--model",
        "uta_demo",
        "--ckpt-path",
        checkpoint.to_str().unwrap(),
        "--templates",
        template.to_str().unwrap(),
        "--cache-dir",
        cache.to_str().unwrap(),
    ];
    let all = before.iter().chain(&common).chain(more);
    all.map(ToString::to_string).collect()
}

fn suite(folder: &Folder, root: &Path, more: &[&str]) -> Ran {
    run(&arguments(folder, &["suite", root.to_str().unwrap()], more))
}

fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// What a result says of pictures, and of all that decides it.
fn decisive(mut result: Value) -> Value {
    for field in [
        "provenance",
        "seconds",
        "pictures_per_second",
        "peak_memory_bytes",
        "classifier",
    ] {
        result.as_object_mut().unwrap().remove(field);
    }
    result
}

/// The sets, with the flags of an evaluation on each alone.
fn alone(root: &Path) -> Vec<(&'static str, PathBuf, Vec<&'static str>)> {
    let v2 = root.join("imagenetv2");
    let of_v2 = ["--dataset", "imagenet-v2"];
    vec![
        ("imagenet", root.join("imagenet"), vec![]),
        (
            "imagenet-v2",
            v2.join("imagenetv2-matched-frequency-format-val"),
            of_v2.into(),
        ),
        (
            "imagenet-a",
            root.join("clip-benchmark/wds_imagenet-a"),
            vec![],
        ),
        (
            "imagenet-r",
            root.join("imagenet-r.tar"),
            vec!["--dataset", "imagenet-r"],
        ),
        (
            "imagenet-sketch",
            root.join("sketch"),
            vec!["--dataset", "imagenet-sketch"],
        ),
        (
            "objectnet",
            root.join("objectnet-1.0"),
            vec!["--dataset", "objectnet"],
        ),
        (
            "imagenet-real",
            root.join("imagenet"),
            vec!["--labels", "real"],
        ),
        (
            "imagenet-v2-top-images",
            v2.join("imagenetv2-top-images-format-val"),
            of_v2.into(),
        ),
    ]
}

/// Counts of pictures and of right ones, by a calculation in Python.
#[derive(Debug, Deserialize, PartialEq)]
struct Counts {
    pictures: u64,
    top1: u64,
    top5: u64,
}

#[derive(Deserialize)]
struct Expected {
    sets: std::collections::BTreeMap<String, Counts>,
    objectnet_by_its_authors: Counts,
    average_top1: f64,
    drop_top1: f64,
    average_top1_interval95: [f64; 2],
    drop_top1_interval95: [f64; 2],
    average_top5: f64,
}

fn counts(cell: &Value) -> Counts {
    let count = |measure: &str, field: &str| cell[measure][field].as_u64().unwrap();
    Counts {
        pictures: count("top1", "total"),
        top1: count("top1", "correct"),
        top5: count("top5", "correct"),
    }
}

#[track_caller]
fn near(found: &Value, expected: f64) {
    let found = found.as_f64().unwrap();
    assert!((found - expected).abs() < 1e-9, "{found} {expected}");
}

#[test]
fn one_run_gives_the_bits_of_a_run_on_each_set_and_pythons_averages() {
    let folder = Folder::new();
    let root = sets(&folder);
    let out = folder.join("out");
    let more = ["--out", out.to_str().unwrap(), "-v"];
    let ran = suite(&folder, &root, &more).ended_with(0);
    let stage = |ran: &Ran, name: &str| ran.stderr.matches(name).count();
    // ImageNet's classes, and ObjectNet's own.
    assert_eq!(stage(&ran, "building the classifier:"), 2, "{}", ran.stderr);
    assert_eq!(stage(&ran, "loading the text tower:"), 1, "{}", ran.stderr);
    let found = read(&out.join("suite.json"));
    let row = &found["rows"][0];
    let expected: Expected = fixture_json("suite/expected.json");
    let mut pictures = 0;
    for (place, (name, path, flags)) in alone(&root).into_iter().enumerate() {
        let json = folder.join("alone.json");
        let mut more = vec!["--imagenet-path", path.to_str().unwrap()];
        more.extend(["--json", json.to_str().unwrap(), "-v"]);
        more.extend(flags);
        let one = run(&arguments(&folder, &[], &more)).ended_with(0);
        let loading = "loading the checkpoint:";
        assert_eq!(stage(&ran, loading), stage(&one, loading), "{}", ran.stderr);
        let of_suite = read(&out.join(format!("001-uta_demo-{name}.json")));
        let alone = read(&json);
        assert_eq!(of_suite["classifier"]["key"], alone["classifier"]["key"]);
        assert_eq!(decisive(of_suite), decisive(alone.clone()), "{name}");
        let cell = &row["results"][place];
        assert_eq!(cell["set"], name);
        assert_eq!(cell["top1"], alone["top1"]);
        assert_eq!(counts(cell), expected.sets[name], "{name}");
        if name != "imagenet-real" {
            pictures += alone["data"]["pictures"].as_u64().unwrap();
        }
    }
    ran.warned(&[&format!("{pictures} pictures were decoded")]);
    let top1 = &row["top1"];
    assert_eq!(top1["sets"], 6);
    near(&top1["average"]["percent"], expected.average_top1);
    near(&top1["drop"]["percent"], expected.drop_top1);
    for (side, place) in ["low", "high"].iter().zip(0..) {
        let bound = &top1["average"]["interval95"][place];
        near(bound, expected.average_top1_interval95[place]);
        assert!(!bound.is_null(), "{side}");
        near(
            &top1["drop"]["interval95"][place],
            expected.drop_top1_interval95[place],
        );
    }
    near(&row["top5"]["average"]["percent"], expected.average_top5);
    assert_eq!(found["missing"], json!([]));
    assert_eq!(found["problems"], json!([]));

    let schema: Value = serde_json::from_str(&run(&["schema", "--of", "suite"]).stdout).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(&found)
        .map(|e| e.to_string())
        .collect();
    assert!(errors.is_empty(), "{errors:?}");
    for name in ["suite.csv", "suite.md", "suite.tex", "suite.html"] {
        let text = std::fs::read_to_string(out.join(name)).unwrap();
        assert!(text.contains("uta_demo"), "{name}");
    }
}

#[test]
fn objectnet_is_judged_by_the_protocol_that_is_named() {
    let folder = Folder::new();
    let root = sets(&folder);
    for set in ["imagenet", "imagenetv2", "sketch", "clip-benchmark"] {
        std::fs::remove_dir_all(root.join(set)).unwrap();
    }
    let more = ["--protocol", "objectnet", "--json", "-"];
    let found = suite(&folder, &root, &more).ended_with(0);
    let found: Value = serde_json::from_str(&found.stdout).unwrap();
    assert_eq!(found["protocol"], "objectnet");
    let expected: Expected = fixture_json("suite/expected.json");
    let cell = &found["rows"][0]["results"][1];
    assert_eq!(cell["set"], "objectnet");
    assert_eq!(counts(cell), expected.objectnet_by_its_authors);
    let missing = ["imagenet", "imagenet-v2", "imagenet-a", "imagenet-sketch"];
    assert_eq!(found["missing"], json!(missing));
    assert_eq!(found["rows"][0]["top1"]["sets"], 2);
    assert_eq!(found["rows"][0]["top1"]["drop"], Value::Null);
}

#[test]
fn several_checkpoints_share_each_pass_and_the_best_is_marked() {
    let folder = Folder::new();
    let root = sets(&folder);
    std::fs::remove_dir_all(root.join("sketch")).unwrap();
    let (model, small) = (
        demo("uta_demo.safetensors"),
        folder.join("zeros.safetensors"),
    );
    folder.copy(&model, "second.safetensors");
    blind(&model, &small);
    let out = folder.join("out");
    let second = folder.join("second.safetensors");
    let more = ["--out", out.to_str().unwrap(), "--ckpt-path"];
    let mut more: Vec<&str> = more.into();
    more.extend([second.to_str().unwrap(), small.to_str().unwrap()]);
    let ran = suite(&folder, &root, &more).ended_with(0);
    let found = read(&out.join("suite.json"));
    let rows = found["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 3);
    let total = |row: &Value| -> u64 {
        let cells = row["results"].as_array().unwrap().iter();
        let counted = cells.filter(|cell| cell["set"] != "imagenet-real");
        counted
            .map(|cell| cell["top1"]["total"].as_u64().unwrap())
            .sum()
    };
    ran.warned(&[&format!("{} pictures were decoded", total(&rows[0]))]);
    let results = |row: usize| -> Vec<Value> {
        let cells = rows[row]["results"].as_array().unwrap().iter();
        cells.map(|cell| cell["top1"].clone()).collect()
    };
    assert_eq!(results(0), results(1), "equal weights");
    assert_ne!(results(0), results(2));
    let latex = std::fs::read_to_string(out.join("suite.tex")).unwrap();
    assert!(latex.contains("Avg. of 5"), "{latex}");
    // Two share the first place, and the one that is wrong everywhere drops the least.
    let second = "second.safetensors & \\textbf{63.6} & \\textbf{63.6} & \\textbf{62.5} &";
    assert!(latex.contains(second), "{latex}");
    let blind = "zeros.safetensors & 4.5 &";
    let blind = latex.lines().find(|line| line.contains(blind)).unwrap();
    assert!(blind.contains("\\textbf{$-$"), "{latex}");
}

/// A copy of a checkpoint whose vision tower sees nothing but the place of patches.
fn blind(model: &Path, to: &Path) {
    let tensors = candle_core::safetensors::load(model, &candle_core::Device::Cpu).unwrap();
    let tensors: std::collections::HashMap<String, candle_core::Tensor> = tensors
        .into_iter()
        .map(|(name, tensor)| {
            let patches = name.contains("patch_embed") && name.ends_with("weight");
            let tensor = if patches {
                tensor.zeros_like().unwrap()
            } else {
                tensor
            };
            (name, tensor)
        })
        .collect();
    candle_core::safetensors::save(&tensors, to).unwrap();
}

#[test]
fn what_cannot_be_evaluated_is_a_line_and_the_others_go_on() {
    let folder = Folder::new();
    let root = sets(&folder);
    // Twice, cut short, of no set, and names that do not fit.
    folder.write("suite/imagenet-sketch/n02165456/a.jpg", picture(301, 0));
    let archive = root.join("imagenet-r.tar");
    let bytes = std::fs::read(&archive).unwrap();
    std::fs::write(&archive, &bytes[..bytes.len() / 2]).unwrap();
    folder.write("suite/holiday/a.jpg", picture(301, 0));
    let names = "suite/clip-benchmark/wds_imagenet-a/classnames.txt";
    folder.write(names, Set::R.own_names().unwrap().join("\n"));
    std::fs::remove_dir_all(root.join("objectnet-1.0")).unwrap();
    let ran = suite(&folder, &root, &["--json", "-"]).ended_with(8);
    let found: Value = serde_json::from_str(&ran.stdout).unwrap();
    let failures: Vec<(&str, bool)> = found["rows"][0]["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|cell| (cell["set"].as_str().unwrap(), cell["failure"].is_null()))
        .collect();
    let expected = [
        ("imagenet", true),
        ("imagenet-v2", true),
        ("imagenet-a", false),
        ("imagenet-r", false),
        ("imagenet-real", true),
        ("imagenet-v2-top-images", true),
    ];
    assert_eq!(failures, expected);
    assert_eq!(found["missing"], json!(["objectnet"]));
    let problems: Vec<&str> = found["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|problem| problem["name"].as_str().unwrap())
        .collect();
    assert_eq!(problems, ["imagenet-sketch", "holiday"]);
    assert_eq!(found["rows"][0]["top1"]["average"], Value::Null);
    ran.warned(&[
        "error: imagenet-sketch: it is there 2 times",
        "error: holiday: ",
        "objectnet: not there",
        "imagenet-r.tar",
        "classnames.txt",
    ]);
}

#[test]
fn a_checkpoint_without_a_model_is_a_row_without_results() {
    let folder = Folder::new();
    let root = sets(&folder);
    for set in ["imagenetv2", "sketch", "clip-benchmark", "objectnet-1.0"] {
        std::fs::remove_dir_all(root.join(set)).unwrap();
    }
    let (good, cut) = (
        demo("uta_demo.safetensors"),
        cut(&folder, "cut.safetensors"),
    );
    let strange = strange(&folder, "strange.safetensors");
    let template = folder.write("one.txt", "a photo of a {}.\n");
    let out = folder.join("out");
    let suite = |checkpoints: &[&PathBuf], more: &[&str]| {
        let root = root.to_str().unwrap();
        let mut words = vec!["suite", root, "--no-cache"];
        words.extend(["--templates", template.to_str().unwrap(), "--ckpt-path"]);
        words.extend(checkpoints.iter().map(|path| path.to_str().unwrap()));
        words.extend(more);
        run(&words)
    };
    let ran = suite(&[&cut, &good, &strange], &["--out", out.to_str().unwrap()]);
    let ran = ran.ended_with(8).printed(&[
        "unknown   cut.safetensors ",
        "uta_demo  uta_demo.safetensors ",
        "\ncut.safetensors: failed: /",
        "\nstrange.safetensors: failed: no known model has the shapes of /",
    ]);
    let told = ran.stderr.matches("error: ").count();
    assert_eq!(told, 2, "{}", ran.stderr);
    ran.warned(&[
        "error: cut.safetensors: /",
        "error: strange.safetensors: no ",
    ]);
    let found = read(&out.join("suite.json"));
    let rows = found["rows"].as_array().unwrap();
    let models: Vec<&Value> = rows.iter().map(|row| &row["model"]).collect();
    assert_eq!(models, ["unknown", "uta_demo", "unknown"]);
    for (row, good) in rows.iter().zip([false, true, false]) {
        let cells = row["results"].as_array().unwrap();
        assert_eq!(cells.len(), 3, "ImageNet, its ReaL labels and ImageNet-R");
        for cell in cells {
            assert_eq!(cell["failure"].is_null(), good, "{cell}");
            assert_eq!(cell["top1"].is_null(), !good, "{cell}");
        }
        assert_eq!(row["top1"]["average"].is_null(), !good);
    }
    // Its number is its row's.
    assert!(out.join("002-uta_demo-imagenet.json").exists());
    let latex = std::fs::read_to_string(out.join("suite.tex")).unwrap();
    assert!(
        latex.contains("unknown & cut.safetensors & -- & -- &"),
        "{latex}"
    );

    suite(&[&cut], &[])
        .ended_with(8)
        .printed(&["unknown", "cut.safetensors: failed: "])
        .warned(&["0 pictures were decoded"]);
    for (more, words) in [
        (&["--model", "eva_huge"][..], "unknown model"),
        (&["--shard", "3/2"], "3/2"),
        (
            &["--trace", cut.to_str().unwrap()],
            "would replace an input",
        ),
    ] {
        suite(&[&cut], more).ended_with(2).said(&[words]);
    }
}

#[test]
fn a_suite_goes_on_where_its_journal_ends() {
    let folder = Folder::new();
    let root = sets(&folder);
    let journal = folder.join("journal");
    let more = ["--resume", journal.to_str().unwrap(), "--json", "-"];
    let first = suite(&folder, &root, &more).ended_with(0);
    let again = suite(&folder, &root, &more)
        .ended_with(0)
        .warned(&["0 pictures were decoded"]);
    let cells = |ran: &Ran| {
        let found: Value = serde_json::from_str(&ran.stdout).unwrap();
        found["rows"].clone()
    };
    assert_eq!(cells(&first), cells(&again));
}

#[test]
fn shards_of_a_suite_add_up_set_by_set() {
    let folder = Folder::new();
    let root = sets(&folder);
    let whole = folder.join("whole");
    suite(&folder, &root, &["--out", whole.to_str().unwrap()]).ended_with(0);
    let mut parts = Vec::new();
    for shard in ["1/2", "2/2"] {
        let out = folder.join(&shard.replace('/', "-"));
        let more = ["--shard", shard, "--out", out.to_str().unwrap()];
        let ran = suite(&folder, &root, &more).ended_with(0);
        assert!(
            ran.stdout.contains(&format!("shard {shard}")),
            "{}",
            ran.stdout
        );
        parts.push(out);
    }
    for name in ["imagenet-a", "imagenet-real", "objectnet"] {
        let file = format!("001-uta_demo-{name}.json");
        let merged = folder.join("merged.json");
        let mut command = vec!["merge".to_string()];
        command.extend(
            parts
                .iter()
                .map(|part| part.join(&file).display().to_string()),
        );
        command.extend(["--json".into(), merged.display().to_string()]);
        run(&command).ended_with(0);
        let (merged, alone) = (read(&merged), read(&whole.join(&file)));
        assert_eq!(merged["judgements"], alone["judgements"], "{name}");
        assert_eq!(merged["top1"], alone["top1"], "{name}");
    }
}

#[test]
fn a_file_says_where_sets_are_and_what_is_expected_of_them() {
    let folder = Folder::new();
    let root = sets(&folder);
    std::fs::remove_file(root.join("clip-benchmark/wds_imagenet-a/classnames.txt")).unwrap();
    let text = r#"
        [sets]
        imagenet = { path = "suite/imagenet", expect-top1 = 1.5 }
        imagenet-a = { path = "suite/clip-benchmark/wds_imagenet-a", label-numbers = "set" }
    "#;
    let file = folder.write("suite.toml", text);
    let ran = suite(&folder, &file, &["--json", "-"])
        .ended_with(1)
        .warned(&["imagenet: top-1: expected 1.5 %", "imagenet-r: not there"]);
    let found: Value = serde_json::from_str(&ran.stdout).unwrap();
    let expected: Expected = fixture_json("suite/expected.json");
    let cells = found["rows"][0]["results"].as_array().unwrap();
    assert_eq!(cells.len(), 3);
    assert_eq!(counts(&cells[1]), expected.sets["imagenet-a"]);
    // The same as a flag of the main command.
    let more = ["--suite", file.to_str().unwrap(), "--json", "-"];
    let other = run(&arguments(&folder, &[], &more)).ended_with(1);
    let other: Value = serde_json::from_str(&other.stdout).unwrap();
    assert_eq!(other["rows"][0]["top1"], found["rows"][0]["top1"]);
}

#[test]
fn flags_that_are_about_one_set_are_refused() {
    let folder = Folder::new();
    folder.write("suite/notes.txt", "x");
    let root = folder.join("suite");
    for (more, text) in [
        (&["--dataset", "imagenet-a"][..], "--dataset"),
        (
            &["--expect-top1", "70"],
            "--expect-top1 is about one data set",
        ),
        (&["--predictions", "x.csv"], "--predictions"),
        (&[], "holds no data set of a suite"),
    ] {
        suite(&folder, &root, more).ended_with(2).said(&[text]);
    }
    suite(&folder, Path::new("/no/such/folder"), &[])
        .ended_with(3)
        .said(&["/no/such/folder"]);
}
