use std::path::{Path, PathBuf};

use crate::checkpoints::derived::missing_key;
use crate::support::{Folder, Ran, demo, demo_on, fixture, quick_demo_on, run, run_with};

/// Evaluates the demo's pictures with another checkpoint and model.
fn evaluate(model: &str, checkpoint: &Path) -> Ran {
    let pictures = demo("imagenet");
    let path = |path: &Path| path.to_str().unwrap().to_string();
    run(&[
        "--imagenet-path".into(),
        path(&pictures),
        "--model".into(),
        model.into(),
        "--ckpt-path".into(),
        path(checkpoint),
    ])
}

/// The small golden checkpoint with its tensors changed.
fn changed(
    folder: &Folder,
    change: impl FnOnce(&mut std::collections::HashMap<String, candle_core::Tensor>),
) -> PathBuf {
    let mut tensors = candle_core::safetensors::load(
        fixture("golden/tiny.safetensors"),
        &candle_core::Device::Cpu,
    )
    .unwrap();
    change(&mut tensors);
    let path = folder.join("changed.safetensors");
    candle_core::safetensors::save(&tensors, &path).unwrap();
    path
}

fn tiny_json() -> String {
    fixture("tiny.json").to_str().unwrap().into()
}

#[test]
fn a_checkpoint_that_does_not_exist() {
    evaluate("uta_demo", Path::new("/no/such.safetensors"))
        .ended_with(4)
        .said(&[
            "error: /no/such.safetensors does not exist",
            "hint: check --ckpt-path",
        ]);
}

#[test]
fn html_saved_as_a_checkpoint() {
    let folder = Folder::new();
    let file = folder.write(
        "a.safetensors",
        "<!DOCTYPE html>\n<html><body>Sign in</body></html>",
    );
    evaluate("uta_demo", &file)
        .ended_with(4)
        .said(&["it is an HTML page", "login page"]);
}

#[test]
fn a_git_lfs_pointer_as_a_checkpoint() {
    let folder = Folder::new();
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n";
    let file = folder.write("a.pt", pointer);
    evaluate("uta_demo", &file)
        .ended_with(4)
        .said(&["Git LFS pointer", "git lfs pull"]);
}

#[test]
fn truncated_checkpoints_at_any_place() {
    let folder = Folder::new();
    for (name, source) in [
        ("cut.safetensors", fixture("golden/tiny.safetensors")),
        ("cut.pt", fixture("golden/tiny.pt")),
    ] {
        let bytes = std::fs::read(source).unwrap();
        for end in [5, 300, bytes.len() / 2, bytes.len() - 1] {
            let file = folder.write(name, &bytes[..end]);
            let ran = evaluate(&tiny_json(), &file).ended_with(4);
            let stated = ["truncated", "damaged", "not a checkpoint"];
            assert!(
                stated.iter().any(|s| ran.stderr.contains(s)),
                "{end}: {}",
                ran.stderr
            );
            assert!(ran.stderr.contains("hint: "), "{}", ran.stderr);
        }
    }
}

#[test]
fn a_checkpoint_whose_header_is_damaged() {
    let folder = Folder::new();
    let mut bytes = std::fs::read(fixture("golden/tiny.safetensors")).unwrap();
    bytes[9] = b'}';
    let file = folder.write("a.safetensors", bytes);
    evaluate(&tiny_json(), &file)
        .ended_with(4)
        .said(&["is damaged", "checksum"]);
}

#[test]
fn a_checkpoint_of_another_variant_says_which() {
    let checkpoint = demo("uta_demo.safetensors");
    let ran = evaluate("eva_base_p16", &checkpoint).ended_with(4).said(&[
        "does not fit the model eva_base_p16\n",
        "1 fit; 416 missing, 115 mis-shaped\n",
        "the checkpoint looks like uta_demo: try --model uta_demo",
    ]);
    assert_eq!(ran.stderr.lines().count(), 3, "{}", ran.stderr);
    // The keys belong to inspect.
    run(&[
        "inspect",
        checkpoint.to_str().unwrap(),
        "--model",
        "eva_base_p16",
    ])
    .ended_with(4)
    .printed(&[
        "416 missing:",
        "115 mis-shaped:",
        "visual.cls_token: expected [1, 1, 768], found [1, 1, 96]",
        "visual.blocks.{4..11}.norm1.bias (8 keys): expected [768]",
    ]);
}

#[test]
fn every_missing_extra_and_misshaped_key_is_listed() {
    let folder = Folder::new();
    let file = changed(&folder, |tensors| {
        tensors.remove("visual.blocks.1.mlp.w2.bias");
        tensors.remove("text.ln_final.weight");
        let head = tensors["visual.head.weight"]
            .t()
            .unwrap()
            .contiguous()
            .unwrap();
        tensors.insert("visual.head.weight".into(), head.clone());
        tensors.insert("visual.extra".into(), head);
    });
    evaluate(&tiny_json(), &file).ended_with(4).said(&[
        "2 missing:",
        "visual.blocks.1.mlp.w2.bias: expected [128]",
        "text.ln_final.weight: expected [32]",
        "1 unexpected:",
        "visual.extra: found [48, 40]",
        "1 mis-shaped:",
        "visual.head.weight: expected [40, 48], found [48, 40]",
    ]);
}

#[test]
fn the_golden_checkpoint_without_a_key_is_refused_by_that_key() {
    evaluate(&tiny_json(), &missing_key().path)
        .ended_with(4)
        .said(&["1 missing:", "visual.blocks.1.mlp.w2.bias: expected [128]"]);
}

#[test]
fn weights_that_are_not_numbers() {
    let folder = Folder::new();
    for (name, index, total) in [("visual.norm.weight", 3, 48), ("text.ln_final.bias", 0, 32)] {
        let file = changed(&folder, |tensors| {
            let mut values: Vec<f32> = tensors[name]
                .to_dtype(candle_core::DType::F32)
                .unwrap()
                .to_vec1()
                .unwrap();
            values[index] = f32::NAN;
            let tensor = candle_core::Tensor::new(values, &candle_core::Device::Cpu).unwrap();
            tensors.insert(name.into(), tensor);
        });
        let message = format!(
            "tensor {name} has 1 of {total} values that are NaN or infinite, the first at [{index}]"
        );
        evaluate(&tiny_json(), &file)
            .ended_with(4)
            .said(&[&message, "training diverged"]);
    }
}

#[test]
fn outputs_that_cannot_be_written_are_found_before_the_work() {
    let folder = Folder::new();
    let a_folder = folder.path().to_str().unwrap();
    for (flag, path) in [
        ("--json", "/no/such/folder/a.json"),
        ("--predictions", "/no/such/folder/a.csv"),
        ("--json", a_folder),
    ] {
        let mut arguments = demo_on(&demo("imagenet"));
        arguments.extend([flag.into(), path.into()]);
        run(&arguments)
            .ended_with(5)
            .said(&[path, "cannot be written", "hint: "]);
    }
}

#[test]
fn a_result_never_replaces_an_input() {
    let folder = Folder::new();
    let checkpoint = folder.copy(&demo("uta_demo.safetensors"), "a.safetensors");
    let mut arguments = quick_demo_on(&demo("imagenet"), &folder);
    let place = arguments.iter().position(|a| a == "--ckpt-path").unwrap() + 1;
    arguments[place] = checkpoint.to_str().unwrap().into();
    arguments.extend(["--json".into(), checkpoint.to_str().unwrap().into()]);
    run(&arguments)
        .ended_with(2)
        .said(&["would replace an input"]);
}

#[test]
fn flags_without_sense() {
    let pictures = demo("imagenet");
    for (more, texts) in [
        (&["--batch-size", "0"][..], &["--batch-size", "0"][..]),
        (&["--batch-size", "many"], &["--batch-size", "many"]),
        (&["--workers", "0"], &["--workers"]),
        (&["--limit", "0"], &["--limit"]),
        (
            &["--image-size", "224"],
            &["224", "uta_demo", "64 x 64", "leave --image-size out"],
        ),
        (&["--predictions", "a.txt"], &["a.txt", ".csv or .jsonl"]),
        (
            &["--json", "a.csv", "--predictions", "a.csv"],
            &["both name a.csv"],
        ),
        (&["--colour"], &["--colour"]),
        (&["demo"], &["demo"]),
        (
            &["--templates", "/no/such.txt"],
            &["templates file /no/such.txt", "No such file"],
        ),
        (
            &["--classnames", "/no/such.txt"],
            &["class names file /no/such.txt"],
        ),
    ] {
        let mut arguments = demo_on(&pictures);
        arguments.extend(more.iter().map(ToString::to_string));
        run(&arguments).ended_with(2).said(texts);
    }
    run(&["--imagenet-path", "x"])
        .ended_with(2)
        .said(&["--ckpt-path"]);
    run::<&str>(&[]).ended_with(2).said(&["uta-eval demo"]);
}

#[test]
fn a_model_that_is_unknown_names_the_known_ones() {
    evaluate("eva_huge", Path::new("x")).ended_with(2).said(&[
        "unknown model \"eva_huge\"",
        "eva_base_p16",
        "eva_large_p14_336",
        "eva_giant_p14_336",
        "uta_demo",
    ]);
}

#[test]
fn model_descriptions_that_describe_no_possible_model() {
    let folder = Folder::new();
    let good = std::fs::read_to_string(fixture("tiny.json")).unwrap();
    for (from, to, text) in [
        (
            "\"patch_size\": 8",
            "\"patch_size\": 7",
            "`image_size` 32 is not a multiple",
        ),
        (
            "\"heads\": 4",
            "\"heads\": 5",
            "`width` 48 does not divide into 5 heads",
        ),
        ("\"heads\": 4", "\"heads\": 8", "must be a multiple of 4"),
        (
            "\"depth\": 3,\n  \"heads\"",
            "\"depth\": 0,\n  \"heads\"",
            "`depth` is 0",
        ),
        (
            "\"depth\": 3,\n  \"heads\"",
            "\"depth\": -3,\n  \"heads\"",
            "not valid",
        ),
        (
            "\"width\": 48",
            "\"width\": 99999999999",
            "`width` is 99999999999",
        ),
        (
            "\"embedding\": 40",
            "\"embeding\": 40",
            "unknown field `embeding`",
        ),
        ("\"embedding\": 40,", "", "missing field `embedding`"),
        ("{", "[", "not valid"),
    ] {
        assert!(good.contains(from), "{from}");
        let file = folder.write("model.json", good.replacen(from, to, 1));
        evaluate(file.to_str().unwrap(), Path::new("x"))
            .ended_with(2)
            .said(&["model.json", text, "Other sizes"]);
    }
    evaluate("/no/such.json", Path::new("x"))
        .ended_with(2)
        .said(&["/no/such.json cannot be read"]);
}

#[test]
fn a_list_of_names_of_another_length_than_the_folders() {
    let folder = Folder::new();
    let names = folder.write("names.txt", "cat\ndog\n");
    let mut arguments = demo_on(&demo("imagenet"));
    arguments.extend(["--classnames".into(), names.to_str().unwrap().into()]);
    run(&arguments).ended_with(3).said(&[
        "has 22 class folders, but there are 2 class names",
        "folder<TAB>name",
    ]);
}

#[test]
fn published_names_are_accepted_in_any_case() {
    for name in ["UTA-B", "uta-l-PIX336", "uta-g-pix336", "EVA_BASE_P16"] {
        evaluate(name, &demo("uta_demo.safetensors"))
            .ended_with(4)
            .said(&["does not fit the model eva_"]);
    }
}

#[test]
fn what_is_quickly_looked_at_comes_before_the_pictures() {
    let folder = Folder::new();
    let home = folder.path().to_str().unwrap();
    let checkpoint = demo("uta_demo.safetensors");
    let checkpoint = checkpoint.to_str().unwrap();
    // No picture is there, so that whoever looks for them first says so.
    let pictures = ["--imagenet-path", "/no/such/pictures"];
    for (more, code, texts) in [
        (
            &["--ckpt-path", "/no/such.pt"][..],
            4,
            &["/no/such.pt does not exist"][..],
        ),
        (
            &["--model", "uta_demo", "--ckpt-path", "/no/such.pt"],
            4,
            &["/no/such.pt does not exist"],
        ),
        (
            &["--ckpt-path", "hf://someone"],
            4,
            &["no address of a file"],
        ),
        (
            &["--ckpt-path", checkpoint, "--predictions", "a.xml"],
            2,
            &[".csv or .jsonl"],
        ),
        (
            // Nothing answers there.
            &[
                "--ckpt-path",
                "hf://someone/CLIP",
                "--json",
                "/no/such/a.json",
            ],
            5,
            &["/no/such/a.json cannot be written"],
        ),
        (
            &["--ckpt-path", checkpoint, "--resume", "/no/such/journal"],
            5,
            &["/no/such/journal cannot be written"],
        ),
        (
            &["--ckpt-path", checkpoint, "--model", "eva_base_p16"],
            4,
            &[
                "does not fit the model eva_base_p16",
                "try --model uta_demo",
            ],
        ),
    ] {
        let arguments = [&pictures[..], more].concat();
        let variables = [("HF_HOME", home), ("HF_ENDPOINT", "http://127.0.0.1:9")];
        run_with(&arguments, &variables)
            .ended_with(code)
            .said(texts);
    }
}

#[test]
fn convert_writes_no_other_ending_and_looks_at_its_output_first() {
    let folder = Folder::new();
    let checkpoint = demo("uta_demo.safetensors");
    let checkpoint = checkpoint.to_str().unwrap();
    for name in ["a.pt", "a.bin", "a"] {
        let out = folder.join(name);
        run(&["convert", checkpoint, out.to_str().unwrap()])
            .ended_with(2)
            .said(&["convert writes safetensors", ".safetensors"]);
        assert!(!out.exists());
    }
    let there = folder.write("there.safetensors", "x");
    run(&["convert", "/no/such.pt", there.to_str().unwrap()])
        .ended_with(5)
        .said(&["exists already"]);
}

#[test]
fn many_unreadable_pictures_are_ten_lines_and_their_number() {
    let folder = Folder::new();
    for index in 0..60 {
        folder.write(&format!("val/n01440764/{index}.JPEG"), "");
    }
    let picture = fixture("golden/photos/01_chelsea_420.jpg");
    folder.copy(&picture, "val/n01443537/a.JPEG");
    let ran = run(&quick_demo_on(folder.path(), &folder)).ended_with(6);
    let told = ran
        .stderr
        .lines()
        .filter(|line| line.starts_with("unreadable: "));
    assert_eq!(told.count(), 10, "{}", ran.stderr);
    ran.warned(&["60 pictures could not be read"])
        .printed(&["skipped      60 unreadable pictures", "and 50 more"]);
}

#[test]
fn rotary_tables_in_two_axes_of_the_grid_are_read_row_by_row() {
    let folder = Folder::new();
    let write = |name: &str, scale: f64, apart: bool| {
        let mut tensors =
            candle_core::safetensors::load(demo("uta_demo.safetensors"), &candle_core::Device::Cpu)
                .unwrap();
        let mut tables = 0;
        for (name, tensor) in &mut tensors {
            if !name.ends_with("freqs_cos") && !name.ends_with("freqs_sin") {
                continue;
            }
            tables += 1;
            *tensor = (&*tensor * scale).unwrap();
            if apart {
                let (cells, channels) = tensor.dims2().unwrap();
                let side = cells.isqrt();
                *tensor = tensor.reshape((side, side, channels)).unwrap();
            }
        }
        assert!(tables > 0);
        let path = folder.join(name);
        candle_core::safetensors::save(&tensors, &path).unwrap();
        let picture = fixture("golden/photos/01_chelsea_420.jpg");
        let arguments = [
            "classify",
            picture.to_str().unwrap(),
            "--labels",
            "a cat,a dog,a tree",
        ];
        let model = ["--model", "uta_demo", "--ckpt-path", path.to_str().unwrap()];
        run(&[&arguments[..], &model].concat()).ended_with(0).stdout
    };
    let plain = write("plain.safetensors", 0.5, false);
    assert_eq!(write("apart.safetensors", 0.5, true), plain);
    // The file's tables count.
    assert_ne!(write("whole.safetensors", 1.0, false), plain);
}

#[test]
fn no_line_for_people_is_longer_than_any_path() {
    let picture = fixture("golden/photos/01_chelsea_420.jpg");
    let picture = picture.to_str().unwrap();
    let checkpoint = demo("uta_demo.safetensors");
    let long = "a".repeat(20_000);
    let labels = format!("{long},b");
    let arguments = ["classify", picture, "--labels", &labels];
    let model = [
        "--model",
        "uta_demo",
        "--ckpt-path",
        checkpoint.to_str().unwrap(),
    ];
    let classified = run(&[&arguments[..], &model].concat()).ended_with(0);
    let missing = run(&["inspect", checkpoint.to_str().unwrap(), "--model", &long]).ended_with(2);
    for line in classified.stdout.lines().chain(missing.stderr.lines()) {
        assert!(
            line.chars().count() < 6000,
            "{} characters",
            line.chars().count()
        );
    }
}
