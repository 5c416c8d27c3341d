use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;
use uta_eval::classifier::{Classifier, file};
use uta_eval::data::Set;
use uta_eval::data::loader::load_one;
use uta_eval::inference::Silent;
use uta_eval::inference::loading;
use uta_eval::inference::zero_shot::ImageEncoder;
use uta_eval::kernels::Precision;
use uta_eval::model::{Compute, ModelConfig};
use uta_eval::picture::preprocessing::Interpolation;
use uta_eval::picture::{Preprocessor, header};
use uta_eval::text::imagenet::wnids;

use crate::support::{Folder, Ran, demo, demo_on, quick_demo_on, run};

const LADYBUG: usize = 301;
const ZEBRA: usize = 340;

/// The ladybug (number 0 to 9) or zebra of the demo.
fn picture(class: usize, number: usize) -> PathBuf {
    let wnid = wnids()[class];
    demo(&format!("imagenet/val/{wnid}/{wnid}_00{number}.jpg"))
}

fn evaluate(folder: &Folder, pictures: &Path, more: &[&str]) -> Ran {
    run(&arguments(folder, pictures, more))
}

fn arguments(folder: &Folder, pictures: &Path, more: &[&str]) -> Vec<String> {
    let mut arguments = quick_demo_on(pictures, folder);
    arguments.extend(more.iter().map(ToString::to_string));
    arguments
}

/// The JSON result on standard output.
fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|e| panic!("{e} in {}", ran.stdout))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    path: String,
    label: usize,
    right: Option<Vec<usize>>,
    top5: Vec<usize>,
    logits: Vec<f32>,
}

fn lines(file: &Path) -> Vec<Line> {
    let text = std::fs::read_to_string(file).unwrap();
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The demo's model, taken apart.
struct Parts {
    encoder: ImageEncoder,
    classifier: Classifier,
    preprocessor: Preprocessor,
}

impl Parts {
    /// With the classifier in a file.
    fn new(classifier: &Path) -> Self {
        let config = ModelConfig::from_name_or_file("uta_demo").unwrap();
        let compute = Compute::cpu(Precision::F32);
        let checkpoint =
            loading::open_for(&demo("uta_demo.safetensors"), &config, &mut Silent).unwrap();
        let warn = &mut |warning| panic!("{warning}");
        let tower = loading::vision_tower(&checkpoint, &config, &compute, warn).unwrap();
        let preprocessing = &config.preprocessing;
        Self {
            encoder: ImageEncoder::new(tower, preprocessing, &compute).unwrap(),
            classifier: file::read(classifier).unwrap().0,
            preprocessor: Preprocessor::new(preprocessing.size, preprocessing.interpolation),
        }
    }

    /// The five best of some classes, by the logits of all.
    fn best(&self, picture: &Path, classes: &[usize]) -> (Vec<usize>, Vec<f32>) {
        let crop = load_one(picture, self.preprocessor).unwrap();
        let logits = self
            .classifier
            .logits(&self.encoder.encode(&crop).unwrap()[0]);
        assert_eq!(logits.len(), self.classifier.classes());
        let mut masked: Vec<(usize, f32)> = classes.iter().map(|c| (*c, logits[*c])).collect();
        masked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        masked.into_iter().take(5).unzip()
    }
}

/// A classifier of the demo's model in a file.
fn make_classifier(file: &Path, lists: &[&str]) {
    let checkpoint = demo("uta_demo.safetensors");
    let mut arguments = vec!["classifier", "--no-cache", "--model", "uta_demo"];
    arguments.extend(["--ckpt-path", checkpoint.to_str().unwrap()]);
    arguments.extend(lists);
    arguments.extend(["--out", file.to_str().unwrap()]);
    run(&arguments).ended_with(0);
}

/// The wnids in an asset, as class indices.
fn classes_in(asset: &str) -> Vec<usize> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("assets/sets")
        .join(asset);
    let text = std::fs::read_to_string(path).unwrap();
    let wnid = |word: &str| wnids().iter().position(|wnid| *wnid == word);
    let mut classes: Vec<usize> = text.split_whitespace().filter_map(wnid).collect();
    classes.sort_unstable();
    classes
}

/// A PNG of a picture's pixels inside a red frame of two pixels.
fn framed(picture: &Path) -> Vec<u8> {
    // Of a square picture, the crop of its own size is all of it.
    let side = header(&std::fs::read(picture).unwrap()).unwrap().width;
    let whole = Preprocessor::new(side, Interpolation::Bicubic);
    let pixels = load_one(picture, whole).unwrap();
    let side = side as u32;
    let picture = image::RgbImage::from_raw(side, side, pixels).unwrap();
    let (width, height) = picture.dimensions();
    let red = image::Rgb([255, 0, 0]);
    let mut framed = image::RgbImage::from_pixel(width + 4, height + 4, red);
    image::imageops::replace(&mut framed, &picture, 2, 2);
    let mut bytes = std::io::Cursor::new(Vec::new());
    framed
        .write_to(&mut bytes, image::ImageFormat::Png)
        .unwrap();
    bytes.into_inner()
}

#[test]
fn masked_sets_agree_with_a_direct_calculation_from_the_logits_of_all_classes() {
    let folder = Folder::new();
    let templates = folder.write("templates.txt", "a photo of a {}.\n");
    let classifier = folder.join("classifier.safetensors");
    let out = classifier.to_str().unwrap();
    make_classifier(&classifier, &["--templates", templates.to_str().unwrap()]);
    let parts = Parts::new(&classifier);

    let of = |asset: &str| -> Vec<(String, PathBuf)> {
        let there = classes_in(asset).into_iter().map(|class| wnids()[class]);
        there
            .map(|wnid| (wnid.to_string(), demo("imagenet/val").join(wnid)))
            .filter(|(_, from)| from.is_dir())
            .collect()
    };
    let bananas = demo("imagenet/val/n07753592");
    let clocks = demo("imagenet/val/n02708093");
    let objects = vec![("banana".into(), bananas), ("alarm_clock".into(), clocks)];
    for (set, asset, classes, folders) in [
        (
            "imagenet-a",
            "imagenet_a_wnids.txt",
            200,
            of("imagenet_a_wnids.txt"),
        ),
        (
            "imagenet-r",
            "imagenet_r_wnids.txt",
            200,
            of("imagenet_r_wnids.txt"),
        ),
        ("objectnet", "objectnet.tsv", 125, objects),
    ] {
        let choices = classes_in(asset);
        assert_eq!(choices.len(), classes, "{set}");
        let mut originals = Vec::new();
        for (to, from) in folders.iter().take(3) {
            let mut files: Vec<PathBuf> = std::fs::read_dir(from)
                .unwrap()
                .map(|e| e.unwrap().path())
                .collect();
            files.sort();
            // The frame is put around square pictures only.
            files.retain(|file| {
                let header = header(&std::fs::read(file).unwrap()).unwrap();
                header.width == header.height
            });
            for file in files.into_iter().take(4) {
                let name = file.file_stem().unwrap().to_str().unwrap();
                if set == "objectnet" {
                    folder.write(&format!("{set}/images/{to}/{name}.png"), framed(&file));
                } else {
                    folder.copy(&file, &format!("{set}/{to}/{name}.jpg"));
                }
                originals.push(file);
            }
        }
        let predictions = folder.join(&format!("{set}.jsonl"));
        let mut arguments = demo_on(&folder.join(set));
        arguments.retain(|argument| argument != "--no-cache");
        let file = predictions.to_str().unwrap();
        for more in ["--dataset", set, "--classifier", out, "--predictions", file] {
            arguments.push(more.into());
        }
        if set == "objectnet" {
            arguments.extend(["--protocol".into(), "objectnet".into()]);
        }
        run(&arguments)
            .ended_with(0)
            .printed(&[set, &format!("ranked among {classes}")]);
        let lines = lines(&predictions);
        assert_eq!(lines.len(), originals.len(), "{set}");
        assert!(lines.len() > 2, "{set}");
        for line in &lines {
            let stem = Path::new(&line.path).file_stem();
            let original = originals.iter().find(|o| o.file_stem() == stem).unwrap();
            let (best, logits) = parts.best(original, &choices);
            assert_eq!(line.top5, best, "{}", line.path);
            assert_eq!(line.logits, logits, "{}", line.path);
            assert!(choices.contains(&line.label));
        }
    }
}

#[test]
fn all_sets_share_one_classifier_in_the_cache() {
    let folder = Folder::new();
    folder.copy(&picture(LADYBUG, 0), "set/n02165456/a.jpg");
    let cache = folder.join("cache");
    let templates = folder.write("templates.txt", "a photo of a {}.\n");
    let mut keys = Vec::new();
    for (set, origin) in [
        ("imagenet", "built"),
        ("imagenet-r", "cache"),
        ("imagenet-a", "cache"),
    ] {
        let mut arguments = demo_on(&folder.join("set"));
        arguments.retain(|argument| argument != "--no-cache");
        let (cache, templates) = (cache.to_str().unwrap(), templates.to_str().unwrap());
        let more = [
            "--cache-dir",
            cache,
            "--templates",
            templates,
            "--json",
            "-",
        ];
        arguments.extend(
            more.iter()
                .chain(&["--dataset", set])
                .map(ToString::to_string),
        );
        let result = json(&run(&arguments).ended_with(0));
        assert_eq!(result["classifier"]["origin"], origin, "{set}");
        keys.push(result["classifier"]["key"].clone());
    }
    assert!(keys.iter().all(|key| *key == keys[0]));
}

#[test]
fn the_folders_of_imagenet_v2_are_class_indices_in_the_order_of_numbers() {
    let folder = Folder::new();
    folder.copy(&picture(LADYBUG, 0), "v2/301/a.jpeg");
    folder.copy(&picture(ZEBRA, 0), "v2/340/a.jpeg");
    folder.copy(&picture(ZEBRA, 1), "v2/9/a.jpeg");
    let predictions = folder.join("predictions.jsonl");
    let more = [
        "--predictions",
        predictions.to_str().unwrap(),
        "--json",
        "-",
    ];
    let more: Vec<&str> = more
        .iter()
        .chain(&["--dataset", "imagenet-v2"])
        .copied()
        .collect();
    let ran = evaluate(&folder, &folder.join("v2"), &more).ended_with(0);
    let result = json(&ran);
    assert_eq!(result["data"]["dataset"], "imagenet-v2");
    assert_eq!(result["data"]["classes"], 1000);
    assert_eq!(result["top1"]["correct"], 2, "a zebra is no class 9");
    let labels: Vec<usize> = lines(&predictions).iter().map(|line| line.label).collect();
    assert_eq!(labels, [9, LADYBUG, ZEBRA]);
}

#[test]
fn a_folder_of_several_variants_of_imagenet_v2_is_in_doubt() {
    let folder = Folder::new();
    let picture = picture(LADYBUG, 0);
    folder.copy(
        &picture,
        "v2/imagenetv2-matched-frequency-format-val/301/a.jpeg",
    );
    let more = ["--dataset", "imagenet-v2"];
    evaluate(&folder, &folder.join("v2"), &more)
        .ended_with(0)
        .printed(&["imagenetv2-matched-frequency-format-val", "(1/1)"]);
    folder.copy(&picture, "v2/imagenetv2-top-images-format-val/301/a.jpeg");
    evaluate(&folder, &folder.join("v2"), &more)
        .ended_with(3)
        .said(&[
            "several folders of pictures",
            "imagenetv2-top-images-format-val",
        ]);
}

#[test]
fn numbered_folders_lead_to_imagenet_v2() {
    let folder = Folder::new();
    folder.write("v2/0/a.jpeg", "x");
    evaluate(&folder, &folder.join("v2"), &[])
        .ended_with(3)
        .said(&["plain numbers", "--dataset imagenet-v2"]);
}

#[test]
fn objectnets_other_folders_are_left_out_and_counted_and_several_classes_may_be_right() {
    let folder = Folder::new();
    for place in ["bicycle", "air_freshener", "baking_sheet"] {
        folder.write(
            &format!("objectnet-1.0/images/{place}/a.png"),
            framed(&picture(ZEBRA, 0)),
        );
    }
    folder.write(
        "objectnet-1.0/mappings/folder_to_objectnet_label.json",
        "{}",
    );
    let predictions = folder.join("predictions.jsonl");
    let more = [
        "--predictions",
        predictions.to_str().unwrap(),
        "--json",
        "-",
    ];
    let more: Vec<&str> = more
        .iter()
        .chain(&["--dataset", "objectnet", "--protocol", "objectnet"])
        .copied()
        .collect();
    for place in [folder.path().to_path_buf(), folder.join("objectnet-1.0")] {
        let result = json(&evaluate(&folder, &place, &more).ended_with(0));
        assert_eq!(result["data"]["pictures"], 1);
        assert_eq!(result["data"]["ignored"]["other_folders"], 2);
        assert_eq!(result["data"]["classes"], 125);
        let [line] = &lines(&predictions)[..] else {
            panic!()
        };
        assert_eq!(line.label, 444);
        assert_eq!(line.right.as_deref(), Some(&[444, 671][..]));
    }
}

/// By CLIP_benchmark's rules: pictures are whole, and classes are the names of the 113 folders, in
/// the 80 templates.
#[test]
fn objectnet_is_ranked_among_its_own_names_unless_its_authors_protocol_is_asked_for() {
    let folder = Folder::new();
    let asset = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/sets");
    let read = |name: &str| std::fs::read_to_string(asset.join(name)).unwrap();
    let (list, names) = (read("objectnet.tsv"), read("objectnet_names.txt"));
    let shared = list
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .filter(|(_, classes)| !classes.is_empty())
        .map(|(folder, _)| folder);
    let shared: Vec<&str> = shared.collect();
    let lines: Vec<String> = shared
        .iter()
        .zip(names.lines())
        .map(|(folder, name)| format!("{folder}\t{name}\n"))
        .collect();
    assert_eq!(lines.len(), 113);
    let names = folder.write("names.tsv", lines.concat());
    let templates = folder.write("templates.txt", "a photo of a {c}.\n");
    let classifier = folder.join("classifier.safetensors");
    let lists = [
        "--classnames",
        names.to_str().unwrap(),
        "--templates",
        templates.to_str().unwrap(),
    ];
    make_classifier(&classifier, &lists);
    let parts = Parts::new(&classifier);
    let all: Vec<usize> = (0..113).collect();
    for (place, class) in [("banana", LADYBUG), ("bicycle", ZEBRA)] {
        for number in 0..3 {
            let framed = framed(&picture(class, number));
            folder.write(
                &format!("objectnet-1.0/images/{place}/{number}.png"),
                framed,
            );
        }
    }
    folder.write("objectnet-1.0/images/air_freshener/a.png", "left out");

    let predictions = folder.join("predictions.jsonl");
    let more = ["--dataset", "objectnet", "--json", "-"];
    let mut more: Vec<&str> = more.into();
    more.extend(["--predictions", predictions.to_str().unwrap()]);
    let set = folder.join("objectnet-1.0");
    let own = json(&evaluate(&folder, &set, &more).ended_with(0));
    assert_eq!(own["data"]["protocol"], "clip-benchmark");
    assert_eq!(own["data"]["classes"], 113);
    assert_eq!(own["data"]["ignored"]["other_folders"], 1);
    let found = self::lines(&predictions);
    assert_eq!(found.len(), 6);
    for line in &found {
        let picture = Path::new(&line.path);
        let place = picture.iter().rev().nth(1).unwrap();
        let (best, logits) = parts.best(picture, &all);
        assert_eq!(line.top5, best, "{}", line.path);
        assert_eq!(line.logits, logits, "{}", line.path);
        assert_eq!(line.right, None);
        let class = shared.iter().position(|folder| place == *folder);
        assert_eq!(Some(line.label), class, "{}", line.path);
    }

    // Results of the two protocols are not compared.
    let write = |name: &str, protocol: &str| {
        let file = folder.join(name);
        let more = ["--dataset", "objectnet", "--protocol", protocol, "--json"];
        let mut more: Vec<&str> = more.into();
        more.push(file.to_str().unwrap());
        evaluate(&folder, &set, &more).ended_with(0);
        file
    };
    let files = [
        write("own.json", "clip-benchmark"),
        write("authors.json", "objectnet"),
    ];
    run(&[
        "compare",
        files[0].to_str().unwrap(),
        files[1].to_str().unwrap(),
    ])
    .ended_with(2)
    .said(&["protocol (clip-benchmark and objectnet)", "--protocol"]);
}

#[test]
fn a_picture_that_is_all_border_cannot_be_read() {
    let folder = Folder::new();
    let mut bytes = std::io::Cursor::new(Vec::new());
    let tiny = image::RgbImage::new(4, 9);
    tiny.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    folder.write("images/banana/a.png", bytes.into_inner());
    let more = ["--dataset", "objectnet", "--protocol", "objectnet"];
    evaluate(&folder, folder.path(), &more)
        .ended_with(6)
        .warned(&["its 4 x 9 pixels are all border"]);
}

#[test]
fn a_folder_of_no_class_of_the_set_is_refused() {
    let folder = Folder::new();
    folder.write("a/n01440764/a.jpg", "x");
    folder.write("objects/tench/a.png", "x");
    for (set, pictures, unknown) in [
        ("imagenet-a", "a", "n01440764"),
        ("imagenet-v2", "objects", "tench"),
        ("objectnet", "objects", "tench"),
    ] {
        evaluate(&folder, &folder.join(pictures), &["--dataset", set])
            .ended_with(3)
            .said(&[
                &format!("belongs to no class ({unknown})"),
                &format!("{set} has"),
                "--dataset names it",
            ]);
    }
}

#[test]
fn another_count_than_the_sets_is_reported() {
    let folder = Folder::new();
    for class in 0..1000 {
        folder.copy(&picture(LADYBUG, 0), &format!("v2/{class}/a.jpeg"));
    }
    for wnid in Set::A
        .classes()
        .unwrap()
        .iter()
        .map(|class| wnids()[*class])
    {
        folder.copy(&picture(LADYBUG, 0), &format!("a/{wnid}/a.jpg"));
    }
    for (set, pictures, warning) in [
        (
            "imagenet-v2",
            "v2",
            "has 1000 pictures, but imagenet-v2 has 10000",
        ),
        (
            "imagenet-a",
            "a",
            "has 200 pictures, but imagenet-a has 7500",
        ),
        ("imagenet", "a", "200 of the 1000 classes"),
        ("imagenet", "a", "is --dataset imagenet-a meant?"),
        ("imagenet-sketch", "a", "200 of the 1000 classes"),
    ] {
        let more = ["--dataset", set, "--limit", "1", "--json", "-"];
        let ran = evaluate(&folder, &folder.join(pictures), &more)
            .ended_with(0)
            .warned(&[warning]);
        let warnings = json(&ran)["warnings"].to_string();
        assert!(warnings.contains(warning), "{warnings}");
    }
}

/// Files of the validation set whose ReaL labels are one, several, none of its folder's, or none.
#[test]
fn real_labels_are_any_of_several_and_pictures_without_one_are_left_out_and_counted() {
    let folder = Folder::new();
    for (number, from) in [
        (510, picture(LADYBUG, 0)),   // 301
        (12102, picture(LADYBUG, 1)), // 301 and 310
        (2070, picture(LADYBUG, 2)),  // 340
        (22, picture(LADYBUG, 3)),    // none
        (37, picture(LADYBUG, 4)),    // none
    ] {
        let name = format!("val/n02165456/ILSVRC2012_val_{number:08}.JPEG");
        folder.copy(&from, &name);
    }
    let file = folder.join("predictions.jsonl");
    let path = file.to_str().unwrap();
    let more = ["--labels", "real", "--json", "-", "--predictions", path];
    let result = json(&evaluate(&folder, folder.path(), &more).ended_with(0));
    assert_eq!(result["data"]["labels"], "real");
    assert_eq!(result["data"]["unlabelled"], 2);
    assert_eq!(result["data"]["pictures"], 3);
    assert_eq!(
        (&result["top1"]["correct"], &result["top1"]["total"]),
        (&2.into(), &3.into())
    );
    let lines = lines(&file);
    let right: Vec<&[usize]> = lines.iter().map(|l| l.right.as_deref().unwrap()).collect();
    assert_eq!(right, [&[301][..], &[340], &[301, 310]]);
    let labels: Vec<usize> = lines.iter().map(|line| line.label).collect();
    assert_eq!(labels, [301, 340, 301]);

    let text = ["--labels", "real", "--predictions"];
    let csv = folder.join("predictions.csv");
    let more: Vec<&str> = text
        .iter()
        .copied()
        .chain([csv.to_str().unwrap()])
        .collect();
    evaluate(&folder, folder.path(), &more)
        .ended_with(0)
        .printed(&["ReaL", "2 pictures have none and are left out", "(2/3)"]);
    let rows = std::fs::read_to_string(csv).unwrap();
    assert!(
        rows.contains("ILSVRC2012_val_00012102.JPEG,301 310,301,"),
        "{rows}"
    );
    // The folders' own labels count what they counted before.
    evaluate(&folder, folder.path(), &[])
        .ended_with(0)
        .printed(&["(5/5)"]);
}

#[test]
fn results_with_several_right_classes_can_be_read_back_and_are_not_compared_with_others() {
    let folder = Folder::new();
    folder.copy(
        &picture(ZEBRA, 0),
        "val/n02165456/ILSVRC2012_val_00002070.JPEG",
    );
    folder.copy(
        &picture(LADYBUG, 0),
        "val/n02165456/ILSVRC2012_val_00012102.JPEG",
    );
    let result = |name: &str, more: &[&str]| {
        let file = folder.join(name);
        let more: Vec<&str> = more
            .iter()
            .copied()
            .chain(["--json", file.to_str().unwrap()])
            .collect();
        evaluate(&folder, folder.path(), &more).ended_with(0);
        file.to_str().unwrap().to_string()
    };
    let real = result("real.json", &["--labels", "real"]);
    let own = result("own.json", &[]);
    run(&["compare", &real, &real])
        .ended_with(0)
        .printed(&["100.00 %"]);
    run(&["compare", &real, &own])
        .ended_with(2)
        .said(&["differ in labels (real and original)"]);
}

#[test]
fn pictures_of_other_names_have_no_real_labels() {
    let folder = Folder::new();
    folder.copy(&picture(LADYBUG, 0), "val/n02165456/a.JPEG");
    folder.copy(
        &picture(LADYBUG, 0),
        "val/n02165456/ILSVRC2012_val_00000510.JPEG",
    );
    evaluate(&folder, folder.path(), &["--labels", "real"])
        .ended_with(3)
        .said(&["1 picture of", "a.JPEG", "ILSVRC2012_val_00000293.JPEG"]);
}

#[test]
fn flags_that_do_not_belong_to_a_set_are_refused_before_anything_is_read() {
    let folder = Folder::new();
    let names = folder.write("names.txt", "a\tb\nc\td\n");
    let names = names.to_str().unwrap();
    for (more, message) in [
        (
            &["--dataset", "imagenet-r", "--labels", "real"][..],
            "ImageNet's validation set",
        ),
        (
            &["--classnames", names, "--labels", "real"],
            "ImageNet's validation set",
        ),
        (
            &["--classnames", names, "--dataset", "imagenet-a"],
            "--dataset imagenet-a has",
        ),
        (
            &["--protocol", "objectnet", "--dataset", "imagenet-a"],
            "--protocol objectnet is about objectnet, not about imagenet-a",
        ),
        (
            &[
                "--dataset",
                "imagenet-a",
                "--expect",
                "published",
                "--model",
                "UTA-B",
            ],
            "that of UTA-B is on imagenet alone",
        ),
    ] {
        let mut arguments = demo_on(Path::new("/no/such/folder"));
        if more.contains(&"--model") {
            let model = arguments.iter().position(|a| a == "--model").unwrap();
            arguments.drain(model..model + 2);
        }
        arguments.extend(more.iter().map(ToString::to_string));
        run(&arguments).ended_with(2).said(&[message]);
    }
}

#[test]
fn names_alone_are_those_of_the_sorted_folders() {
    let folder = Folder::new();
    folder.copy(&picture(LADYBUG, 0), "set/bugs/a.jpg");
    folder.copy(&picture(ZEBRA, 0), "set/stripes/a.jpg");
    let names = folder.write("names.txt", "ladybug\nzebra\n");
    let more = ["--json", "-", "--classnames", names.to_str().unwrap()];
    let result = json(&evaluate(&folder, &folder.join("set"), &more).ended_with(0));
    assert_eq!(result["top1"]["correct"], 2);
    assert_eq!(result["data"]["classes"], 2);
    assert_eq!(result["data"]["dataset"], Value::Null);
}

#[test]
fn names_alone_must_be_as_many_as_the_folders() {
    let folder = Folder::new();
    folder.write("set/bugs/a.jpg", "x");
    folder.write("set/stripes/a.jpg", "x");
    let names = folder.write("names.txt", "ladybug\nzebra\nflagpole\n");
    let more = ["--classnames", names.to_str().unwrap()];
    evaluate(&folder, &folder.join("set"), &more)
        .ended_with(3)
        .said(&[
            "has 2 class folders, but there are 3 class names",
            "folder<TAB>name",
        ]);
}

#[test]
fn names_alone_do_not_do_for_numbers_whose_order_is_in_doubt() {
    let folder = Folder::new();
    for class in ["1", "2", "10"] {
        folder.write(&format!("set/{class}/a.jpg"), "x");
    }
    let names = folder.write("names.txt", "ladybug\nzebra\nflagpole\n");
    let more = ["--classnames", names.to_str().unwrap()];
    evaluate(&folder, &folder.join("set"), &more)
        .ended_with(3)
        .said(&["(1, 2, 10)", "order is in doubt", "folder<TAB>name"]);
}

#[test]
fn objectnet_can_be_ranked_among_names_of_its_own() {
    let folder = Folder::new();
    folder.write("images/banana/a.png", framed(&picture(LADYBUG, 0)));
    folder.write("images/air_freshener/a.png", "left out");
    let names = folder.write("names.txt", "alarm_clock\talarm clock\nbanana\tladybug\n");
    let more = [
        "--json",
        "-",
        "--dataset",
        "objectnet",
        "--classnames",
        names.to_str().unwrap(),
    ];
    let result = json(&evaluate(&folder, folder.path(), &more).ended_with(0));
    assert_eq!(result["top1"]["correct"], 1);
    assert_eq!(result["data"]["classes"], 2);
    assert_eq!(result["data"]["ignored"]["other_folders"], 1);
}
