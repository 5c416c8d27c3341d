//! A checkpoint with weights and their moving average: which is evaluated is said everywhere.

use serde_json::Value;

use crate::checkpoints::derived::demo_with_average;
use crate::support::{Folder, demo, run};

fn json(path: &std::path::Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Arguments that evaluate a checkpoint on a few demo pictures.
fn evaluation(checkpoint: &str, folder: &Folder) -> Vec<String> {
    let templates = folder.write("templates.txt", "a photo of a {}.\n");
    let pictures = demo("imagenet/val");
    [
        "--no-cache",
        "--ckpt-path",
        checkpoint,
        "--model",
        "uta_demo",
        "--imagenet-path",
        pictures.to_str().unwrap(),
        "--limit",
        "40",
        "--templates",
        templates.to_str().unwrap(),
    ]
    .map(Into::into)
    .into()
}

fn with(arguments: &[String], more: &[&str]) -> Vec<String> {
    let more = more.iter().map(ToString::to_string);
    arguments.iter().cloned().chain(more).collect()
}

#[test]
fn the_key_of_the_weights_is_in_every_output_and_the_other_is_named() {
    let (folder, file) = (Folder::new(), demo_with_average());
    let path = file.path.to_str().unwrap();
    let arguments = evaluation(path, &folder);
    let [plain, average, journal] =
        ["plain.json", "average.json", "journal"].map(|name| folder.join(name));
    let [plain_name, average_name, journal_name] =
        [&plain, &average, &journal].map(|path| path.to_str().unwrap());
    let warning = "the weights are those under model; the checkpoint has others under model_ema: --weights model_ema takes these";
    run(&with(
        &arguments,
        &["--json", plain_name, "--resume", journal_name],
    ))
    .ended_with(0)
    .warned(&[warning])
    .printed(&["weights under model)"]);
    let said = run(&with(
        &arguments,
        &["--weights", "model_ema", "--json", average_name],
    ))
    .ended_with(0)
    .printed(&["weights under model_ema, names without module.)"]);
    assert!(!said.stderr.contains("has others"), "{}", said.stderr);
    let (plain, average) = (json(&plain), json(&average));
    assert_eq!(plain["checkpoint"]["weights"], "model");
    assert_eq!(plain["checkpoint"]["prefix"], Value::Null);
    assert!(
        plain["warnings"]
            .as_array()
            .unwrap()
            .contains(&warning.into())
    );
    assert_eq!(average["checkpoint"]["weights"], "model_ema");
    assert_eq!(average["checkpoint"]["prefix"], "module.");
    assert_eq!(
        plain["checkpoint"]["sha256"],
        average["checkpoint"]["sha256"]
    );
    // The average is the demo's weights.
    let demo_json = folder.join("demo.json");
    let weights = demo("uta_demo.safetensors");
    let weights = evaluation(weights.to_str().unwrap(), &folder);
    run(&with(&weights, &["--json", demo_json.to_str().unwrap()])).ended_with(0);
    let demo = json(&demo_json);
    assert_eq!(demo["judgements"], average["judgements"]);
    assert_ne!(demo["judgements"], plain["judgements"]);
    assert_eq!(demo["checkpoint"]["weights"], Value::Null);
    // A journal of the one is none of the other.
    run(&with(
        &arguments,
        &["--weights", "model_ema", "--resume", journal_name],
    ))
    .ended_with(2)
    .said(&["weights", "model_ema"]);
    run(&["compare", plain_name, average_name])
        .ended_with(0)
        .printed(&["weights.bin (model)", "weights.bin (model_ema)"]);
}

#[test]
fn every_command_with_a_checkpoint_takes_the_key() {
    let (folder, file) = (Folder::new(), demo_with_average());
    let path = file.path.to_str().unwrap();
    run(&["inspect", path]).ended_with(0).printed(&[
        "weights      those under model\n",
        "others       --weights model_ema\n",
    ]);
    run(&[
        "inspect",
        path,
        "--weights",
        "model_ema",
        "--model",
        "uta_demo",
    ])
    .ended_with(0)
    .printed(&[
        "weights      those under model_ema\n",
        "every key begins with module.",
    ]);
    run(&["inspect", path, "--weights", "ema"])
        .ended_with(4)
        .said(&["has no weights under ema", "model, model_ema", "hint: "]);
    let converted = folder.join("average.safetensors");
    let converted = converted.to_str().unwrap();
    run(&["convert", path, converted, "--weights", "model_ema"])
        .ended_with(0)
        .printed(&["the weights under model_ema"]);
    let picture = demo("imagenet/val")
        .read_dir()
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let picture = picture.read_dir().unwrap().next().unwrap().unwrap().path();
    let classify = |checkpoint: &str, more: &[&str]| {
        let arguments = ["classify", picture.to_str().unwrap(), "--labels", "a,b"];
        let model = ["--model", "uta_demo", "--ckpt-path", checkpoint];
        run(&[&arguments[..], &model, more].concat()).ended_with(0)
    };
    let average = classify(path, &["--weights", "model_ema"]);
    assert_eq!(average.stdout, classify(converted, &[]).stdout);
    let plain = classify(path, &[]).warned(&["--weights model_ema takes these"]);
    assert_ne!(average.stdout, plain.stdout);
    let out = folder.join("classifier.safetensors");
    let arguments = [
        "classifier",
        "--no-cache",
        "--model",
        "uta_demo",
        "--ckpt-path",
        path,
    ];
    let templates = folder.write("templates.txt", "{}\n");
    let more = [
        "--templates",
        templates.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
    ];
    run(&[&arguments[..], &more].concat())
        .ended_with(0)
        .warned(&["--weights model_ema takes these"]);
}

#[test]
fn a_sweep_takes_several_keys_and_tells_them_apart() {
    let (folder, file) = (Folder::new(), demo_with_average());
    let templates = folder.write("templates.txt", "a photo of a {}.\n");
    let text = format!(
        "imagenet-path = {:?}\nckpt-path = {:?}\nmodel = \"uta_demo\"\nlimit = 40\nno-cache = true\ntemplates = {:?}\nweights = [\"model\", \"model_ema\"]\n",
        demo("imagenet/val"),
        file.path,
        templates
    );
    let sweep = folder.write("sweep.toml", text);
    let out = folder.join("results");
    run(&[
        "sweep",
        sweep.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
    ])
    .ended_with(0);
    let table = std::fs::read_to_string(out.join("table.csv")).unwrap();
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 3, "{table}");
    assert!(lines[0].contains("weights"), "{table}");
    assert!(table.contains("model_ema"), "{table}");
    // Each has the judgements of its own weights, as when it is evaluated alone.
    let path = file.path.to_str().unwrap();
    let mut judgements = Vec::new();
    for (place, key) in ["model", "model_ema"].iter().enumerate() {
        let alone = folder.join("alone.json");
        let more = ["--weights", key, "--json", alone.to_str().unwrap()];
        run(&with(&evaluation(path, &folder), &more)).ended_with(0);
        let of_sweep = json(&out.join(format!("{:03}-weights-{key}.json", place + 1)));
        assert_eq!(of_sweep["checkpoint"]["weights"], *key);
        assert_eq!(of_sweep["judgements"], json(&alone)["judgements"], "{key}");
        judgements.push(of_sweep["judgements"].clone());
    }
    assert_ne!(judgements[0], judgements[1]);
}
