use std::path::Path;

use serde_json::Value;
use uta_eval::model::Layout;

use crate::choice::{cut, hollow, strange};
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
        "provenance",
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
    let shared = out.join("002-b.json");
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

/// The flags without `--model`.
fn unnamed(mut flags: Vec<String>) -> Vec<String> {
    let at = flags.iter().position(|flag| flag == "--model").unwrap();
    flags.drain(at..at + 2);
    flags
}

#[test]
fn a_checkpoint_without_a_model_is_a_row_and_stops_nothing() {
    let folder = Folder::new();
    checkpoints(&folder, &["good.safetensors", "odd/described.safetensors"]);
    folder.write("odd/open_clip_config.json", "{\"model_cfg\": {}}");
    let described = folder.join("odd/described.safetensors");
    let good = folder.join("good.safetensors");
    let either = hollow(&folder, "either.safetensors", "ViT-B-32", Layout::OpenClip);
    let strange = strange(&folder, "strange.safetensors");
    let cut = cut(&folder, "cut.safetensors");
    let out = folder.join("out");
    let mut files = vec!["--ckpt-path"];
    files.extend([&cut, &good, &either, &strange, &described].map(|path| text(path)));
    files.extend(["/no/such.safetensors", "--out", text(&out)]);
    let ran = run(&with(&unnamed(flags(&folder, 5)), &files)).ended_with(8);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    let rows = [
        ("good.safetensors", "100.00  100.00"),
        ("cut.safetensors", "failed: /"),
        (
            "either.safetensors",
            "--model ViT-B-32 or --model ViT-B-32-quickgelu",
        ),
        ("strange.safetensors", "no known model has the shapes of /"),
        ("described.safetensors", "`model_cfg.embed_dim` is missing"),
        (
            "such.safetensors",
            "failed: /no/such.safetensors does not exist",
        ),
    ];
    assert_eq!(lines.len(), 1 + rows.len(), "{}", ran.stdout);
    for (line, (name, words)) in lines[1..].iter().zip(rows) {
        let model = match name {
            "good.safetensors" => "uta_demo  ",
            _ => "unknown   ",
        };
        assert!(line.starts_with(model), "{line}");
        assert!(line.contains(name), "{line}");
        assert!(line.contains(words), "{line}");
    }
    let ran = ran.warned(&[
        "1 of 6: unknown, cut.safetensors, imagenet, f32: failed: /",
        "6 of 6: uta_demo, good.safetensors, imagenet, f32: top-1 ",
        "5 pictures were decoded",
    ]);
    assert!(!ran.stderr.contains("eva_base"), "{}", ran.stderr);
    // The numbers are those of the command line.
    let mut written = Vec::new();
    for entry in out.read_dir().unwrap() {
        written.push(entry.unwrap().file_name().into_string().unwrap());
    }
    written.sort();
    assert_eq!(
        written,
        ["002-good.json", "table.csv", "table.md", "table.tex"]
    );
    for (table, part) in [
        ("table.csv", "unknown,cut.safetensors,imagenet,f32,,,,"),
        (
            "table.md",
            "| unknown | cut.safetensors | imagenet | f32 | failed: ",
        ),
        (
            "table.tex",
            "unknown & cut.safetensors & imagenet & f32 & -- & -- & -- & -- & failed \\\\",
        ),
    ] {
        let table = std::fs::read_to_string(out.join(table)).unwrap();
        assert_eq!(table.matches(part).count(), 1, "{table}");
        assert_eq!(table.matches("unknown").count(), 5, "{table}");
    }
}

#[test]
fn a_sweep_without_any_model_prints_its_table_and_checks_its_flags() {
    let folder = Folder::new();
    let (a, b) = (
        cut(&folder, "a.safetensors"),
        strange(&folder, "b.safetensors"),
    );
    let flags = unnamed(flags(&folder, 5));
    let sweep = |more: &[&str]| {
        let files = ["--ckpt-path", text(&a), text(&b)];
        run(&with(&flags, &[&files[..], more].concat()))
    };
    let ran = sweep(&[]).ended_with(8).warned(&["0 pictures"]);
    assert_eq!(ran.stdout.lines().count(), 3, "{}", ran.stdout);
    assert_eq!(ran.stdout.matches("failed: ").count(), 2, "{}", ran.stdout);
    for (more, words) in [
        (&["--model", "eva_huge"][..], "unknown model \"eva_huge\""),
        (&["--shard", "3/2"], "3/2"),
        (&["--expect-top1", "200"], "is no percentage"),
        (&["--classnames", "/no/such.txt"], "/no/such.txt"),
        (&["--trace", text(&b)], "would replace an input"),
    ] {
        sweep(more).ended_with(2).said(&[words]);
    }
    let again = folder.join("./b.safetensors");
    let twice = ["--ckpt-path", text(&b), text(&again)];
    run(&with(&flags, &twice))
        .ended_with(2)
        .said(&["twice in the same way"]);
    // What tells evaluations apart tells rows without one apart, too.
    let file = folder.write(
        "sweep.toml",
        format!(
            "imagenet-path = {:?}\nckpt-path = {:?}\nlimit = [3, 5]\n",
            text(&demo("imagenet")),
            text(&a),
        ),
    );
    let ran = run(&["sweep", text(&file)]).ended_with(8);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    let cells = |line: usize| -> Vec<&str> { lines[line].split_whitespace().take(5).collect() };
    assert_eq!(
        cells(0),
        ["model", "checkpoint", "set", "precision", "limit"]
    );
    for (line, limit) in [(1, "3"), (2, "5")] {
        let expected = ["unknown", "a.safetensors", "imagenet", "f32", limit];
        assert_eq!(cells(line), expected);
    }
    let file = folder.write(
        "sweep.toml",
        format!(
            "imagenet-path = \"x\"\nckpt-path = {:?}\n[[run]]\n[[run]]\nmodel = \"ViT-B-32\"\npretrained = \"nobody\"\n",
            text(&a),
        ),
    );
    run(&["sweep", text(&file)])
        .ended_with(2)
        .said(&["no weights of ViT-B-32 have the tag nobody"]);
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
    let totals = [
        "001-a-f32-limit-6",
        "002-a-bf16-limit-6",
        "003-b-f32-limit-3",
    ]
    .map(|name| {
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
    refused(
        "ckpt_path = \"x\"",
        &["sweep.toml: ckpt_path is no flag of an evaluation"],
    );
    refused(
        "strict = true\nlimit = ",
        &["sweep.toml is not TOML: line 2"],
    );
    refused(
        "imagenet-path = \"x\"\n[[run]]\nckpt-path = \"a\"\n[[run]]\nlimit = 3",
        &["sweep.toml, [[run]] number 2: missing: ckpt-path"],
    );
    refused(
        "imagenet-path = \"x\"\nckpt-path = \"a\"\nlimit = 0",
        &["sweep.toml: limit = \"0\" cannot be used"],
    );
    refused(
        "imagenet-path = \"x\"\nckpt-path = \"a\"\nmodel = \"uta_demo\"\nexpect-top1 = 200",
        &["sweep.toml: --expect-top1 200 is no percentage"],
    );
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
    for name in ["001-a.json", "002-b.json"] {
        let file = |out: &str| timeless(&folder.join(out).join(name));
        assert_eq!(file("second"), file("third"));
    }
}

#[test]
fn lists_of_templates_and_limits_are_evaluations_of_their_own_with_columns() {
    let folder = Folder::new();
    checkpoints(&folder, &["x/a.safetensors", "y/a.safetensors"]);
    let one = folder.write("one.txt", "a photo of a {}.\n");
    let two = folder.write("two.txt", "a {}.\n");
    let file = folder.write(
        "sweep.toml",
        format!(
            "imagenet-path = {:?}\nmodel = \"uta_demo\"\nckpt-path = {:?}\ntemplates = [{:?}, {:?}]\nlimit = [3, 5]\nno-cache = true\n",
            text(&demo("imagenet")),
            text(&folder.join("?/a.safetensors")),
            text(&one),
            text(&two),
        ),
    );
    let (out, journal) = (folder.join("out"), folder.join("journal"));
    let arguments = [
        "sweep",
        text(&file),
        "--out",
        text(&out),
        "--resume",
        text(&journal),
    ];
    let ran = run(&arguments).ended_with(0);
    assert_eq!(ran.stdout.lines().count(), 9, "{}", ran.stdout);
    let head = ran.stdout.lines().next().unwrap().to_string();
    assert!(head.contains("templates") && head.contains("limit"));
    // The table is printed once; a line tells of each result as it comes.
    assert_eq!(ran.stderr.matches("pictures/s").count(), 0);
    let ran = ran.warned(&[
        "1 of 8: uta_demo, x/a.safetensors, ",
        "8 of 8: ",
        ": top-1 ",
    ]);
    let ran = ran.printed(&["x/a.safetensors", "y/a.safetensors", "first 3 of 220"]);
    let rows: std::collections::HashSet<&str> = ran
        .stdout
        .lines()
        .skip(1)
        .map(|line| line.split("  ").next().unwrap())
        .collect();
    assert_eq!(rows.len(), 1);
    let csv = std::fs::read_to_string(out.join("table.csv")).unwrap();
    let head = csv.lines().next().unwrap();
    assert!(head.ends_with("checkpoint_path,result_file,templates,limit"));
    let first = format!("{},", text(&out.join("001-x-a-one-limit-3.json")));
    assert!(csv.contains(&first), "{csv}");
    run(&arguments)
        .ended_with(0)
        .warned(&["0 pictures were decoded"]);
}

#[test]
fn what_cannot_be_written_is_found_before_anything_is_computed() {
    let folder = Folder::new();
    checkpoints(&folder, &["a.safetensors", "b.safetensors"]);
    let flags = flags(&folder, 5);
    let pattern = folder.join("*.safetensors");
    let sweep = |out: &str, more: &[&str]| {
        let out = folder.join(out);
        let basic = ["--ckpt-path", text(&pattern), "--out", text(&out)];
        run(&with(&flags, &[&basic[..], more].concat()))
    };
    for name in ["002-b.json", "table.md"] {
        let out = format!("out-{name}");
        std::fs::create_dir_all(folder.join(&out).join(name)).unwrap();
        sweep(&out, &[])
            .ended_with(5)
            .said(&[name, "cannot be written"]);
    }
    let table = folder.join("mixed/table.csv");
    for flag in ["--resume", "--trace"] {
        sweep("mixed", &[flag, text(&table)])
            .ended_with(2)
            .said(&[flag, "--out both name"]);
    }
    folder.write("old/007-uta_demo-z.json", "{}");
    sweep("old", &["-v"])
        .ended_with(0)
        .warned(&["holds results of another sweep", "007-uta_demo-z.json"]);
}

#[test]
fn a_checkpoint_is_the_same_by_any_path_that_leads_to_it() {
    let folder = Folder::new();
    checkpoints(&folder, &["a.safetensors"]);
    std::fs::create_dir(folder.join("sub")).unwrap();
    let flags = flags(&folder, 5);
    let first = folder.join("a.safetensors");
    let again = folder.join("sub/../a.safetensors");
    run(&with(&flags, &["--ckpt-path", text(&first), text(&again)]))
        .ended_with(2)
        .said(&["twice in the same way", "it is the same file as"]);
}

#[test]
fn a_missed_expectation_is_told_with_its_numbers_and_shown_in_the_table() {
    let folder = Folder::new();
    checkpoints(&folder, &["a.safetensors", "b.safetensors"]);
    let flags = flags(&folder, 5);
    let pattern = folder.join("*.safetensors");
    run(&with(
        &flags,
        &["--ckpt-path", text(&pattern), "--expect-top1", "1", "-q"],
    ))
    .ended_with(1)
    .warned(&[
        "error: a.safetensors: top-1: expected 1 % within 0.1, found ",
        "error: b.safetensors: top-1: expected 1 %",
        "difference +",
    ])
    .printed(&["missed top-1: expected 1 %"]);
}

#[test]
fn a_checkpoint_of_another_model_is_one_line_of_the_table_and_two_of_the_log() {
    let folder = Folder::new();
    checkpoints(&folder, &["a.safetensors"]);
    let tiny = crate::support::fixture("golden/tiny.safetensors");
    let flags = flags(&folder, 5);
    let good = folder.join("a.safetensors");
    let ran = run(&with(&flags, &["--ckpt-path", text(&good), text(&tiny)])).ended_with(8);
    assert_eq!(ran.stdout.lines().count(), 3, "{}", ran.stdout);
    ran.warned(&["error: ", "29 fit; 19 missing", "hint: "])
        .printed(&["failed: ", "does not fit the model uta_demo; "]);
}

#[cfg(unix)]
#[test]
fn an_interrupted_sweep_shows_how_far_it_came() {
    let folder = Folder::new();
    let names = ["a", "b", "c", "d"].map(|name| format!("{name}.safetensors"));
    checkpoints(&folder, &names.each_ref().map(String::as_str));
    let mut flags = flags(&folder, 220);
    let (out, journal) = (folder.join("out"), folder.join("journal"));
    let pattern = folder.join("*.safetensors");
    flags.extend(
        [
            "--ckpt-path",
            text(&pattern),
            "--out",
            text(&out),
            "--resume",
            text(&journal),
            "--batch-size",
            "1",
        ]
        .map(String::from),
    );
    let child = std::process::Command::new(env!("CARGO_BIN_EXE_uta-eval"))
        .args(&flags)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let clock = std::time::Instant::now();
    while journal.metadata().map_or(0, |file| file.len()) < 9000 {
        assert!(clock.elapsed().as_secs() < 60);
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let pid = child.id().to_string();
    let mut kill = std::process::Command::new("kill");
    assert!(
        kill.args([crate::support::interrupt_signal(), &pid])
            .status()
            .unwrap()
            .success()
    );
    let ended = child.wait_with_output().unwrap();
    let shown = String::from_utf8(ended.stdout).unwrap();
    assert_eq!(ended.status.code(), Some(130), "{shown}");
    assert_eq!(shown.matches("PARTIAL: ").count(), 4, "{shown}");
    assert!(shown.contains(" of 220"), "{shown}");
    let table = std::fs::read_to_string(out.join("table.csv")).unwrap();
    assert_eq!(table.matches("PARTIAL: ").count(), 4, "{table}");
    assert!(!out.join("001-a.json").exists());
}
