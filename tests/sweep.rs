use std::path::Path;

use serde_json::Value;

use crate::support::{Folder, demo, quick_demo_on, run};

/// The demo's checkpoint under other names, each with its own file.
fn checkpoints(folder: &Folder, names: &[&str]) {
    for name in names {
        folder.copy(&demo("uta_demo.safetensors"), name);
    }
}

/// Flags of an evaluation of the demo without its checkpoint, and their number of pictures.
fn flags(folder: &Folder, limit: usize) -> Vec<String> {
    let mut flags = quick_demo_on(&demo("imagenet"), folder);
    let at = flags.iter().position(|flag| flag == "--ckpt-path").unwrap();
    flags.drain(at..at + 2);
    flags.extend(["--limit".into(), limit.to_string()]);
    flags
}

fn with(flags: &[String], more: &[&str]) -> Vec<String> {
    let more = more.iter().map(ToString::to_string);
    flags.iter().cloned().chain(more).collect()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn timeless(file: &Path) -> Value {
    let mut value: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    for field in [
        "seconds",
        "pictures_per_second",
        "peak_memory_bytes",
        "classifier",
    ] {
        assert!(value.as_object_mut().unwrap().remove(field).is_some());
    }
    value
}

#[test]
fn three_checkpoints_see_each_picture_decoded_once_and_share_the_classifier() {
    let folder = Folder::new();
    checkpoints(
        &folder,
        &["a.safetensors", "b.safetensors", "c.safetensors"],
    );
    let (out, pattern) = (folder.join("out"), folder.join("*.safetensors"));
    let flags = flags(&folder, 40);
    let sweep = ["--ckpt-path", text(&pattern), "--out", text(&out)];
    let ran = run(&with(&flags, &[&sweep[..], &["-v"]].concat())).ended_with(0);
    assert_eq!(ran.stderr.matches("building the classifier:").count(), 1);
    let ran = ran.warned(&["40 pictures were decoded"]);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines.len(), 4, "{}", ran.stdout);
    assert!(lines[0].starts_with("model") && lines[3].contains("c.safetensors"));
    let alone = folder.join("alone.json");
    let one = [
        "--ckpt-path",
        text(&folder.join("b.safetensors")),
        "--json",
        text(&alone),
    ]
    .map(String::from);
    run(&[&flags[..], &one].concat()).ended_with(0);
    let shared = out.join("002-uta_demo-b.json");
    assert_eq!(timeless(&shared), timeless(&alone));
    for (table, part) in [
        ("table.csv", "uta_demo,a.safetensors,imagenet,f32,"),
        ("table.md", "| uta_demo | b.safetensors | imagenet | f32 | "),
        (
            "table.tex",
            "uta\\_demo & c.safetensors & imagenet & f32 & ",
        ),
    ] {
        let table = std::fs::read_to_string(out.join(table)).unwrap();
        assert!(table.contains(part), "{table}");
    }
}

#[test]
fn a_failing_checkpoint_is_a_row_and_stops_nothing() {
    let folder = Folder::new();
    checkpoints(&folder, &["good.safetensors"]);
    let bad = folder.write("bad.safetensors", "no weights");
    let good = folder.join("good.safetensors");
    let flags = with(
        &flags(&folder, 5),
        &[
            "--ckpt-path",
            text(&bad),
            text(&good),
            "/no/such.safetensors",
        ],
    );
    let ran = run(&flags).ended_with(8);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines.len(), 4, "{}", ran.stdout);
    assert!(lines[1].contains("good.safetensors") && !lines[1].contains("failed"));
    assert!(lines[2].contains("bad.safetensors") && lines[2].contains("failed: "));
    assert!(lines[3].contains("failed: /no/such.safetensors does not exist"));
}

#[test]
fn a_file_names_models_checkpoints_sets_and_precisions() {
    let folder = Folder::new();
    checkpoints(&folder, &["a.safetensors", "b.safetensors"]);
    let templates = folder.write("templates.txt", "a photo of a {}.\n");
    let file = folder.write(
        "sweep.toml",
        format!(
            "imagenet-path = {0:?}\ntemplates = {1:?}\nmodel = \"uta_demo\"\nlimit = 6\nprecision = [\"f32\", \"bf16\"]\n\
             [[run]]\nckpt-path = {2:?}\n[[run]]\nckpt-path = {3:?}\nlimit = 3\nprecision = \"f32\"\n",
            text(&demo("imagenet")),
            text(&templates),
            text(&folder.join("a.*")),
            text(&folder.join("b.safetensors")),
        ),
    );
    let out = folder.join("out");
    let ran = run(&["sweep", text(&file), "--out", text(&out)]).ended_with(0);
    // Both precisions of the first run share a pass, the other has another limit.
    ran.warned(&["9 pictures were decoded"]);
    let totals = ["001-uta_demo-a", "002-uta_demo-a", "003-uta_demo-b"].map(|name| {
        let value = timeless(&out.join(format!("{name}.json")));
        let precision = value["settings"]["precision"].as_str().unwrap().to_string();
        (precision, value["top1"]["total"].as_u64().unwrap())
    });
    let expected = [("f32", 6), ("bf16", 6), ("f32", 3)];
    assert_eq!(totals, expected.map(|(p, n)| (p.to_string(), n)));
}

#[test]
fn a_file_with_what_is_no_flag_is_refused_by_name() {
    let folder = Folder::new();
    let refused = |text: &str, message: &[&str]| {
        let file = folder.write("sweep.toml", text);
        run(&["sweep", file.to_str().unwrap()])
            .ended_with(2)
            .said(message);
    };
    refused("ckpt_path = \"x\"", &["sweep.toml", "--ckpt_path"]);
    refused("limit = ", &["sweep.toml is not TOML"]);
    refused("json = \"x\"", &["json is not of one evaluation"]);
    refused(
        "imagenet-path = \"x\"\nckpt-path = [\"a\", \"a\"]",
        &["evaluates a twice"],
    );
    run(&["sweep", "/no/such.toml"])
        .ended_with(2)
        .said(&["/no/such.toml cannot be read"]);
}

#[test]
fn a_pattern_that_nothing_fits_and_an_output_for_one_are_refused() {
    let folder = Folder::new();
    checkpoints(&folder, &["a.safetensors", "b.safetensors"]);
    let flags = flags(&folder, 5);
    let pattern = folder.join("*.bin");
    run(&with(&flags, &["--ckpt-path", text(&pattern)]))
        .ended_with(2)
        .said(&["no file fits the pattern"]);
    let pattern = folder.join("*.safetensors");
    run(&with(
        &flags,
        &["--ckpt-path", text(&pattern), "--json", "-"],
    ))
    .ended_with(2)
    .said(&["--json is for the result of one checkpoint", "--out DIR"]);
}

#[test]
fn a_sweep_goes_on_where_its_journal_ends() {
    let folder = Folder::new();
    checkpoints(&folder, &["a.safetensors", "b.safetensors"]);
    let flags = flags(&folder, 30);
    let journal = folder.join("journal");
    let run_on = |names: &[&str], out: &str| {
        let files: Vec<String> = names
            .iter()
            .map(|name| text(&folder.join(name)).to_string())
            .collect();
        let mut flags = with(
            &flags,
            &["--resume", text(&journal), "--out", text(&folder.join(out))],
        );
        flags.push("--ckpt-path".into());
        flags.extend(files);
        run(&flags).ended_with(0)
    };
    run_on(&["a.safetensors"], "first").warned(&["30 pictures were decoded"]);
    run_on(&["a.safetensors", "b.safetensors"], "second").warned(&["30 pictures were decoded"]);
    run_on(&["a.safetensors", "b.safetensors"], "third").warned(&["0 pictures were decoded"]);
    for name in ["001-uta_demo-a.json", "002-uta_demo-b.json"] {
        let file = |out: &str| timeless(&folder.join(out).join(name));
        assert_eq!(file("second"), file("third"));
    }
}
