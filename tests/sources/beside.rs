//! Roots as `clip-benchmark/wds_*` has them on the hub: class names and templates beside `test/`.

use std::path::Path;

use serde_json::Value;
use uta_eval::data::Set;
use uta_eval::text::{ClassNames, imagenet};

use super::util::{Picture, Table, evaluated, pictures, refused, tar};
use crate::support::{Folder, demo_on, run};

/// The demo's pictures of classes that a set has.
fn of(set: Set) -> Vec<Picture> {
    let classes = set.classes().unwrap();
    let mut pictures = pictures();
    pictures.retain(|picture| classes.contains(&picture.class()));
    assert!(pictures.len() > 4, "{}", set.name());
    pictures
}

/// Writes the pictures as shards of two into `root/test`, labelled by places in a list.
fn shards(folder: &Folder, root: &str, pictures: &[Picture], classes: &[usize]) {
    for (number, shard) in pictures.chunks(2).enumerate() {
        let mut members = Vec::new();
        for (place, picture) in shard.iter().enumerate() {
            let key = format!("s{:07}", 2 * number + place);
            let label = classes.iter().position(|class| *class == picture.class());
            members.push((
                format!("{key}.cls"),
                label.unwrap().to_string().into_bytes(),
            ));
            members.push((format!("{key}.jpg"), picture.bytes.clone()));
        }
        folder.write(&format!("{root}/test/{number}.tar"), tar(&members));
    }
    let count = pictures.len().div_ceil(2);
    folder.write(&format!("{root}/test/nshards.txt"), format!("{count}\n"));
}

/// Writes names and one template beside them.
fn texts(folder: &Folder, root: &str, names: &[String]) {
    folder.write(&format!("{root}/classnames.txt"), names.join("\n") + "\n");
    let templates = "a photo of a {c}.\n";
    folder.write(
        &format!("{root}/zeroshot_classification_templates.txt"),
        templates,
    );
}

/// The result of an evaluation with the templates that are found.
fn result(path: &Path, more: &[&str]) -> Value {
    let mut arguments = demo_on(path);
    arguments.extend(more.iter().map(ToString::to_string));
    arguments.extend(["--json".into(), "-".into()]);
    serde_json::from_str(&run(&arguments).ended_with(0).stdout).unwrap()
}

fn labels(result: &Value) -> Vec<u64> {
    let judgements = result["judgements"].as_array().unwrap().iter();
    judgements.map(|j| j[1].as_u64().unwrap()).collect()
}

/// All that a judgement says but for the picture's name.
fn nameless(result: &Value) -> Vec<Vec<Value>> {
    let judgements = result["judgements"].as_array().unwrap().iter();
    let nameless = |j: &Value| j.as_array().unwrap()[1..].to_vec();
    judgements.map(nameless).collect()
}

#[test]
fn numbers_beside_the_names_of_a_sets_own_classes_count_these() {
    for set in [Set::A, Set::R] {
        let folder = Folder::new();
        let (all, classes) = (of(set), set.classes().unwrap());
        shards(&folder, "wds", &all, &classes);
        texts(&folder, "wds", &set.own_names().unwrap());
        for picture in &all {
            folder.write(
                &format!("plain/{}/{}", picture.wnid, picture.name),
                &picture.bytes,
            );
        }
        let template = folder.write("template.txt", "a photo of a {}.\n");
        let plain = [
            "--dataset",
            set.name(),
            "--templates",
            template.to_str().unwrap(),
        ];
        let expected = result(&folder.join("plain"), &plain);
        let root = folder.join("wds");
        for path in [
            root.clone(),
            root.join("test"),
            root.join("test/{0..2}.tar"),
        ] {
            let found = result(&path, &[]);
            assert_eq!(found["data"]["dataset"], set.name());
            assert_eq!(found["data"]["classes"], 200);
            let pattern = path.to_str().unwrap().contains('{');
            let judged = nameless(&found);
            assert_eq!(
                judged,
                nameless(&expected)[..judged.len()],
                "{}",
                path.display()
            );
            assert_eq!(judged.len(), if pattern { 6 } else { all.len() });
            assert_eq!(found["classifier"]["key"], expected["classifier"]["key"]);
        }
        // The names say what the numbers count, whichever set is asked for.
        let found = result(&root, &["--dataset", "imagenet"]);
        assert_eq!(found["data"]["classes"], 1000);
        assert_eq!(labels(&found), labels(&expected));
    }
}

#[test]
fn label_3_of_imagenet_a_is_its_fourth_wordnet_id() {
    let folder = Folder::new();
    let bytes = pictures().remove(0).bytes;
    let members = [("s0.cls", b"3".to_vec()), ("s0.jpg", bytes)];
    folder.write("wds_imagenet-a/test/0.tar", tar(&members));
    let root = folder.join("wds_imagenet-a");
    let class = imagenet::class_of_wnid("n01558993").unwrap() as u64;
    let more = ["--dataset", "imagenet-a"];

    // Without names the number may mean two things.
    refused(&root, &more, &["\"3\"", "ambiguous", "--label-numbers"]);
    for (numbers, label) in [("set", class), ("imagenet", 3)] {
        let more = ["--dataset", "imagenet-a", "--label-numbers", numbers];
        assert_eq!(labels(&result(&root, &more)), [label]);
    }
    let names = Set::A.own_names().unwrap();
    texts(&folder, "wds_imagenet-a", &names);
    assert_eq!(labels(&result(&root, &[])), [class]);
    refused(
        &root,
        &["--dataset", "imagenet-a", "--label-numbers", "imagenet"],
        &["classnames.txt", "--label-numbers says otherwise"],
    );
    refused(
        &root,
        &["--dataset", "imagenet-r"],
        &["classnames.txt", "is no class of imagenet-r"],
    );
}

#[test]
fn the_hubs_conversions_are_found_below_default_test() {
    let folder = Folder::new();
    let (all, classes) = (of(Set::A), Set::A.classes().unwrap());
    let row = |picture: &Picture| {
        let label = classes.iter().position(|class| *class == picture.class());
        let label = label.unwrap() as i64;
        (Some(picture.bytes.clone()), picture.name.clone(), label)
    };
    let rows: Vec<_> = all.iter().map(row).collect();
    folder.write(
        "wds/default/test/0000.parquet",
        Table::default().write(&rows),
    );
    let root = folder.join("wds");
    let more = ["--dataset", "imagenet-a"];
    refused(&root, &more, &["is ambiguous", "--label-numbers"]);
    texts(&folder, "wds", &Set::A.own_names().unwrap());
    let expected: Vec<u64> = all.iter().map(|p| p.class() as u64).collect();
    for path in [root.clone(), root.join("default/test")] {
        let found = result(&path, &[]);
        assert_eq!(labels(&found), expected);
        assert_eq!(found["data"]["dataset"], "imagenet-a");
    }
}

#[test]
fn objectnets_numbers_count_its_113_folders_under_both_protocols() {
    let folder = Folder::new();
    let bytes = pictures().remove(0).bytes;
    let member = |n: usize, label: &str| {
        [
            (format!("s{n}.cls"), label.as_bytes().to_vec()),
            (format!("s{n}.jpg"), bytes.clone()),
        ]
    };
    // alarm_clock, banana, wok
    let members = [member(0, "0"), member(1, "2"), member(2, "112")].concat();
    folder.write("wds/test/0.tar", tar(&members));
    let root = folder.join("wds");
    let own = ["--dataset", "objectnet"];
    assert_eq!(labels(&result(&root, &own)), [0, 2, 112]);
    texts(&folder, "wds", &Set::ObjectNet.own_names().unwrap());
    let found = result(&root, &[]);
    assert_eq!(found["data"]["dataset"], "objectnet");
    assert_eq!(labels(&found), [0, 2, 112]);
    let found = result(&root, &["--protocol", "objectnet"]);
    assert_eq!(labels(&found), [409, 954, 909]);
    assert_eq!(found["data"]["classes"], 125);
    refused(
        &root,
        &["--dataset", "imagenet"],
        &["classnames.txt", "113 classes, not 1000", "--dataset"],
    );
    let members = member(0, "113");
    folder.write("wds/test/0.tar", tar(&members));
    refused(&root, &[], &["\"113\"", "113 classes"]);
}

#[test]
fn any_other_set_brings_its_names_and_templates() {
    let folder = Folder::new();
    let all: Vec<Picture> = pictures().into_iter().take(8).collect();
    let mut classes: Vec<usize> = all.iter().map(Picture::class).collect();
    classes.dedup();
    let built_in = ClassNames::imagenet();
    let names: Vec<String> = classes
        .iter()
        .map(|class| format!("drawn {}", built_in.name(*class).unwrap()))
        .collect();
    shards(&folder, "wds_drawn", &all, &classes);
    texts(&folder, "wds_drawn", &names);
    let found = result(&folder.join("wds_drawn"), &[]);
    assert_eq!(found["data"]["dataset"], Value::Null);
    assert_eq!(found["data"]["classes"], classes.len());
    let ends_with = |value: &Value, name: &str| value.as_str().unwrap().ends_with(name);
    assert!(ends_with(
        &found["prompts"]["classnames_file"],
        "wds_drawn/classnames.txt"
    ));
    assert_eq!(found["prompts"]["templates"], 1);

    let mut list = String::new();
    for (class, name) in classes.iter().zip(&names) {
        list += &format!("{}\t{name}\n", imagenet::wnids()[*class]);
    }
    let list = folder.write("list.tsv", list);
    let template = folder.write("template.txt", "a photo of a {}.\n");
    for picture in &all {
        folder.write(
            &format!("plain/{}/{}", picture.wnid, picture.name),
            &picture.bytes,
        );
    }
    let more = [
        "--classnames",
        list.to_str().unwrap(),
        "--templates",
        template.to_str().unwrap(),
    ];
    let expected = result(&folder.join("plain"), &more);
    assert_eq!(nameless(&found), nameless(&expected));
    for field in ["top1", "top5", "mean_per_class_recall"] {
        assert_eq!(found[field], expected[field], "{field}");
    }
    // A flag outranks the file.
    let other = folder.write("other.txt", "{}\n{c} again\n");
    let more = ["--templates", other.to_str().unwrap()];
    assert_eq!(
        result(&folder.join("wds_drawn"), &more)["prompts"]["templates"],
        2
    );
}

#[test]
fn a_set_whose_pictures_have_several_labels_or_captions_is_refused() {
    let folder = Folder::new();
    let members = [("s0.cls", b"0".to_vec()), ("s0.jpg", b"x".to_vec())];
    folder.write("wds/test/0.tar", tar(&members));
    texts(&folder, "wds", &["a".into(), "b".into()]);
    for kind in ["multilabel", "retrieval"] {
        folder.write("wds/dataset_type.txt", format!("{kind}\n"));
        refused(&folder.join("wds"), &[], &["dataset_type.txt says", kind]);
    }
}

#[test]
fn shards_are_in_the_order_of_their_numbers_and_missing_ones_are_told_of() {
    let folder = Folder::new();
    let bytes = pictures().remove(0).bytes;
    for number in [0, 2, 10] {
        let key = format!("s{number}");
        let members = [
            (format!("{key}.cls"), number.to_string().into_bytes()),
            (format!("{key}.jpg"), bytes.clone()),
        ];
        folder.write(&format!("wds/test/{number}.tar"), tar(&members));
    }
    folder.write("wds/test/nshards.txt", "12\n");
    let ran = evaluated(&folder.join("wds"), &["--json", "-"], 0);
    let found: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(labels(&found), [0, 2, 10]);
    assert_eq!(found["data"]["ignored"]["not_pictures"], 0);
    ran.warned(&["9 files of the data set are missing", "1.tar, 3.tar"]);
}
