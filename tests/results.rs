use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{Folder, Ran, demo, quick_demo_on, run, run_with};

/// Evaluates the demo's pictures, writes JSON to `name` and gives its path.
fn result(folder: &Folder, name: &str, more: &[&str]) -> PathBuf {
    let file = folder.join(name);
    evaluate(folder, &file, more).ended_with(0);
    file
}

fn evaluate(folder: &Folder, file: &Path, more: &[&str]) -> Ran {
    run_with(&arguments(folder, file, more), &[])
}

fn arguments(folder: &Folder, file: &Path, more: &[&str]) -> Vec<String> {
    let mut arguments = quick_demo_on(&demo("imagenet"), folder);
    arguments.extend(["--json".into(), file.to_str().unwrap().into()]);
    arguments.extend(more.iter().map(ToString::to_string));
    arguments
}

fn value(file: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

/// The document's text without the lines that hold times and memory.
fn timeless(file: &Path) -> String {
    let mut value = value(file);
    for field in [
        "seconds",
        "pictures_per_second",
        "peak_memory_bytes",
        "provenance",
    ] {
        assert!(value.as_object_mut().unwrap().remove(field).is_some());
    }
    serde_json::to_string_pretty(&value).unwrap()
}

#[track_caller]
fn check_schema(document: &Value) {
    check_schema_of(document, "result");
}

#[track_caller]
fn check_schema_of(document: &Value, kind: &str) {
    let validator = validator(kind);
    let errors: Vec<String> = validator
        .iter_errors(document)
        .map(|e| format!("{}: {e}", e.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

fn validator(kind: &str) -> jsonschema::Validator {
    let schema = run(&["schema", "--of", kind]).ended_with(0).stdout;
    let schema: Value = serde_json::from_str(&schema).unwrap();
    jsonschema::draft202012::meta::validate(&schema).unwrap();
    jsonschema::validator_for(&schema).unwrap()
}

/// The JSON pointers of a document's values; of lists, of the first elements.
fn places(value: &Value, place: &str) -> Vec<String> {
    let inside: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(k, v)| (k.clone(), v)).collect(),
        Value::Array(list) => list.first().map(|v| ("0".into(), v)).into_iter().collect(),
        _ => Vec::new(),
    };
    let inside = inside.into_iter();
    let inside = inside.flat_map(|(name, value)| places(value, &format!("{place}/{name}")));
    [place.to_string()].into_iter().chain(inside).collect()
}

/// Checks that the schema refuses the document with one field more, with one less, and with one of
/// another kind, wherever that is.
#[track_caller]
fn check_strictness_of(document: &Value, kind: &str) {
    let validator = validator(kind);
    let refused = |place: &str, what: &str, change: &dyn Fn(&mut Value)| {
        let mut changed = document.clone();
        change(changed.pointer_mut(place).unwrap());
        assert!(!validator.is_valid(&changed), "{place}: {what}");
    };
    for place in places(document, "") {
        refused(&place, "another kind", &|v| *v = json!({"foreign": {}}));
        match document.pointer(&place).unwrap() {
            Value::Object(fields) => {
                refused(&place, "one more", &|v| v["foreign"] = json!(1));
                for name in fields.keys() {
                    let remove = |v: &mut Value| v.as_object_mut().unwrap().remove(name);
                    refused(&place, name, &|v| drop(remove(v)));
                }
            }
            Value::Number(_) => {
                let negative =
                    place.ends_with("/difference") || place.contains("/difference_interval95/");
                if !negative {
                    refused(&place, "negative", &|v| *v = json!(-1));
                }
                if place.ends_with("percent") {
                    refused(&place, "more than all", &|v| *v = json!(100.5));
                }
            }
            Value::String(_) if place.ends_with("sha256") && kind == "result" => {
                refused(&place, "no digest", &|v| *v = json!("x"));
            }
            _ => {}
        }
    }
}

fn merge(files: &[PathBuf], more: &[&str]) -> Ran {
    let mut arguments = vec!["merge".to_string()];
    arguments.extend(files.iter().map(|file| file.to_str().unwrap().to_string()));
    arguments.extend(more.iter().map(ToString::to_string));
    run(&arguments)
}

fn shards(folder: &Folder, of: usize, more: &[&str]) -> Vec<PathBuf> {
    (1..=of)
        .map(|index| {
            let shard = format!("{index}/{of}");
            let more: Vec<&str> = ["--shard", &shard].iter().chain(more).copied().collect();
            result(folder, &format!("{index}-of-{of}.json"), &more)
        })
        .collect()
}

#[test]
fn shards_merge_to_the_single_run_bit_for_bit_and_fit_the_schema() {
    let folder = Folder::new();
    let single = result(&folder, "single.json", &[]);
    check_schema(&value(&single));
    for of in [1, 2, 3, 7] {
        let mut parts = shards(&folder, of, &[]);
        check_schema(&value(&parts[0]));
        parts.reverse();
        let merged = folder.join("merged.json");
        merge(&parts, &["--json", merged.to_str().unwrap()])
            .ended_with(0)
            .printed(&["top-1", "/220)"]);
        assert_eq!(timeless(&merged), timeless(&single), "{of} shards");
        check_schema(&value(&merged));
    }
}

#[test]
fn the_schemas_admit_no_other_documents() {
    let folder = Folder::new();
    let [a, b] = ["a.json", "b.json"].map(|name| {
        let more = ["--shard", "1/2", "--limit", "200"];
        result(&folder, name, &more)
    });
    let mut document = value(&a);
    // What no evaluation of the demo has all of.
    document["unreadable"] = json!([{"path": "a.jpg", "reason": "the file is empty"}]);
    document["tied_classes"] = json!([[1, 2]]);
    document["warnings"] = json!(["w"]);
    document["expectations"] = json!([{
        "metric": "top1", "expected_percent": 1.0, "source": "s", "tolerance": 0.1,
        "found_percent": 2.0, "difference": 1.0, "met": false,
    }]);
    document["model"]["published"] = json!({"top1_percent": 77.0, "tolerance": 0.1, "source": "s"});
    check_schema(&document);
    check_strictness_of(&document, "result");
    let schema = validator("result");
    for (place, value) in [
        ("/schema_version", json!(2)),
        ("/data/labels", json!("other")),
        ("/data/source", json!("other")),
        ("/classifier/origin", json!("other")),
        ("/expectations/0/metric", json!("top2")),
        ("/settings/shard/index", json!(0)),
        ("/settings/limit", json!(0)),
        ("/calibration/bins", json!([])),
        ("/top1/interval95", json!([1.0])),
        ("/top1/interval95/1", json!(101.0)),
        ("/judgements/0", json!(["a", 1, 1, 1, 5])),
        ("/judgements/0/3", json!(6)),
        ("/judgements/0/4", json!(1_000_001)),
        ("/judgements/0/5", json!(3)),
    ] {
        let mut changed = document.clone();
        *changed.pointer_mut(place).unwrap() = value;
        assert!(!schema.is_valid(&changed), "{place}");
    }
    let compare = ["compare", a.to_str().unwrap(), b.to_str().unwrap()];
    let compared = run(&[&compare[..], &["--json", "-"]].concat()).ended_with(0);
    let comparison: Value = serde_json::from_str(&compared.stdout).unwrap();
    check_schema_of(&comparison, "comparison");
    check_strictness_of(&comparison, "comparison");
}

#[test]
fn shards_with_unreadable_pictures_merge_to_the_single_run_too() {
    let folder = Folder::new();
    for (index, good) in [true, false, true, false, true].iter().enumerate() {
        let name = format!("set/n02165456/{index}.jpg");
        if *good {
            let picture = format!("imagenet/val/n02165456/n02165456_00{index}.jpg");
            folder.copy(&demo(&picture), &name);
        } else {
            folder.write(&name, "no picture");
        }
    }
    let evaluate = |name: &str, more: &[&str]| {
        let file = folder.join(name);
        let mut arguments = quick_demo_on(&folder.join("set"), &folder);
        arguments.extend(["--json".into(), file.to_str().unwrap().into()]);
        arguments.extend(more.iter().map(ToString::to_string));
        let code = run(&arguments).code;
        assert!([0, 6].contains(&code), "{code}");
        file
    };
    let single = evaluate("single.json", &[]);
    let parts = ["1/7", "2/7", "3/7", "4/7", "5/7", "6/7", "7/7"]
        .map(|shard| evaluate(&format!("{}.json", &shard[..1]), &["--shard", shard]));
    let merged = folder.join("merged.json");
    merge(&parts, &["--json", merged.to_str().unwrap()]).ended_with(6);
    assert_eq!(timeless(&merged), timeless(&single));
    check_schema(&value(&merged));
}

#[test]
fn merging_refuses_overlaps_gaps_mixtures_and_incomplete_shards() {
    let folder = Folder::new();
    let parts = shards(&folder, 3, &["--limit", "9"]);
    let [a, b, c] = [&parts[0], &parts[1], &parts[2]].map(Clone::clone);
    let refused = |files: &[&PathBuf], texts: &[&str]| {
        let files: Vec<PathBuf> = files.iter().map(|file| (*file).clone()).collect();
        merge(&files, &[]).ended_with(2).said(texts);
    };
    refused(&[&a, &c], &["1 of 3 shards is missing: 2/3"]);
    refused(&[&a, &b, &b, &c], &["overlap", "both are shard 2/3"]);
    let change = |name: &str, change: &dyn Fn(&mut Value)| {
        let mut document = value(&b);
        change(&mut document);
        folder.write(name, document.to_string())
    };
    let mixed = change("mixed.json", &|v| {
        v["settings"]["precision"] = json!("bf16");
        v["checkpoint"]["sha256"] = json!("00");
    });
    refused(
        &[&a, &mixed, &c],
        &[
            "precision (f32 and bf16)",
            "checkpoint sha256 (",
            "mixed.json",
        ],
    );
    let other = change("other.json", &|v| v["settings"]["shard"]["of"] = json!(4));
    refused(&[&a, &other, &c], &["the number of shards (3 and 4)"]);
    let cut = change("cut.json", &|v| {
        v["judgements"].as_array_mut().unwrap().pop();
    });
    refused(&[&a, &cut, &c], &["cut.json holds 2 pictures", "2/3 has 3"]);
    let twice = change("twice.json", &|v| {
        v["judgements"] = value(&a)["judgements"].clone();
    });
    refused(&[&a, &twice, &c], &["is in two shards"]);
    let partial = change("partial.json", &|v| v["interrupted"] = json!(true));
    refused(&[&a, &partial, &c], &["partial.json is the partial result"]);
    let lie = change("lie.json", &|v| v["top1"]["correct"] = json!(0));
    refused(&[&a, &lie, &c], &["lie.json contradicts itself: top-1"]);
    let double = change("double.json", &|v| {
        let rows = v["judgements"].as_array_mut().unwrap();
        rows[1] = rows[0].clone();
    });
    refused(&[&a, &double, &c], &["double.json has ", " twice"]);
    let whole = change("whole.json", &|v| v["settings"]["shard"] = Value::Null);
    refused(&[&a, &whole], &["whole.json is the result of a whole run"]);
    let old = change("old.json", &|v| v["schema_version"] = json!(1));
    refused(&[&a, &old], &["old.json has schema version 1"]);
    let junk = folder.write("junk.json", "{\"schema_version\": 4}");
    refused(&[&junk], &["junk.json is no result"]);
}

#[test]
fn the_environment_names_the_shard_only_when_asked() {
    let folder = Folder::new();
    let variables = [("RANK", "1"), ("WORLD_SIZE", "2")];
    let ran = |more: &[&str]| {
        let file = folder.join("result.json");
        let more: Vec<&str> = ["--limit", "4"].iter().chain(more).copied().collect();
        run_with(&arguments(&folder, &file, &more), &variables).ended_with(0);
        let document = value(&file);
        let shard = document["settings"]["shard"].clone();
        (shard, document["judgements"].as_array().unwrap().len())
    };
    assert_eq!(ran(&[]), (Value::Null, 4));
    assert_eq!(ran(&["--shard", "auto"]), (json!({"index": 2, "of": 2}), 2));
    assert_eq!(ran(&["--shard", "1/4"]), (json!({"index": 1, "of": 4}), 1));
    let file = folder.join("x.json");
    evaluate(&folder, &file, &["--shard", "0/4"])
        .ended_with(2)
        .said(&["--shard 0/4 is no part", "I from 1 to N"]);
}

#[test]
fn a_missed_expectation_ends_in_exit_code_1_with_the_result_written() {
    let folder = Folder::new();
    let file = folder.join("result.json");
    let found = evaluate(
        &folder,
        &file,
        &[
            "--expect-top1",
            "12.5",
            "--tolerance",
            "0.1",
            "--expect-top5",
            "0",
        ],
    )
    .ended_with(1)
    .printed(&["top-1", "missed"])
    .warned(&[
        "error: top-1: expected 12.5 % within 0.1, found ",
        "difference +",
    ]);
    assert!(found.stderr.contains("top-5: expected 0 %"));
    let document = value(&file);
    check_schema(&document);
    assert_eq!(document["expectations"][0]["met"], json!(false));
    let top1 = document["top1"]["percent"].to_string();
    evaluate(
        &folder,
        &file,
        &["--expect-top1", &top1, "--tolerance", "0"],
    )
    .ended_with(0)
    .printed(&["met"]);
}

#[test]
fn expectations_that_make_no_sense_are_refused_before_the_evaluation() {
    let folder = Folder::new();
    let file = folder.join("result.json");
    let refused = |more: &[&str], texts: &[&str]| {
        evaluate(&folder, &file, more).ended_with(2).said(texts);
    };
    refused(
        &["--expect", "published"],
        &[
            "no published accuracy is known",
            "none is published for uta_demo",
            "--expect-top1",
        ],
    );
    refused(&["--expect-top1", "101"], &["101 is no percentage"]);
    refused(&["--tolerance", "-1"], &["--tolerance -1 is no distance"]);
    refused(
        &["--expect-top1", "-5"],
        &["--expect-top1 -5 is no percentage"],
    );
    refused(
        &["--expect-top1", "5", "--shard", "1/2"],
        &["a shard's accuracy", "uta-eval merge"],
    );
}

#[test]
fn expectations_are_checked_after_merging() {
    let folder = Folder::new();
    let parts = shards(&folder, 2, &["--limit", "6"]);
    merge(&parts, &["--expect-top5", "100"]).ended_with(0);
    merge(&parts, &["--expect-top5", "3"]).ended_with(1);
}

#[test]
fn two_results_are_compared_picture_by_picture() {
    let folder = Folder::new();
    let a = result(&folder, "a.json", &[]);
    let other = folder.write("other.txt", "{}\n");
    let b = folder.join("b.json");
    let mut arguments = crate::support::demo_on(&demo("imagenet"));
    for argument in [
        "--json",
        b.to_str().unwrap(),
        "--templates",
        other.to_str().unwrap(),
    ] {
        arguments.push(argument.into());
    }
    run(&arguments).ended_with(0);
    let compared = |more: &[&str]| {
        let mut arguments = vec!["compare", a.to_str().unwrap(), b.to_str().unwrap()];
        arguments.extend(more);
        run(&arguments)
    };
    let found: Value =
        serde_json::from_str(&compared(&["--json", "-"]).ended_with(0).stdout).unwrap();
    // Counted anew from the rows.
    let right = |file: &Path| -> Vec<bool> {
        let rows = value(file)["judgements"].clone();
        let rows = rows.as_array().unwrap().clone();
        rows.iter().map(|row| row[3] == json!(1)).collect()
    };
    let (in_a, in_b) = (right(&a), right(&b));
    let only_a = in_a.iter().zip(&in_b).filter(|(a, b)| **a && !**b).count();
    let only_b = in_a.iter().zip(&in_b).filter(|(a, b)| !**a && **b).count();
    assert!(
        only_a + only_b > 0,
        "the two prompts ought to differ somewhere"
    );
    assert_eq!(found["top1"]["mcnemar"]["only_a"], json!(only_a));
    assert_eq!(found["top1"]["mcnemar"]["only_b"], json!(only_b));
    assert_eq!(found["only_a"].as_array().unwrap().len(), only_a);
    assert_eq!(found["pictures"], json!(220));
    check_schema_of(&found, "comparison");
    let prompts = |side: &str| {
        let side = &found[side];
        (side["templates"].clone(), side["templates_file"].clone())
    };
    assert_eq!(prompts("b"), (json!(1), json!(other.to_str().unwrap())));
    assert_ne!(prompts("a"), prompts("b"));
    let [low, high] = [0, 1].map(|end| {
        let end = &found["top1"]["difference_interval95"][end];
        end.as_f64().unwrap()
    });
    let difference = found["top1"]["difference"].as_f64().unwrap();
    assert!(low < difference && difference < high);
    assert_eq!(found["same_file"], json!(false));
    compared(&[]).ended_with(0).printed(&[
        "McNemar (",
        &format!(
            "difference {difference:+.2} points, 95 % interval {low:+.2} to {high:+.2} (Newcombe, paired)"
        ),
        "templates    A 1 (",
        "other.txt)",
        "classifier   A ",
    ]);

    let short = result(&folder, "short.json", &["--limit", "20"]);
    let (a, short) = (a.to_str().unwrap(), short.to_str().unwrap());
    run(&["compare", a, short]).ended_with(2).said(&[
        "not on the same pictures",
        "200 are only in the first",
        "--common",
    ]);
    run(&["compare", a, short, "--common"])
        .ended_with(0)
        .printed(&["pictures     20 in both", "p = 1.0000"]);
}

#[test]
fn a_comparison_ends_in_a_verdict() {
    let folder = Folder::new();
    let a = result(&folder, "a.json", &[]);
    // The result with the first `wrong` of its right pictures wrong.
    let worse = |name: &str, wrong: usize| {
        let mut document = value(&a);
        let rows = document["judgements"].as_array_mut().unwrap();
        let right = rows.iter_mut().filter(|row| row[3] == json!(1));
        for row in right.take(wrong) {
            row[2] = json!(999);
            row[3] = json!(2);
        }
        let rows = rows.iter();
        let correct = rows.filter(|row| row[3] == json!(1)).count();
        document["top1"]["correct"] = json!(correct);
        folder.write(name, document.to_string())
    };
    let verdict = |b: &Path| {
        let ran = run(&["compare", a.to_str().unwrap(), b.to_str().unwrap()]).ended_with(0);
        let last = ran.stdout.lines().last().unwrap();
        last.strip_prefix("verdict      ").unwrap().to_string()
    };
    assert_eq!(
        verdict(&worse("ten.json", 10)),
        "A is better than B at top-1, by 4.55 points: more than chance explains (p = 0.0020)"
    );
    assert_eq!(
        verdict(&worse("two.json", 2)),
        "at top-1, chance may explain the difference of -0.91 points (p = 0.5000)"
    );
    assert_eq!(
        verdict(&worse("none.json", 0)),
        "A and B have the same pictures right at top-1"
    );
}

#[test]
fn a_result_that_is_compared_with_itself_is_told_so() {
    let folder = Folder::new();
    let a = result(&folder, "a.json", &["--limit", "3"]);
    let other = folder.join("./a.json");
    let ran = run(&[
        "compare",
        a.to_str().unwrap(),
        other.to_str().unwrap(),
        "--json",
        "-",
    ]);
    let ran = ran.ended_with(0).warned(&["A and B are one file"]);
    let found: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(found["same_file"], json!(true));
}

#[test]
fn results_that_were_judged_by_different_rules_are_not_compared() {
    let folder = Folder::new();
    let a = result(&folder, "a.json", &["--limit", "5"]);
    let changed = |name: &str, change: &dyn Fn(&mut Value)| {
        let mut document = value(&a);
        change(&mut document);
        folder.write(name, document.to_string())
    };
    let refused = |b: &Path, texts: &[&str]| {
        let files = [a.to_str().unwrap(), b.to_str().unwrap()];
        run(&["compare", files[0], files[1], "--common"])
            .ended_with(2)
            .said(texts);
    };
    let other = changed("other.json", &|v| {
        v["data"]["dataset"] = json!("imagenet-a");
        v["data"]["classes"] = json!(200);
    });
    refused(
        &other,
        &[
            "different rules",
            "data set (imagenet and imagenet-a)",
            "classes to rank among (1000 and 200)",
            "--dataset",
        ],
    );
    let real = changed("real.json", &|v| v["data"]["labels"] = json!("real"));
    refused(&real, &["labels (original and real)"]);
    let twice = changed("twice.json", &|v| {
        let rows = v["judgements"].as_array_mut().unwrap();
        rows[4] = rows[0].clone();
    });
    refused(&twice, &["twice.json has ", " twice"]);
    let lie = changed("lie.json", &|v| v["top5"]["correct"] = json!(0));
    refused(&lie, &["lie.json contradicts itself: top-5"]);
    let endless = Path::new("/dev/zero");
    if endless.exists() {
        refused(endless, &["/dev/zero cannot be read", "it is a device"]);
    }
}

#[cfg(unix)]
#[test]
fn file_names_that_are_no_text_stay_apart_in_the_result() {
    use std::os::unix::ffi::OsStrExt;
    let folder = Folder::new();
    let from = demo("imagenet/val/n02165456/n02165456_000.jpg");
    for byte in [0xe8, 0xe9] {
        let name = [b"caf", &[byte][..], b".jpg"].concat();
        let set = folder.join("set/n02165456");
        std::fs::create_dir_all(&set).unwrap();
        std::fs::copy(&from, set.join(std::ffi::OsStr::from_bytes(&name))).unwrap();
    }
    let file = folder.join("result.json");
    let mut arguments = quick_demo_on(&folder.join("set"), &folder);
    arguments.extend(["--json".into(), file.to_str().unwrap().into()]);
    run(&arguments).ended_with(0);
    let rows = value(&file)["judgements"].clone();
    let names = [rows[0][0].clone(), rows[1][0].clone()];
    assert_eq!(names, ["n02165456/caf\\xE8.jpg", "n02165456/caf\\xE9.jpg"]);
    let file = file.to_str().unwrap();
    run(&["compare", file, file]).ended_with(0);
}

#[test]
fn the_html_report_is_one_file_that_asks_nothing_of_the_network() {
    let folder = Folder::new();
    let page = folder.join("report.html");
    let file = result(
        &folder,
        "result.json",
        &["--report", page.to_str().unwrap()],
    );
    let html = std::fs::read_to_string(&page).unwrap();
    let document = value(&file);
    for text in [
        "<!DOCTYPE html>",
        "prefers-color-scheme: dark",
        "data:image/jpeg;base64,",
        "<svg",
        document["checkpoint"]["sha256"].as_str().unwrap(),
        document["confusions"][0]["label_name"].as_str().unwrap(),
    ] {
        assert!(html.contains(text), "no {text}");
    }
    for text in [
        "http://",
        "https://",
        "<link",
        "@import",
        "url(",
        "<script src",
    ] {
        assert!(!html.contains(text), "{text}");
    }
    // What it runs is its own, and the browser is told to run nothing else.
    assert_eq!(html.matches("<script").count(), 1);
    assert!(html.contains("default-src 'none'; img-src data:; style-src 'sha256-"));
    assert!(html.contains("; script-src 'sha256-"));
    assert!(html.len() < 1_000_000, "{} bytes", html.len());

    let merged = folder.join("merged.html");
    let parts = shards(&folder, 2, &[]);
    merge(&parts, &["--report", merged.to_str().unwrap()]).ended_with(0);
    let merged = std::fs::read_to_string(&merged).unwrap();
    let timeless = |html: &str| {
        let mut html = html.to_string();
        for (begin, end) in [
            ("<dl class=provenance>", "</dl>"),
            ("<tr><th scope=row>Time", "</tr>"),
        ] {
            let from = html.find(begin).unwrap();
            let to = from + html[from..].find(end).unwrap();
            html.replace_range(from..to, "");
        }
        html
    };
    assert_eq!(timeless(&merged), timeless(&html));
}

#[test]
fn names_in_the_html_report_are_escaped() {
    let folder = Folder::new();
    folder.copy(
        &demo("imagenet/val/n02165456/n02165456_000.jpg"),
        "set/<b>&\"/<i>.jpg",
    );
    let names = folder.write("names.txt", "<b>&\"\t<script>zebra\nz\tladybug\n");
    let page = folder.join("report.html");
    let mut arguments = quick_demo_on(&folder.join("set"), &folder);
    for argument in ["--classnames", names.to_str().unwrap(), "--report"] {
        arguments.push(argument.into());
    }
    arguments.push(page.to_str().unwrap().into());
    run(&arguments).ended_with(0);
    let html = std::fs::read_to_string(&page).unwrap();
    assert!(html.contains("&lt;script&gt;zebra"));
    for text in ["<script>zebra", "<b>&\"", "<i>"] {
        assert!(!html.contains(text), "{text}");
    }
}

/// The page of an evaluation that ends with this code, and its result.
fn page(folder: &Folder, pictures: &Path, more: &[&str], code: i32) -> (String, Value) {
    let [html, json] = ["page.html", "page.json"].map(|name| folder.join(name));
    let mut arguments = quick_demo_on(pictures, folder);
    let outputs = [
        "--report",
        html.to_str().unwrap(),
        "--json",
        json.to_str().unwrap(),
    ];
    arguments.extend(outputs.iter().chain(more).map(ToString::to_string));
    run(&arguments).ended_with(code);
    (std::fs::read_to_string(html).unwrap(), value(&json))
}

#[test]
fn the_html_report_begins_with_what_a_reader_has_to_know() {
    let folder = Folder::new();
    for (index, name) in ["a", "b", "c", "d"].iter().enumerate() {
        let picture = format!("imagenet/val/n02165456/n02165456_00{index}.jpg");
        folder.copy(&demo(&picture), &format!("set/n02165456/{name}.jpg"));
    }
    folder.write("set/n02165456/b.jpg", "no picture");
    let more = ["--limit", "3", "--expect-top1", "12"];
    let (html, result) = page(&folder, &folder.join("set"), &more, 1);
    let provenance = &result["provenance"];
    let first = |field: &str| provenance[field][0].as_str().unwrap().to_string();
    let (date, _) = provenance["started"]
        .as_str()
        .unwrap()
        .split_once('T')
        .unwrap();
    for text in [
        &format!("<dt>Date<dd>{date} "),
        &format!("<dt>Host<dd>{}<", first("hosts")),
        &format!("<dt>Processor<dd>{}<", first("processors")),
        "<dt>Data set<dd>imagenet in set: 4 pictures<",
        "<dt>Precision<dd>f32 on cpu<",
        "<dt>Limit<dd>the first 3 pictures<",
        "<dt>Command<dd><code><span>uta-eval</span> <span>--no-cache</span> ",
        "<p class=\"banner bad\"><strong>Expectation missed.</strong> top-1: expected 12 %",
        "<p class=\"banner bad\"><strong>Unreadable pictures.</strong> 1 picture could not be read and is not counted: <a href=#unreadable>",
        "<h2 id=unreadable>",
        "<p class=\"banner warn\"><strong>Partial set.</strong> The first 3 of 4 pictures only",
        "<strong>Partial set.</strong> The data set has 4 pictures of 1 of the 1000 classes",
    ] {
        assert!(html.contains(text), "no {text} in\n{html}");
    }
    let (html, _) = page(&folder, &demo("imagenet"), &["--expect-top5", "100"], 0);
    assert!(html.contains("<p class=\"banner good\"><strong>Expectation met.</strong>"));
    assert!(html.contains("<dt>Limit<dd>none<"));
}

#[test]
fn the_html_report_has_every_class_and_a_confusion_leads_to_its_pictures() {
    let folder = Folder::new();
    let other = folder.write("other.txt", "{}\n");
    let more = ["--templates", other.to_str().unwrap()];
    let mut arguments = crate::support::demo_on(&demo("imagenet"));
    let [html, json] = ["page.html", "page.json"].map(|name| folder.join(name));
    let outputs = [
        "--report",
        html.to_str().unwrap(),
        "--json",
        json.to_str().unwrap(),
    ];
    arguments.extend(outputs.iter().chain(&more).map(ToString::to_string));
    run(&arguments).ended_with(0);
    let (html, result) = (std::fs::read_to_string(html).unwrap(), value(&json));
    let table = html.split("<table id=classes>").nth(1).unwrap();
    let (table, _) = table.split_once("</table>").unwrap();
    let classes = result["per_class"].as_array().unwrap();
    assert_eq!(table.matches("<tr><th scope=row>").count(), classes.len());
    let confusions = result["confusions"].as_array().unwrap();
    assert!(confusions.len() > 3);
    for confusion in confusions {
        let anchor = format!("c{}-{}", confusion["label"], confusion["predicted"]);
        let linked = table.contains(&format!("<a href=#{anchor}>"));
        // Three other classes are named for each.
        let others = confusions
            .iter()
            .filter(|c| c["label"] == confusion["label"]);
        assert!(linked || others.count() > 3, "{anchor}");
        let begin = format!("<summary id={anchor}>");
        let details = html.split(&begin).nth(1).unwrap();
        let (details, _) = details.split_once("</details>").unwrap();
        let pictures = confusion["pictures"].as_u64().unwrap().min(6);
        assert_eq!(
            details.matches("<img ").count() as u64,
            pictures,
            "{anchor}"
        );
        assert!(details.contains("Predicted as <b class=wrong>"));
    }
    for text in [
        "Confident mistakes",
        ">number of classes<",
        ">top-1 accuracy of the class (%)<",
        ">accuracy (%)<",
        ">confidence (%)<",
        ">pictures (%)<",
        "class=\"dot few\"",
        "class=\"whisker",
    ] {
        assert!(html.contains(text), "no {text}");
    }
}
