use serde_json::Value;

use super::commands::{calls_in, run_alone};
use super::documents::{Document, documents};
use crate::support::{Folder, demo, run};

fn guide(name: &str) -> Document {
    let path = format!("assets/guide/{name}.md");
    Document::read(path.as_ref())
}

#[test]
fn outputs_that_follow_a_command_are_what_it_prints() {
    let folder = Folder::new();
    let mut compared = 0;
    for document in documents() {
        for pair in document.blocks().windows(2) {
            let [script, output] = pair else { continue };
            if output.language != "text" {
                continue;
            }
            let calls = calls_in(script);
            let printed = calls.iter().filter_map(|call| run_alone(call, &folder));
            let printed: String = printed.collect();
            if printed.is_empty() {
                continue;
            }
            let mut rest = printed.lines();
            for line in output.text.lines().filter(|line| line.trim() != "…") {
                let there = rest.any(|printed| printed == line);
                assert!(
                    there,
                    "{}: no {line:?} in\n{printed}",
                    document.at(output.line)
                );
                compared += 1;
            }
        }
    }
    assert!(compared >= 10, "only {compared} lines were compared");
}

/// Requires the same fields, in the elements of lists too. What is `null` in either may be anything.
fn assert_same_fields(place: &str, shown: &Value, real: &Value) {
    match (shown, real) {
        (Value::Object(shown), Value::Object(real)) => {
            let keys = |object: &serde_json::Map<String, Value>| {
                let mut keys: Vec<String> = object.keys().cloned().collect();
                keys.sort();
                keys
            };
            assert_eq!(keys(shown), keys(real), "{place}");
            for (key, shown) in shown {
                assert_same_fields(&format!("{place}.{key}"), shown, &real[key]);
            }
        }
        (Value::Array(shown), Value::Array(real)) => {
            if let (Some(shown), Some(real)) = (shown.first(), real.first()) {
                assert_same_fields(&format!("{place}[0]"), shown, real);
            }
        }
        (Value::Null, _) | (_, Value::Null) => {}
        (shown, real) => {
            let same = std::mem::discriminant(shown) == std::mem::discriminant(real);
            assert!(same, "{place}: {shown} and {real}");
        }
    }
}

#[test]
fn documents_and_predictions_have_the_fields_that_are_shown() {
    let folder = Folder::new();
    let files = ["lines.jsonl", "table.csv"].map(|name| folder.join(name));
    let printed = files.each_ref().map(|file| {
        let file = file.to_str().unwrap();
        run(&["demo", "--json", "-", "--predictions", file])
            .ended_with(0)
            .stdout
    });
    let written = files.map(|file| std::fs::read_to_string(file).unwrap());
    let first = |text: &str| text.lines().next().unwrap().to_string();
    let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap();

    let guide = guide("results");
    let mut shown = guide.blocks();
    shown.retain(|block| block.language == "json");
    let [document, line] = shown.as_slice() else {
        panic!("another number of JSON blocks")
    };
    let (shown, real) = (parse(&document.text), parse(&printed[0]));
    assert_same_fields("document", &shown, &real);
    assert_eq!(shown["schema_version"], real["schema_version"]);
    assert_same_fields("line", &parse(&line.text), &parse(&first(&written[0])));
    assert_eq!(first(&guide.block("csv").text), first(&written[1]));
}

/// The guide's table of models is what `uta-eval models` knows.
#[test]
fn the_models_of_the_guide_are_those_of_the_program() {
    let listed = run(&["models", "--json", "-"]).ended_with(0).stdout;
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let million = |count: &Value| count.as_f64().unwrap() / 1e6;
    let row = |model: &Value| {
        let checkpoints = model["checkpoints"].as_array().unwrap();
        let percent = |c: &Value| c["published_top1_percent"]["imagenet"].as_f64();
        let best = checkpoints.iter().filter_map(percent).reduce(f64::max);
        format!(
            "| `{}` | {} | {} | {:.1} M + {:.1} M | {:.1} | {} | {} |",
            model["name"].as_str().unwrap(),
            model["image_size"],
            model["patch_size"],
            million(&model["vision_parameters"]),
            million(&model["text_parameters"]),
            model["gflop_per_picture"].as_f64().unwrap(),
            checkpoints.len(),
            best.map_or(String::new(), |best| format!("{best:.2} %")),
        )
    };
    let models = listed["models"].as_array().unwrap();
    let expected: Vec<String> = models.iter().map(row).collect();
    let guide = guide("models");
    let shown = guide.text.lines().filter(|line| line.contains(" M + "));
    assert_eq!(shown.collect::<Vec<_>>(), expected);
}

#[test]
fn the_description_of_a_model_is_valid() {
    let folder = Folder::new();
    let model = folder.write("model.json", guide("checkpoints").block("json").text);
    let checkpoint = demo("uta_demo.safetensors");
    let arguments = [checkpoint.as_path(), "--model".as_ref(), &model];
    // The checkpoint is another model's; 2 would say that the description is not valid.
    let arguments = std::iter::once("inspect".as_ref()).chain(arguments);
    run(&arguments.collect::<Vec<_>>())
        .ended_with(4)
        .printed(&["my_uta: does not fit"]);
}

#[test]
fn the_sweep_file_is_valid() {
    let folder = Folder::new();
    let file = guide("sweeps").block("toml").text;
    // Its files are in the test's folder, and no checkpoints.
    let below = |name: &str| folder.join(name).to_str().unwrap().to_string();
    let mut here = file.replace("\"/data/imagenet\"", &format!("{:?}", below("imagenet")));
    for name in [
        "uta_b.safetensors",
        "runs/base-*.safetensors",
        "uta_l.safetensors",
    ] {
        folder.write(&name.replace('*', "1"), "");
        let changed = here.replace(&format!("\"{name}\""), &format!("{:?}", below(name)));
        assert_ne!(changed, here, "the file has no {name}");
        here = changed;
    }
    let file = folder.write("night.toml", here);
    let table = run(&["sweep", file.to_str().unwrap()]).ended_with(8).stdout;
    // Three checkpoints in two precisions, below the head.
    assert_eq!(table.lines().count(), 7, "{table}");
}
