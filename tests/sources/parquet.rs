use super::util::*;
use uta_eval::text::ClassNames;

use crate::support::{Folder, fixture};

/// A file, which must be refused.
#[track_caller]
fn refused_table(bytes: &[u8], texts: &[&str]) {
    let folder = Folder::new();
    refused(&folder.write("val.parquet", bytes), &[], texts);
}

/// Predictions for a file, which must be those for the rows as the hub has them.
#[track_caller]
fn same(rows: &[Row], bytes: &[u8]) -> Vec<String> {
    let folder = Folder::new();
    let hub = folder.write("a.parquet", Table::default().write(rows));
    let (expected, _) = predictions(&hub, &Folder::new(), &[]);
    let other = folder.write("b.parquet", bytes);
    let (found, names) = predictions(&other, &Folder::new(), &[]);
    assert_eq!(found, expected);
    names
}

#[test]
fn other_column_orders_types_and_encodings_give_the_same() {
    let rows = rows(&pictures()[..12]);
    for schema in [
        "message schema { required int64 label; required group image { required binary path; required binary bytes; } }",
        "message schema { optional int64 label; optional binary note (UTF8); optional binary image; }",
        "message schema { optional group img { optional binary bytes; } optional int64 label; }",
    ] {
        for version_2 in [false, true] {
            let table = Table {
                schema,
                group: 5,
                zstd: version_2,
                version_2,
                ..Table::default()
            };
            same(&rows, &table.write(&rows));
        }
    }
}

#[test]
fn a_row_group_is_read_page_by_page_from_any_row() {
    let rows = rows(&pictures());
    let folder = Folder::new();
    let large = Table {
        group: 44,
        ..Table::default()
    };
    let file = folder.write("val.parquet", large.write(&rows));
    let (all, names) = predictions(&file, &Folder::new(), &[]);
    let (part, some) = predictions(&file, &Folder::new(), &["--shard", "3/4"]);
    assert_eq!(part, all[22..33]);
    assert_eq!(some, names[22..33]);
    let small = Table {
        group: 3,
        ..Table::default()
    };
    same(&rows, &small.write(&rows));
}

#[test]
fn files_of_other_programs_are_read() {
    // Written by pyarrow: dictionaries, pages of version 2, gzip, lz4, several row groups.
    for name in ["snappy", "dictionary", "gzip", "lz4"] {
        let path = fixture(&format!("parquet/{name}.parquet"));
        let (lines, names) = predictions(&path, &Folder::new(), &[]);
        assert_eq!(lines.len(), 3, "{name}");
        let pictures = pictures();
        for (index, (line, name)) in lines.iter().zip(&names).enumerate() {
            let picture = &pictures[index * 12];
            assert_eq!(line["label"], picture.class());
            assert!(name.ends_with(&picture.name), "{name}");
        }
    }
}

#[test]
fn names_that_come_twice_are_replaced_by_row_numbers() {
    let mut rows = rows(&pictures()[..2]);
    for row in &mut rows {
        row.1 = "image.jpg".into();
    }
    let names = same(&rows, &Table::default().write(&rows));
    assert!(names[1].ends_with("b.parquet/row 1"), "{names:?}");
}

#[test]
fn hostile_names_stay_names() {
    let mut rows = rows(&pictures()[..2]);
    rows[0].1 = "/etc/../passwd".into();
    rows[1].1 = "..\\x.jpg".into();
    let names = same(&rows, &Table::default().write(&rows));
    assert!(names[0].ends_with("b.parquet/passwd"), "{names:?}");
    assert!(names[1].ends_with("b.parquet/x.jpg"), "{names:?}");
}

#[test]
fn splits_without_labels_are_refused() {
    let mut rows = rows(&pictures()[..2]);
    rows[1].2 = -1;
    refused_table(
        &Table::default().write(&rows),
        &["row 1 has no label (-1)", "test split"],
    );
    let schema =
        "message schema { optional group image { optional binary bytes; optional binary path; } }";
    let bytes = Table {
        schema,
        ..Table::default()
    }
    .write(&rows);
    refused_table(&bytes, &["no column of labels", "a split without labels"]);
}

#[test]
fn labels_beyond_the_classes_and_labels_of_another_order_are_refused() {
    let mut rows = rows(&pictures()[..2]);
    rows[1].2 += 1;
    let texts = ["by its label, but its name says", "another order"];
    refused_table(&Table::default().write(&rows), &texts);
    rows[1].2 = 1000;
    refused_table(
        &Table::default().write(&rows),
        &["1000", "beyond the 1000 classes"],
    );
}

#[test]
fn class_names_beside_the_schema_tell_the_order_of_labels() {
    let wnids = uta_eval::text::imagenet::wnids();
    let mut rows = rows(&pictures()[..2]);
    let expected = rows.clone();
    let names: Vec<String> = wnids.iter().rev().map(ToString::to_string).collect();
    for row in &mut rows {
        row.2 = 999 - row.2;
    }
    let table = Table {
        names: Some(names),
        ..Table::default()
    };
    same(&expected, &table.write(&rows));
    let names = Some(vec!["cat".into(), "dog".into()]);
    let bytes = Table {
        names,
        ..Table::default()
    }
    .write(&expected);
    refused_table(&bytes, &["it says that it has 2 classes, not 1000"]);
}

#[test]
fn class_names_in_another_order_are_mapped_or_refused() {
    let rows = rows(&pictures()[..2]);
    let built_in = ClassNames::imagenet();
    let names: Vec<String> = (0..1000)
        .map(|c| built_in.name(c).unwrap().into())
        .collect();
    let table = |names: Vec<String>, rows: &[Row]| {
        let names = Some(names);
        Table {
            names,
            ..Table::default()
        }
        .write(rows)
    };
    same(&rows, &table(names.clone(), &rows));
    // As the hub writes them: synonyms, some of other names than the built-in ones.
    let hub = |(class, name): (usize, &String)| match class % 5 {
        0 => format!("something else {class}"),
        _ => format!("{}, Genus species", name.replace(' ', "_")),
    };
    same(
        &rows,
        &table(names.iter().enumerate().map(hub).collect(), &rows),
    );
    let mut sorted = names.clone();
    sorted.sort();
    let reversed: Vec<String> = names.iter().rev().cloned().collect();
    for other in [sorted, reversed] {
        let texts = ["its class names are in another order than the classes"];
        refused_table(&table(other, &rows), &texts);
    }
    // Numbers as text sorts them: each tells its class.
    let mut numbers: Vec<String> = (0..1000).map(|class| class.to_string()).collect();
    numbers.sort();
    let mut moved = rows.clone();
    for row in &mut moved {
        let class = row.2.to_string();
        row.2 = numbers.iter().position(|name| *name == class).unwrap() as i64;
    }
    same(&rows, &table(numbers, &moved));
}

#[test]
fn a_class_folder_in_a_rows_path_must_agree_with_its_label() {
    let mut rows = rows(&pictures()[..2]);
    rows[1].1 = "val/n01440764/a.JPEG".into();
    let texts = ["its row 1 is of class", "class 0 by its path"];
    refused_table(&Table::default().write(&rows), &texts);
}

#[test]
fn two_conversions_of_one_split_are_not_counted_twice() {
    let folder = Folder::new();
    let bytes = Table::default().write(&rows(&pictures()[..2]));
    for name in ["00000-of-00001", "00000-of-00002", "00001-of-00002"] {
        folder.write(&format!("data/validation-{name}.parquet"), &bytes);
    }
    let texts = [
        "the same split in different numbers of files",
        "-of-00001",
        "would count twice",
    ];
    refused(folder.path(), &[], &texts);
}

#[test]
fn files_that_are_not_of_the_validation_set_are_told_of() {
    let folder = Folder::new();
    let bytes = Table::default().write(&rows(&pictures()[..2]));
    folder.write("train-0.parquet", &bytes);
    evaluated(folder.path(), &[], 0).warned(&["train-0.parquet is a training split by its name"]);
    folder.write("validation-0.parquet", &bytes);
    let texts = ["1 file of other splits is left out (train-0.parquet)"];
    evaluated(folder.path(), &[], 0).warned(&texts);
    folder.write("part-1.parquet", &bytes);
    let texts = [
        "1 whose names tell no split (part-1.parquet)",
        "by a pattern",
    ];
    refused(folder.path(), &[], &texts);
    let all = folder.join("{validation,part}-*.parquet");
    evaluated(&all, &[], 0).printed(&["(4/4)"]);
}

#[test]
fn the_hubs_own_conversion_is_found_in_its_folders() {
    let folder = Folder::new();
    let rows = rows(&pictures()[..2]);
    folder.write(
        "default/validation/0000.parquet",
        Table::default().write(&rows),
    );
    folder.write("default/train/0000.parquet", "never read");
    for (path, more) in [
        (folder.path().to_path_buf(), &[][..]),
        (folder.path().to_path_buf(), &["--source", "parquet"]),
        (folder.join("default"), &[]),
    ] {
        evaluated(&path, more, 0).printed(&["(2/2)"]);
    }
}

#[test]
fn rows_without_a_pictures_bytes_are_refused_before_the_start() {
    let mut rows = rows(&pictures()[..3]);
    rows[1].0 = None;
    let texts = [
        "1 of its rows have no picture's bytes",
        "name files elsewhere",
    ];
    refused_table(&Table::default().write(&rows), &texts);
}

#[test]
fn files_that_are_no_tables_of_pictures_are_refused() {
    refused_table(b"", &["val.parquet cannot be used"]);
    refused_table(
        b"PAR1 and then nothing PAR1",
        &["val.parquet cannot be used"],
    );
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n";
    refused_table(pointer, &["Git LFS pointer", "git lfs pull"]);
    let schema = "message schema { optional binary note (UTF8); optional int64 label; }";
    let rows = rows(&pictures()[..1]);
    let bytes = Table {
        schema,
        ..Table::default()
    }
    .write(&rows);
    refused_table(&bytes, &["no column of pictures", "note, label"]);
    let schema =
        "message schema { optional binary image; optional binary jpg; optional int64 label; }";
    let bytes = Table {
        schema,
        ..Table::default()
    }
    .write(&rows);
    refused_table(&bytes, &["several columns of pictures: image, jpg"]);
}

#[test]
fn a_table_damaged_anywhere_ends_in_an_error_or_unreadable_pictures() {
    let rows = rows(&pictures()[..3]);
    let bytes = Table::default().write(&rows);
    let folder = Folder::new();
    let classes = uta_eval::data::ClassFolders::imagenet();
    let path = folder.join("val.parquet");
    let location = uta_eval::data::DataLocation::new(path.clone());
    let mut buffer = Vec::new();
    let metadata = bytes.len().saturating_sub(900);
    for at in (0..bytes.len()).filter(|at| *at > metadata || at % 13 == 0) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x41;
        std::fs::write(&path, damaged).unwrap();
        if let Ok(data) = location.find(&classes) {
            for sample in data.samples.iter() {
                let _ = uta_eval::data::read(&sample.storage, &mut buffer);
            }
        }
    }
    for end in (0..bytes.len()).step_by(97) {
        std::fs::write(&path, &bytes[..end]).unwrap();
        assert!(location.find(&classes).is_err());
    }
}

#[test]
fn a_page_that_is_damaged_is_reported_and_the_others_are_evaluated() {
    let rows = rows(&pictures()[..9]);
    let schema = "message schema { optional binary image; optional int64 label; }";
    let mut bytes = Table {
        schema,
        ..Table::default()
    }
    .write(&rows);
    let first = rows[0].0.as_ref().unwrap();
    let at = bytes.windows(20).position(|w| w == &first[..20]).unwrap();
    // The length before the first picture of the first page.
    bytes[at - 4..at].fill(0xff);
    let folder = Folder::new();
    let path = folder.write("val.parquet", bytes);
    let ran = evaluated(&path, &[], 6);
    ran.warned(&["unreadable: ", "val.parquet/row 0"])
        .printed(&["unreadable pictures"]);
}

#[test]
fn only_other_splits_are_not_chosen_among() {
    let folder = Folder::new();
    folder.write("train-00000-of-00001.parquet", "x");
    folder.write("test-00000-of-00001.parquet", "x");
    refused(
        folder.path(),
        &[],
        &["several splits", "train-00000-of-00001.parquet"],
    );
}

#[test]
fn missing_files_of_a_series_are_told_of() {
    let folder = Folder::new();
    let bytes = Table::default().write(&rows(&pictures()[..1]));
    folder.write("validation-00000-of-00014.parquet", bytes);
    evaluated(folder.path(), &[], 0).warned(&["13 files of the data set are missing"]);
}
