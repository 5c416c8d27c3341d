use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Folder, demo, quick_demo_on, run};

/// Kills in the middle of the evaluation that the result has to survive.
const KILLS: usize = 50;
/// Runs in which they have to succeed.
const RUNS: usize = 500;

fn with(arguments: &[String], more: &[&str]) -> Vec<String> {
    let more = more.iter().map(ToString::to_string);
    arguments.iter().cloned().chain(more).collect()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The report without what no two runs share.
fn result(path: &Path) -> serde_json::Value {
    let text = std::fs::read_to_string(path).unwrap();
    let mut report: serde_json::Value = serde_json::from_str(&text).unwrap();
    for field in [
        "seconds",
        "pictures_per_second",
        "provenance",
        "peak_memory_bytes",
        "classifier",
    ] {
        report.as_object_mut().unwrap().remove(field).unwrap();
    }
    report
}

#[test]
fn killed_fifty_times_at_random_it_ends_in_the_uninterrupted_result() {
    let folder = Folder::new();
    let classifier = folder.join("classifier.safetensors");
    let templates = folder.write("templates.txt", "a photo of a {}.\n");
    let checkpoint = demo("uta_demo.safetensors");
    let model = ["--model", "uta_demo", "--ckpt-path", text(&checkpoint)];
    let build = ["classifier", "--no-cache", "--templates", text(&templates)];
    run(&[&build[..], &model, &["--out", text(&classifier)]].concat()).ended_with(0);
    let pictures = demo("imagenet");
    let base = [
        &model[..],
        &[
            "--imagenet-path",
            text(&pictures),
            "--classifier",
            text(&classifier),
        ],
        &["--batch-size", "2", "--workers", "1"],
    ]
    .concat()
    .iter()
    .map(ToString::to_string)
    .collect::<Vec<_>>();

    let journal = folder.join("journal");
    let length = || journal.metadata().map_or(0, |file| file.len());
    let (json, lines) = (folder.join("whole.json"), folder.join("whole.jsonl"));
    let outputs = ["--json", text(&json), "--predictions", text(&lines)];
    run(&with(&base, &outputs)).ended_with(0);
    let (again, again_lines) = (folder.join("again.json"), folder.join("again.jsonl"));
    let outputs = ["--json", text(&again), "--predictions", text(&again_lines)];
    let resumed = with(&with(&base, &["--resume", text(&journal)]), &outputs);
    let clock = Instant::now();
    run(&resumed).ended_with(0);
    let (whole, whole_length) = (clock.elapsed(), length());
    assert_eq!(result(&again), result(&json));
    std::fs::remove_file(&again).unwrap();
    std::fs::remove_file(&journal).unwrap();

    let mut random = 0x2545_F491_4F6C_DD1D_u64 ^ u64::from(std::process::id());
    let mut fraction = || {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (random >> 40) as f64 / (1 << 24) as f64
    };
    let (mut kills, mut ends) = (0, 0);
    for attempt in 0..RUNS {
        let before = length();
        let mut child = Command::new(env!("CARGO_BIN_EXE_uta-eval"))
            .args(&resumed)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        if attempt % 5 == 0 {
            // Anywhere, while it is starting too.
            std::thread::sleep(whole.mul_f64(fraction()));
        } else {
            // Up to a sixth of the pictures further, and then somewhere in a batch or a write.
            let until = before + (fraction() * whole_length as f64 / 6.0) as u64;
            while length() <= until && child.try_wait().unwrap().is_none() {
                std::thread::sleep(Duration::from_micros(100));
            }
            std::thread::sleep(Duration::from_micros((fraction() * 3000.0) as u64));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // A run that got to its end in time leaves nothing to kill: begin anew.
        if again.exists() {
            assert_eq!(result(&again), result(&json));
            std::fs::remove_file(&again).unwrap();
            std::fs::remove_file(&journal).unwrap();
            ends += 1;
        } else if before < length() {
            kills += 1;
        }
        if kills >= KILLS && length() > 0 {
            break;
        }
    }
    assert!(
        kills >= KILLS,
        "{kills} kills and {ends} ends in {RUNS} runs"
    );
    run(&resumed).ended_with(0);
    assert_eq!(result(&again), result(&json));
    assert_eq!(
        std::fs::read(&again_lines).unwrap(),
        std::fs::read(&lines).unwrap()
    );
}

#[test]
fn a_changed_setting_or_data_set_is_refused_with_what_changed() {
    let folder = Folder::new();
    let from = demo("imagenet/val");
    let wnid = std::fs::read_dir(&from)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    for entry in std::fs::read_dir(&wnid).unwrap() {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(&from).unwrap().to_str().unwrap();
        folder.copy(&path, &format!("pictures/{name}"));
    }
    let journal = folder.join("journal");
    let base = quick_demo_on(&folder.join("pictures"), &folder);
    let resumed = with(&base, &["--resume", text(&journal)]);
    run(&resumed).ended_with(0);
    let bytes = std::fs::read(&journal).unwrap();
    run(&with(&resumed, &["--precision", "bf16"]))
        .ended_with(2)
        .warned(&["precision was f32 and is bf16"]);
    run(&with(&resumed, &["--limit", "1"]))
        .ended_with(2)
        .warned(&["limit was none and is 1"]);
    folder.write("pictures/n01440764/new.png", "");
    run(&resumed).ended_with(2).warned(&["pictures was"]);
    assert_eq!(std::fs::read(&journal).unwrap(), bytes);
}

#[test]
fn another_model_of_the_same_name_is_refused_with_what_differs() {
    let folder = Folder::new();
    let model = |interpolation: &str| {
        let description = serde_json::json!({
            "name": "same", "image_size": 64, "patch_size": 8, "width": 96, "depth": 4, "heads": 4,
            "mlp_hidden": 256, "embedding": 64, "interpolation": interpolation,
            "text": {"width": 32, "depth": 2, "heads": 2},
        });
        let name = format!("{interpolation}.json");
        folder.write(&name, description.to_string())
    };
    let journal = folder.join("journal");
    let with_model = |model: &Path| {
        let mut arguments = quick_demo_on(&demo("imagenet"), &folder);
        let name = arguments.iter().position(|a| a == "uta_demo").unwrap();
        arguments[name] = text(model).into();
        with(&arguments, &["--limit", "2", "--resume", text(&journal)])
    };
    run(&with_model(&model("bicubic"))).ended_with(0);
    let refused = run(&with_model(&model("bilinear"))).ended_with(2);
    let refused = refused.warned(&["interpolation was bicubic and is bilinear\n"]);
    assert_eq!(refused.stderr.matches(" was ").count(), 1);
}

#[test]
fn a_journal_of_another_version_is_refused_and_left_alone() {
    let folder = Folder::new();
    let header = r#"{"uta_eval_journal":{"version":1}}"#;
    let sum = crc32fast::hash(header.as_bytes());
    let journal = folder.write("journal", format!("{sum:08x} {header}\n"));
    let before = std::fs::read(&journal).unwrap();
    let base = quick_demo_on(&demo("imagenet"), &folder);
    run(&with(&base, &["--limit", "2", "--resume", text(&journal)]))
        .ended_with(2)
        .said(&["has version 1; this program reads version 3", "run again"]);
    assert_eq!(std::fs::read(&journal).unwrap(), before);
}
