use tar::{Builder, EntryType, Header};

use super::util::*;
use crate::support::Folder;

/// An archive of these bytes, which must be refused.
#[track_caller]
fn refused_tar(bytes: &[u8], texts: &[&str]) {
    let folder = Folder::new();
    let path = folder.write("val.tar", bytes);
    refused(&path, &[], texts);
    assert_eq!(folder.names(), ["val.tar"]);
}

/// A picture in its class folder.
fn member() -> (String, Vec<u8>) {
    let picture = pictures().remove(0);
    (format!("{}/{}", picture.wnid, picture.name), picture.bytes)
}

#[test]
fn absolute_paths_and_paths_that_lead_out_are_refused_and_nothing_is_written() {
    for name in [
        "/n01440764/a.JPEG",
        "../a.JPEG",
        "n01440764/../../a.JPEG",
        "\\a.JPEG",
        "a\\..\\b",
    ] {
        let bytes = [
            &header(name, EntryType::Regular, 1)[..],
            &padded(b"x"),
            &END,
        ]
        .concat();
        refused_tar(&bytes, &["leads out of the archive"]);
    }
}

#[test]
fn links_and_devices_in_a_pictures_place_are_refused() {
    for kind in [
        EntryType::Symlink,
        EntryType::Link,
        EntryType::Fifo,
        EntryType::Char,
    ] {
        let bytes = [&header("n01440764/a.JPEG", kind, 0)[..], &END].concat();
        refused_tar(
            &bytes,
            &["n01440764/a.JPEG", "a link or a device", "--dereference"],
        );
    }
    // A link to a folder may be a whole class.
    let bytes = [&header("n01440764", EntryType::Symlink, 0)[..], &END].concat();
    refused_tar(&bytes, &["its member n01440764 is no file but a link"]);
}

#[test]
fn of_a_training_and_a_validation_folder_in_one_archive_the_latter_is_read() {
    let (name, bytes) = member();
    let members = [
        (format!("imagenet/train/{name}.png"), bytes.clone()),
        (format!("imagenet/val/{name}"), bytes),
    ];
    let folder = Folder::new();
    let path = folder.write("both.tar", tar(&members));
    let (_, names) = predictions(&path, &Folder::new(), &[]);
    assert_eq!(names.len(), 1);
    assert!(names[0].ends_with(&format!("both.tar/imagenet/val/{name}")));
    evaluated(&path.join("imagenet/train"), &[], 0).warned(&["train is a training split"]);
    let members = [
        ("imagenetv2-top-images-format-val/0/a.jpeg", vec![1]),
        ("imagenetv2-threshold0.7-format-val/0/a.jpeg", vec![1]),
    ];
    let path = folder.write("v2.tar", tar(&members));
    let texts = ["v2.tar holds several folders of pictures", "threshold0.7"];
    refused(&path, &["--dataset", "imagenet-v2"], &texts);
}

#[test]
fn what_is_no_class_in_an_archive_is_named() {
    for (other, texts) in [
        (
            "tench/b.jpg",
            &["1 folder that belongs to no class (tench)"][..],
        ),
        ("b.jpg", &["holds 1 picture but no class folders"]),
        ("train/n01440764/b.jpg", &["(train)"]),
    ] {
        refused_tar(&tar(&[member(), (other.into(), vec![1])]), texts);
    }
    let numbers = [("0/a.jpg", vec![1]), ("1/a.jpg", vec![1])];
    refused_tar(&tar(&numbers), &["plain numbers as names (0, 1)"]);
}

#[test]
fn names_that_lead_to_the_same_file_are_the_same() {
    let (name, bytes) = member();
    let (class, file) = name.split_once('/').unwrap();
    for other in [format!("{class}//{file}"), format!("./{class}/./{file}")] {
        let members = [(name.clone(), bytes.clone()), (other, bytes.clone())];
        refused_tar(&tar(&members), &[&name, "twice"]);
    }
}

#[test]
fn control_characters_in_names_do_not_reach_the_terminal() {
    let name = "n01440764/\u{1b}[31m.jpg";
    let folder = Folder::new();
    let path = folder.write("val.tar", tar(&[(name, vec![1])]));
    let ran = evaluated(&path, &[], 6).warned(&["\\u{1b}[31m.jpg"]);
    assert!(!ran.stderr.contains('\u{1b}'), "{}", ran.stderr);
}

#[test]
fn names_alone_are_those_of_an_archives_sorted_class_folders() {
    let folder = Folder::new();
    let bytes = member().1;
    let members = [
        ("pets/dogs/a.jpg", bytes.clone()),
        ("pets/cats/a.jpg", bytes),
    ];
    let path = folder.write("pets.tar", tar(&members));
    let names = folder.write("names.txt", "cat\ndog\n");
    let more = ["--classnames", names.to_str().unwrap()];
    let (lines, names) = predictions(&path, &Folder::new(), &more);
    assert!(names[0].ends_with("cats/a.jpg"));
    assert_eq!(
        (&lines[0]["label"], &lines[1]["label"]),
        (&0.into(), &1.into())
    );
    let texts = ["has 2 class folders, but there are 1 class names"];
    let one = folder.write("one.txt", "cat\n");
    refused(&path, &["--classnames", one.to_str().unwrap()], &texts);
}

#[test]
fn labels_in_a_shard_that_contradict_each_other_are_refused() {
    let zebra = "n02391049/0.cls";
    for (members, texts) in [
        (
            vec![("n02391049/0.jpg", "x"), (zebra, "301")],
            ["of class 301 by", "class 340 by its folder n02391049"],
        ),
        (
            vec![("0.jpg", "x"), ("0.cls", "1"), ("0.txt", "2")],
            ["of class 1 by 0.cls", "class 2 by 0.txt"],
        ),
        (
            vec![
                ("0.jpg", "x"),
                ("0.json", "{\"label\": 5, \"wnid\": \"n01440764\"}"),
            ],
            ["of class 5 by label in 0.json", "class 0 by wnid in 0.json"],
        ),
    ] {
        let members: Vec<_> = members
            .into_iter()
            .map(|(name, text)| (name, text.as_bytes().to_vec()))
            .collect();
        refused_tar(&tar(&members), &texts);
    }
}

#[test]
fn what_is_beside_a_picture_may_say_more_than_its_class() {
    let picture = &pictures()[0];
    let class = picture.class().to_string();
    for (ending, label, other, more) in [
        ("CLS", class.as_str(), "txt", "a photo of a ladybug"),
        ("txt", &class, "json", "{\"width\": 5}"),
        ("cls", &class, "json", "{\"label\": \"ladybug\"}"),
    ] {
        let folder = Folder::new();
        let members = [
            ("0.jpg".to_string(), picture.bytes.clone()),
            (format!("0.{ending}"), label.as_bytes().to_vec()),
            (format!("0.{other}"), more.as_bytes().to_vec()),
        ];
        folder.write("shard-0.tar", tar(&members));
        let pattern = folder.join("shard-*.tar");
        let (lines, _) = predictions(&pattern, &Folder::new(), &[]);
        assert_eq!(lines[0]["label"], picture.class(), "{ending}");
    }
    // In class folders a text is something else, and no label.
    let (name, bytes) = member();
    let text = name.replace(".jpg", ".txt");
    let folder = Folder::new();
    let path = folder.write("a.tar", tar(&[(name, bytes), (text, b"7".to_vec())]));
    evaluated(&path, &[], 0).printed(&["(tar archive"]);
}

#[test]
fn pictures_of_one_name_in_several_shards_are_told_of() {
    let folder = Folder::new();
    let picture = &pictures()[0];
    for shard in 0..2 {
        let members = [
            (picture.name.clone(), picture.bytes.clone()),
            (
                picture.name.replace(".jpg", ".cls"),
                picture.wnid.clone().into_bytes(),
            ),
        ];
        folder.write(&format!("s-{shard}.tar"), tar(&members));
    }
    let texts = [
        "1 picture has the name of one in another file",
        "there twice?",
    ];
    evaluated(folder.path(), &[], 0).warned(&texts);
}

#[test]
fn sparse_files_of_both_kinds_are_refused() {
    let mut gnu = Header::new_gnu();
    gnu.set_path("n01440764/a.JPEG").unwrap();
    gnu.set_entry_type(EntryType::GNUSparse);
    gnu.set_size(0);
    gnu.as_gnu_mut().unwrap().set_real_size(0);
    gnu.set_cksum();
    refused_tar(
        &[gnu.as_bytes().as_slice(), &END].concat(),
        &["sparse file"],
    );

    let mut archive = Builder::new(Vec::new());
    archive
        .append_pax_extensions([("GNU.sparse.major", b"1".as_slice())])
        .unwrap();
    let mut pax = archive.into_inner().unwrap();
    pax.truncate(1024);
    let regular = header("n01440764/a.JPEG", EntryType::Regular, 1);
    refused_tar(
        &[&pax[..], &regular, &padded(b"x"), &END].concat(),
        &["sparse file"],
    );
}

#[test]
fn huge_declared_sizes_are_refused_and_not_allocated() {
    for size in [1 << 20, 8_589_934_591, u64::MAX >> 2, u64::MAX] {
        let bytes = [
            &header("n01440764/a.JPEG", EntryType::Regular, size)[..],
            &END,
        ]
        .concat();
        refused_tar(&bytes, &["val.tar cannot be used"]);
    }
}

#[test]
fn a_name_that_is_absurdly_long_is_refused_before_it_is_read() {
    for kind in [
        EntryType::GNULongName,
        EntryType::XHeader,
        EntryType::GNULongLink,
    ] {
        let long = vec![b'a'; 4 << 20];
        let bytes = [&header("././@LongLink", kind, 4 << 20)[..], &long, &END].concat();
        refused_tar(&bytes, &["absurdly long"]);
    }
}

#[test]
fn long_names_of_gnu_and_pax_are_read() {
    let (name, bytes) = member();
    let name = format!("{}{name}", "folder/".repeat(40));
    let gnu = tar(&[(&name, bytes.clone())]);
    let mut archive = Builder::new(Vec::new());
    archive
        .append_pax_extensions([("path", name.as_bytes())])
        .unwrap();
    let mut header = Header::new_ustar();
    header.set_path("short").unwrap();
    header.set_size(bytes.len() as u64);
    header.set_cksum();
    archive.append(&header, bytes.as_slice()).unwrap();
    for archive in [gnu, archive.into_inner().unwrap()] {
        let folder = Folder::new();
        let path = folder.write("val.tar", archive);
        let (_, names) = predictions(&path, &Folder::new(), &[]);
        assert!(names[0].ends_with(&name), "{names:?}");
    }
}

#[test]
fn an_archive_cut_short_anywhere_is_refused() {
    let pictures = pictures();
    let members: Vec<_> = pictures[..3]
        .iter()
        .map(|p| (format!("{}/{}", p.wnid, p.name), p.bytes.clone()))
        .collect();
    let bytes = tar(&members);
    let first = 512 + members[0].1.len().next_multiple_of(512);
    for end in [
        0,
        100,
        512,
        1000,
        first,
        first + 100,
        first + 512,
        first + 2000,
    ] {
        refused_tar(&bytes[..end], &["val.tar cannot be used"]);
    }
    // Between two members nothing but the missing end tells.
    refused_tar(&bytes[..first], &["cut short"]);
}

#[test]
fn archives_joined_into_one_file_are_refused_rather_than_read_in_part() {
    let bytes = tar(&[member()]);
    refused_tar(
        &[&bytes[..], &bytes].concat(),
        &["goes on after the mark of its end"],
    );
}

#[test]
fn a_damaged_header_is_refused() {
    let mut bytes = tar(&[member()]);
    bytes[3] ^= 1;
    refused_tar(&bytes, &["no sound tar archive", "checksum"]);
    refused_tar(&[b'x'; 4096], &["no sound tar archive"]);
}

#[test]
fn archives_in_archives_are_refused_with_what_to_do() {
    for inner in ["n01440764.tar", "n01440764/a.zip", "a.tar.gz"] {
        let bytes = tar(&[member(), (inner.into(), vec![0; 10])]);
        refused_tar(
            &bytes,
            &[inner, "an archive itself", "unpack the outer one"],
        );
    }
}

#[test]
fn compressed_archives_are_refused_with_what_to_do() {
    let folder = Folder::new();
    for (name, start) in [
        ("val.tar.gz", &[0x1f, 0x8b, 8][..]),
        ("val.tgz", &[0x1f, 0x8b]),
        ("val.tar", b"BZh9"),
        ("val.tar.zst", &[0x28, 0xb5, 0x2f, 0xfd]),
    ] {
        let path = folder.write(name, start);
        refused(&path, &[], &["it is compressed", "make it a plain tar"]);
    }
}

#[test]
fn a_member_that_comes_twice_is_refused() {
    refused_tar(&tar(&[member(), member()]), &["it holds n", "twice"]);
}

#[test]
fn an_archive_without_labels_says_what_would_do() {
    let bytes = tar(&[(flat_name(0), vec![1])]);
    let texts = ["no label file", "--labels", "LOC_val_solution.csv"];
    refused_tar(&bytes, &texts);
    refused_tar(&tar(&[("readme.txt", vec![1])]), &["holds no pictures"]);
}

#[test]
fn the_same_file_names_in_several_archives_are_different_pictures() {
    let folder = Folder::new();
    let pictures = pictures();
    for (shard, picture) in pictures[..2].iter().enumerate() {
        let members = [
            ("000.jpg", picture.bytes.clone()),
            ("000.cls", picture.class().to_string().into_bytes()),
        ];
        folder.write(&format!("shard-{shard}.tar"), tar(&members));
    }
    let (lines, names) = predictions(folder.path(), &Folder::new(), &[]);
    for (shard, picture) in pictures[..2].iter().enumerate() {
        assert_eq!(lines[shard]["label"], picture.class());
        assert!(names[shard].ends_with(&format!("shard-{shard}.tar/000.jpg")));
    }
}

#[test]
fn shards_with_pictures_without_a_class_are_refused() {
    for (members, text) in [
        (
            vec![("0.jpg", "x"), ("0.cls", "1000")],
            "0.cls holds no class: \"1000\"",
        ),
        (vec![("0.jpg", "x"), ("0.cls", "-1")], "holds no class"),
        (
            vec![("0.jpg", "x"), ("0.json", "{")],
            "0.json holds no class",
        ),
        (
            vec![("0.jpg", "x"), ("0.json", "{\"width\": 1}")],
            "holds no class",
        ),
        (
            vec![("0.jpg", "x"), ("0.cls", "1"), ("1.jpg", "x")],
            "1.jpg has no .cls, .json or .txt",
        ),
        (
            vec![("0.jpg", "x"), ("0.png", "x"), ("0.cls", "1")],
            "several pictures called 0",
        ),
        (
            vec![("0.jpg", "x"), ("0.cls", "1"), ("0.cls", "2")],
            "0.cls twice",
        ),
    ] {
        let members: Vec<_> = members
            .into_iter()
            .map(|(name, text)| (name, text.as_bytes().to_vec()))
            .collect();
        let folder = Folder::new();
        folder.write("shard-0.tar", tar(&members));
        refused(
            folder.path(),
            &["--source", "webdataset"],
            &["shard-0.tar cannot be used", text],
        );
    }
}

#[test]
fn missing_shards_are_refused_by_a_pattern_and_told_of_in_a_folder() {
    let folder = Folder::new();
    let picture = &pictures()[0];
    for shard in [0, 3] {
        let members = [
            ("0.jpg", picture.bytes.clone()),
            ("0.cls", picture.wnid.clone().into_bytes()),
        ];
        folder.write(&format!("shard-{shard:03}.tar"), tar(&members));
    }
    let pattern = folder.join("shard-{000..003}.tar");
    refused(&pattern, &[], &["shard-001.tar does not exist"]);
    let text = "2 files of the data set are missing by the names of the others";
    evaluated(folder.path(), &[], 0).warned(&[text, "shard-001"]);
}

#[test]
fn a_source_that_is_not_there_is_refused() {
    let folder = Folder::new();
    folder.write("n01440764/a.JPEG", "x");
    refused(folder.path(), &["--source", "tar"], &["no regular file"]);
    refused(
        folder.path(),
        &["--source", "webdataset"],
        &["holds no .tar files"],
    );
    refused(
        folder.path(),
        &["--source", "parquet"],
        &["holds no .parquet files"],
    );
    let file = folder.write("a.txt", "x");
    refused(&file, &["--source", "flat"], &["is no flat folder"]);
    refused(&folder.join("no.tar"), &[], &["no.tar does not exist"]);
}

#[test]
fn hidden_members_that_macos_adds_are_ignored_and_counted() {
    let (name, bytes) = member();
    let (class, file) = name.split_once('/').unwrap();
    let folder = Folder::new();
    let members = [
        (name.clone(), bytes),
        (format!("{class}/._{file}"), vec![1]),
        ("__MACOSX/._x.jpg".into(), vec![1]),
        ("readme.txt".into(), vec![1]),
    ];
    let path = folder.write("val.tar", tar(&members));
    let text = "ignored 2 hidden files and 1 file without a picture's ending";
    evaluated(&path, &[], 0).printed(&["(1/1)"]).warned(&[text]);
}
