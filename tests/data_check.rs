use std::path::Path;

use serde_json::Value;
use uta_eval::data::Set;
use uta_eval::text::imagenet::wnids;

use crate::support::{Folder, Ran, demo, fixture, run};

fn check(path: &Path, more: &[&str]) -> Ran {
    let mut arguments = vec!["data", "check", path.to_str().unwrap()];
    arguments.extend(more);
    run(&arguments)
}

fn findings(path: &Path, more: &[&str], code: i32) -> Value {
    let more: Vec<&str> = more.iter().copied().chain(["--json", "-"]).collect();
    let ran = check(path, &more).ended_with(code);
    serde_json::from_str(&ran.stdout).unwrap_or_else(|e| panic!("{e} in {}", ran.stdout))
}

/// A JPEG that EXIF asks to be shown turned by a quarter.
fn turned() -> Vec<u8> {
    let jpeg = std::fs::read(demo("imagenet/val/n02165456/n02165456_005.jpg")).unwrap();
    // A TIFF header and one entry: orientation (0x112), a short, 6.
    let tiff = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    let length = (2 + 6 + tiff.len()) as u16;
    let segment = [&b"\xff\xe1"[..], &length.to_be_bytes(), b"Exif\0\0", tiff].concat();
    [&jpeg[..2], &segment, &jpeg[2..]].concat()
}

/// A set of two listed classes.
fn pets(folder: &Folder) -> String {
    folder.copy(
        &demo("imagenet/val/n02165456/n02165456_000.jpg"),
        "pets/bugs/a.jpg",
    );
    folder.copy(
        &demo("imagenet/val/n02391049/n02391049_000.jpg"),
        "pets/stripes/a.jpg",
    );
    let names = folder.write("names.txt", "bugs\tladybug\nstripes\tzebra\n");
    names.to_str().unwrap().into()
}

#[test]
fn a_whole_set_of_sound_pictures_ends_well() {
    let folder = Folder::new();
    let names = pets(&folder);
    for more in [&[][..], &["--full"]] {
        let more: Vec<&str> = more
            .iter()
            .copied()
            .chain(["--classnames", &names])
            .collect();
        check(&folder.join("pets"), &more).ended_with(0).printed(&[
            "2 listed classes",
            "2 JPEG",
            "whole, and every picture can be read",
        ]);
    }
}

#[test]
fn missing_classes_and_odd_counts_are_named() {
    let found = findings(&demo("imagenet"), &[], 1);
    assert_eq!(found["dataset"], "imagenet");
    assert_eq!(
        (&found["pictures"], &found["whole_set"]),
        (&220.into(), &50_000.into())
    );
    assert_eq!(
        (&found["classes_present"], &found["classes"]),
        (&22.into(), &1000.into())
    );
    assert_eq!(found["missing_classes"].as_array().unwrap().len(), 978);
    assert_eq!(found["missing_classes"][0]["folder"], "n01440764");
    assert_eq!(found["missing_classes"][0]["name"], "tench");
    assert_eq!(found["odd_counts"].as_array().unwrap().len(), 22);
    assert_eq!(found["odd_counts"][0]["pictures"], 10);
    assert_eq!(found["whole"], false);
    check(&demo("imagenet"), &[]).ended_with(1).printed(&[
        "978 classes have no picture",
        "n01440764 (tench): 0 pictures",
        "and 973 more",
        "22 classes have not 50 pictures",
        "not whole; every picture can be read",
    ]);
}

#[test]
fn odd_pictures_are_told_by_their_content() {
    let folder = Folder::new();
    let names = pets(&folder);
    let odd = |from: &str, to: &str| {
        folder.copy(
            &fixture(&format!("pictures/{from}")),
            &format!("pets/bugs/{to}"),
        );
    };
    odd("jpeg_gray.jpg", "gray.jpg");
    odd("png_gray16.png", "gray.png");
    odd("jpeg_cmyk.jpg", "cmyk.JPEG");
    odd("png_rgba.png", "png.JPEG");
    odd("pnm_gray.pgm", "gray.ppm");
    folder.write("pets/bugs/turned.jpg", turned());
    folder.write("pets/bugs/._a.jpg", "x");
    folder.write("pets/notes.txt", "x");
    let path = folder.join("pets");
    for more in [&[][..], &["--full"]] {
        let more: Vec<&str> = more
            .iter()
            .copied()
            .chain(["--classnames", &names])
            .collect();
        let found = findings(&path, &more, 0);
        let list = |name: &str| -> Vec<String> {
            let list = found[name].as_array().unwrap().iter();
            list.map(|path| path.as_str().unwrap().rsplit('/').next().unwrap().into())
                .collect()
        };
        assert_eq!(list("gray"), ["gray.jpg", "gray.png", "gray.ppm"]);
        assert_eq!(list("cmyk"), ["cmyk.JPEG"]);
        assert_eq!(list("turned"), ["turned.jpg"]);
        let misnamed = found["misnamed"].as_array().unwrap();
        assert_eq!(misnamed.len(), 1, "a PGM called .ppm is a PNM still");
        assert!(misnamed[0]["path"].as_str().unwrap().ends_with("png.JPEG"));
        assert_eq!(misnamed[0]["format"], "PNG");
        assert_eq!(
            found["formats"],
            serde_json::json!({"JPEG": 5, "PNG": 2, "PNM": 1})
        );
        assert_eq!(found["ignored"]["hidden"], 1);
        assert_eq!(found["ignored"]["not_pictures"], 1);
        assert_eq!(found["unreadable"], serde_json::json!([]));
    }
}

#[test]
fn damage_behind_the_header_is_found_by_decoding_only() {
    let folder = Folder::new();
    let names = pets(&folder);
    let bytes = std::fs::read(demo("imagenet/val/n02165456/n02165456_001.jpg")).unwrap();
    folder.write("pets/bugs/cut.jpg", &bytes[..bytes.len() / 2]);
    let path = folder.join("pets");
    let more = ["--classnames", &names];
    assert_eq!(
        findings(&path, &more, 0)["unreadable"],
        serde_json::json!([])
    );
    let more = ["--full", "--classnames", &names];
    let found = findings(&path, &more, 6);
    let [cut] = &found["unreadable"].as_array().unwrap()[..] else {
        panic!("{found}")
    };
    assert!(cut["path"].as_str().unwrap().ends_with("cut.jpg"));
    assert!(
        cut["reason"]
            .as_str()
            .unwrap()
            .starts_with("it is truncated")
    );

    folder.write("pets/bugs/empty.jpg", "");
    folder.write("pets/bugs/page.jpg", "<html>");
    folder.write("pets/bugs/bomb.bmp", {
        // A header that declares 2^30 x 2^30 pixels.
        let mut bytes = b"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0".to_vec();
        bytes.extend([0, 0, 0, 64, 0, 0, 0, 64, 1, 0, 24, 0]);
        bytes.resize(64, 0);
        bytes
    });
    let found = findings(&path, &["--classnames", &names], 6);
    let reasons: Vec<&str> = found["unreadable"]
        .as_array()
        .unwrap()
        .iter()
        .map(|u| u["reason"].as_str().unwrap())
        .collect();
    assert_eq!(reasons.len(), 3, "{reasons:?}");
    assert_eq!(
        reasons[1..],
        [
            "the file is empty",
            "it is no picture: it looks like HTML or XML"
        ]
    );
}

#[test]
fn equal_files_are_found_by_content_whatever_their_names() {
    let folder = Folder::new();
    let names = pets(&folder);
    folder.copy(
        &demo("imagenet/val/n02165456/n02165456_000.jpg"),
        "pets/bugs/again.jpg",
    );
    folder.copy(
        &demo("imagenet/val/n02165456/n02165456_000.jpg"),
        "pets/stripes/bug.png",
    );
    // Large files that differ behind what a first look reads.
    let photo = std::fs::read(fixture("golden/photos/01_chelsea_420.jpg")).unwrap();
    let padded = |last: u8| [&photo[..], &[0; 100_000], &[last]].concat();
    for (name, last) in [("b", 1), ("c", 2), ("d", 1)] {
        folder.write(&format!("pets/bugs/{name}.jpg"), padded(last));
    }
    for more in [&[][..], &["--full"]] {
        let more: Vec<&str> = more
            .iter()
            .copied()
            .chain(["--classnames", &names])
            .collect();
        let found = findings(&folder.join("pets"), &more, 0);
        let groups: Vec<Vec<&str>> = found["duplicates"]
            .as_array()
            .unwrap()
            .iter()
            .map(|group| {
                let paths = group.as_array().unwrap().iter();
                paths
                    .map(|path| path.as_str().unwrap().split("pets/").last().unwrap())
                    .collect()
            })
            .collect();
        let bugs = vec!["bugs/a.jpg", "bugs/again.jpg", "stripes/bug.png"];
        assert_eq!(groups, [bugs, vec!["bugs/b.jpg", "bugs/d.jpg"]]);
        assert_eq!(found["duplicates_across_classes"], 1);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_name_that_is_no_text_is_shown_with_its_bytes() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let folder = Folder::new();
    let names = pets(&folder);
    let picture = demo("imagenet/val/n02165456/n02165456_000.jpg");
    let odd = folder
        .join("pets/bugs")
        .join(OsStr::from_bytes(b"caf\xe9.jpg"));
    std::fs::copy(picture, odd).unwrap();
    let found = findings(&folder.join("pets"), &["--classnames", &names], 0);
    let group = found["duplicates"][0].as_array().unwrap();
    assert!(
        group[1]
            .as_str()
            .unwrap()
            .ends_with("pets/bugs/caf\\xE9.jpg")
    );
}

#[test]
fn each_set_is_recognised() {
    let folder = Folder::new();
    let picture = demo("imagenet/val/n02165456/n02165456_000.jpg");
    folder.copy(&picture, "v2/301/a.jpeg");
    folder.copy(&picture, "sketch/n02165456/sketch_0.JPEG");
    folder.copy(&picture, "objectnet-1.0/images/banana/a.png");
    for (name, set) in [("a", Set::A), ("r", Set::R)] {
        for class in set.classes().unwrap() {
            folder.copy(&picture, &format!("{name}/{}/a.jpg", wnids()[class]));
        }
    }
    for (place, set) in [
        ("v2", "imagenet-v2"),
        ("sketch", "imagenet-sketch"),
        ("objectnet-1.0", "objectnet"),
        ("a", "imagenet-a"),
        ("r", "imagenet-r"),
    ] {
        let found = findings(&folder.join(place), &[], 1);
        assert_eq!(found["dataset"], set, "{place}");
    }
    let found = findings(&folder.join("a"), &["--dataset", "imagenet"], 1);
    assert_eq!(found["missing_classes"].as_array().unwrap().len(), 800);
}

#[test]
fn what_cannot_be_evaluated_cannot_be_checked() {
    let folder = Folder::new();
    folder.write("tench/a.jpg", "x");
    check(folder.path(), &[])
        .ended_with(3)
        .said(&["belongs to no class (tench)"]);
    check(Path::new("/no/such/folder"), &[])
        .ended_with(3)
        .said(&["does not exist"]);
    check(folder.path(), &["--json", "/no/such/folder/x.json"]).ended_with(3);
    let variants = Folder::new();
    variants.write("imagenetv2-top-images-format-val/0/a.jpeg", "x");
    variants.write("imagenetv2-threshold0.7-format-val/0/a.jpeg", "x");
    check(variants.path(), &[])
        .ended_with(3)
        .said(&["holds several folders of pictures"]);
}

#[test]
fn findings_are_written_beside_the_text() {
    let folder = Folder::new();
    let names = pets(&folder);
    let file = folder.join("found.json");
    let more = ["--classnames", &names, "--json", file.to_str().unwrap()];
    check(&folder.join("pets"), &more)
        .ended_with(0)
        .printed(&["result       whole"]);
    let found: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let mut fields: Vec<&String> = found.as_object().unwrap().keys().collect();
    fields.sort();
    let expected = [
        "bytes",
        "classes",
        "classes_present",
        "cmyk",
        "dataset",
        "depth",
        "duplicates",
        "duplicates_across_classes",
        "formats",
        "gray",
        "ignored",
        "misnamed",
        "missing_classes",
        "odd_counts",
        "path",
        "pictures",
        "pictures_in_a_class",
        "program",
        "remarks",
        "schema_version",
        "source",
        "turned",
        "unreadable",
        "whole",
        "whole_set",
    ];
    assert_eq!(fields, expected);
}
