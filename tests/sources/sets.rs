use std::path::Path;

use serde_json::Value;
use uta_eval::data::Set;
use uta_eval::text::imagenet::wnids;

use super::util::{Table, evaluated, refused, tar};
use crate::support::{Folder, demo, fixture, run};

const LADYBUG: usize = 301;

fn ladybug(number: usize) -> Vec<u8> {
    let name = format!("imagenet/val/n02165456/n02165456_00{number}.jpg");
    std::fs::read(demo(&name)).unwrap()
}

/// The JSON result of an evaluation.
fn result(path: &Path, more: &[&str]) -> Value {
    let more: Vec<&str> = more.iter().copied().chain(["--json", "-"]).collect();
    serde_json::from_str(&evaluated(path, &more, 0).stdout).unwrap()
}

fn labels(result: &Value) -> Vec<u64> {
    let judgements = result["judgements"].as_array().unwrap().iter();
    judgements.map(|j| j[1].as_u64().unwrap()).collect()
}

#[test]
fn sets_are_read_from_archives_with_their_own_class_folders() {
    let folder = Folder::new();
    let folders = "imagenetv2-matched-frequency-format-val";
    let v2 = [
        (format!("{folders}/10/b.jpeg"), ladybug(1)),
        (format!("{folders}/301/a.jpeg"), ladybug(0)),
    ];
    let v2 = folder.write("v2.tar", tar(&v2));
    let found = result(&v2, &["--dataset", "imagenet-v2"]);
    assert_eq!(labels(&found), [10, LADYBUG as u64]);

    let png = std::fs::read(fixture("pictures/png_rgba.png")).unwrap();
    let objects = ["air_freshener", "banana", "baking_sheet", "air_freshener"];
    let objects: Vec<(String, Vec<u8>)> = objects
        .iter()
        .enumerate()
        .map(|(i, name)| (format!("objectnet-1.0/images/{name}/{i}.png"), png.clone()))
        .collect();
    let objects = folder.write("objectnet.tar", tar(&objects));
    let authors = ["--dataset", "objectnet", "--protocol", "objectnet"];
    let found = result(&objects, &authors);
    assert_eq!(labels(&found), [954]);
    assert_eq!(found["data"]["ignored"]["other_folders"], 2);
    let found = result(&objects, &["--dataset", "objectnet"]);
    assert_eq!(labels(&found), [2]);
    assert_eq!(found["data"]["ignored"]["other_folders"], 2);
}

#[test]
fn an_index_in_a_set_of_some_classes_is_in_doubt() {
    let folder = Folder::new();
    let shard = |label: &str| {
        let members = [("0.jpg", ladybug(0)), ("0.cls", label.as_bytes().to_vec())];
        folder.write("r.tar", tar(&members))
    };
    let more = ["--dataset", "imagenet-r"];
    assert_eq!(
        labels(&result(&shard("n02165456"), &more)),
        [LADYBUG as u64]
    );
    refused(&shard("90"), &more, &["0.cls holds no class: \"90\""]);
    refused(&shard("n01440764"), &more, &["holds no class"]);

    let table = |names: Option<Vec<String>>, label: i64| {
        let row = (Some(ladybug(0)), "a.jpg".to_string(), label);
        let table = Table {
            names,
            ..Table::default()
        };
        folder.write("r.parquet", table.write(&[row]))
    };
    let classes = Set::R.classes().unwrap();
    let names: Vec<String> = classes.iter().map(|class| wnids()[*class].into()).collect();
    let place = classes.iter().position(|class| *class == LADYBUG).unwrap();
    let named = result(&table(Some(names), place as i64), &more);
    assert_eq!(labels(&named), [LADYBUG as u64]);
    let texts = ["the label 90 of its row 0 is ambiguous", "imagenet-r"];
    refused(&table(None, 90), &more, &texts);
}

#[test]
fn real_labels_are_found_by_the_names_inside_archives() {
    let folder = Folder::new();
    let numbers = [510, 12_102, 2_070, 22];
    let name = |number: &usize| format!("ILSVRC2012_val_{number:08}.JPEG");
    let members: Vec<(String, Vec<u8>)> = numbers
        .iter()
        .enumerate()
        .map(|(i, number)| (format!("n02165456/{}", name(number)), ladybug(i)))
        .collect();
    for (path, bytes) in &members {
        folder.write(&format!("folders/{path}"), bytes);
    }
    let more = ["--labels", "real"];
    let expected = result(&folder.join("folders"), &more);
    let found = result(&folder.write("val.tar", tar(&members)), &more);
    for field in ["top1", "top5", "per_class"] {
        assert_eq!(found[field], expected[field], "{field}");
    }
    assert_eq!(found["data"]["unlabelled"], 1);
    assert_eq!(found["top1"]["total"], 3);

    // Flat pictures need no second label file.
    let flat: Vec<(String, Vec<u8>)> = members
        .iter()
        .map(|(path, bytes)| (path.rsplit('/').next().unwrap().into(), bytes.clone()))
        .collect();
    for (name, bytes) in &flat {
        folder.write(&format!("flat/{name}"), bytes);
    }
    for path in [folder.join("flat"), folder.write("flat.tar", tar(&flat))] {
        let found = result(&path, &more);
        assert_eq!(found["top1"], expected["top1"]);
        assert_eq!(found["data"]["labels_file"], Value::Null);
    }
}

#[test]
fn a_check_finds_the_same_in_an_archive_and_in_a_table_as_in_folders() {
    let folder = Folder::new();
    let gray = std::fs::read(fixture("pictures/jpeg_gray.jpg")).unwrap();
    let png = std::fs::read(fixture("pictures/png_rgba.png")).unwrap();
    let cut = ladybug(2)[..20].to_vec();
    let pictures = [
        ("a.jpg", ladybug(0)),
        ("b.jpg", ladybug(0)),
        ("c.jpg", gray),
        ("d.jpg", png),
        ("e.jpg", cut),
    ];
    let mut members = Vec::new();
    let mut rows = Vec::new();
    for (name, bytes) in &pictures {
        folder.write(&format!("folders/n02165456/{name}"), bytes);
        members.push((format!("n02165456/{name}"), bytes.clone()));
        rows.push((Some(bytes.clone()), name.to_string(), LADYBUG as i64));
    }
    let archive = folder.write("val.tar", tar(&members));
    let table = folder.write("validation.parquet", Table::default().write(&rows));
    let check = |path: &Path, more: &[&str]| -> Value {
        let path = path.to_str().unwrap();
        let more = more.iter().copied().chain(["--json", "-"]);
        let arguments: Vec<&str> = ["data", "check", path].into_iter().chain(more).collect();
        serde_json::from_str(&run(&arguments).ended_with(6).stdout).unwrap()
    };
    for more in [&[][..], &["--full"]] {
        let expected = check(&folder.join("folders"), more);
        assert_eq!(expected["unreadable"].as_array().unwrap().len(), 1);
        for (path, source) in [(&archive, "tar"), (&table, "parquet")] {
            let found = check(path, more);
            assert_eq!(found["source"], source);
            for field in [
                "pictures",
                "bytes",
                "formats",
                "odd_counts",
                "missing_classes",
            ] {
                assert_eq!(found[field], expected[field], "{source}: {field}");
            }
            for field in ["gray", "duplicates", "misnamed", "unreadable"] {
                let count = |value: &Value| value[field].as_array().unwrap().len();
                assert_eq!(count(&found), count(&expected), "{source}: {field}");
                assert_eq!(count(&found), 1, "{source}: {field}");
            }
        }
    }
}
