use super::util::*;
use crate::support::Folder;

/// Two flat pictures.
fn flat() -> Folder {
    let folder = Folder::new();
    for (index, picture) in pictures()[..2].iter().enumerate() {
        folder.write(&format!("val/{}", flat_name(index)), &picture.bytes);
    }
    folder
}

/// The pictures with a label file, which must be refused.
#[track_caller]
fn refused_labels(name: &str, text: &str, texts: &[&str]) {
    let folder = flat();
    let labels = folder.write(name, text);
    let labels = labels.to_str().unwrap();
    refused(folder.path(), &["--labels", labels], texts);
}

const GROUND_TRUTH: &str = "ILSVRC2012_validation_ground_truth.txt";

#[test]
fn devkit_ids_need_no_explanation_and_may_have_the_devkits_own_beside_them() {
    let order = uta_eval::data::devkit_wnids();
    let list = synset_list(order);
    let bare = order.join("\n");
    for (name, text) in [
        ("notes.txt", "x"),
        ("meta.mat", "not read"),
        ("map_clsloc.txt", &list),
        ("synsets.txt", &bare),
    ] {
        let folder = flat();
        folder.write(name, text);
        folder.write(GROUND_TRUTH, "490\n361\n");
        let (lines, _) = predictions(folder.path(), &Folder::new(), &[]);
        // A sea snake and an alp: what the validation set's first two pictures show.
        let labels: Vec<_> = lines.iter().map(|line| line["label"].clone()).collect();
        assert_eq!(labels, [65, 970], "{name}");
    }
}

#[test]
fn devkit_ids_with_a_list_in_the_order_of_the_classes_are_refused() {
    let folder = flat();
    folder.write(GROUND_TRUTH, "490\n361\n");
    let wnids = uta_eval::text::imagenet::wnids().join("\n");
    folder.write("synset_words.txt", wnids);
    refused(
        folder.path(),
        &[],
        &["synset_words.txt", "are sorted", "not of devkit ids"],
    );
}

#[test]
fn devkit_ids_beyond_the_classes_are_refused_with_their_line() {
    for id in ["1001", "0"] {
        let folder = flat();
        folder.write(GROUND_TRUTH, format!("1000\n{id}\n"));
        let no_class = format!("{id:?} is no class");
        refused(folder.path(), &[], &["ground_truth.txt, line 2", &no_class]);
    }
}

#[test]
fn a_list_of_synsets_that_contradicts_the_devkits_ids_is_refused() {
    let order = uta_eval::data::devkit_wnids();
    let mut swapped = order.to_vec();
    swapped.swap(5, 6);
    let more = format!("{}n01440764 1001 x\n", synset_list(order));
    for (name, text, reason) in [
        ("synsets.txt", synset_list(&order[..999]), "999 synsets"),
        ("synsets.txt", more, "1001 synsets"),
        (
            "synset_words.txt",
            synset_list(&swapped),
            "synset_words.txt, line 6: it has \"n02509815\", but the devkit's id 6 stands for n02066245",
        ),
        (
            "map_clsloc.txt",
            "n01440764 7 x".into(),
            "the id is 7, but 1 is next",
        ),
        ("synsets.txt", "tench".into(), "line 1: it has \"tench\""),
    ] {
        let folder = flat();
        folder.write(GROUND_TRUTH, "490\n361\n");
        folder.write(name, text);
        refused(folder.path(), &[], &[name, reason]);
    }
}

#[test]
fn bare_numbers_under_another_name_are_not_guessed_at() {
    let texts = [
        "may be devkit ids",
        "or indices",
        "call it ILSVRC2012_validation",
    ];
    refused_labels("val.txt", "490\n361\n", &texts);
    refused_labels("val.txt", "0\n361\n", &texts);
}

#[test]
fn numbers_that_may_count_from_0_or_1_are_not_guessed_at() {
    let list = format!("{} 490\n{} 361\n", flat_name(0), flat_name(1));
    let texts = [
        "val.txt, line 1",
        "490",
        "no label is 0",
        "picture,index_from_0",
        "WordNet ids",
    ];
    refused_labels("val.txt", &list, &texts);
}

#[test]
fn an_index_beyond_the_classes_is_refused() {
    let list = format!("{},0\n{},1000\n", stem(0), stem(1));
    let texts = ["val.csv, line 2", "1000", "numbered from 0", "devkit ids"];
    refused_labels("val.csv", &list, &texts);
}

#[test]
fn a_picture_without_a_label_is_refused_and_named() {
    let list = format!("{},n01440764\n", stem(0));
    refused_labels(
        "val.csv",
        &list,
        &["no label for 1 picture (", &flat_name(1)],
    );
}

#[test]
fn contradictory_and_senseless_lines_are_refused() {
    let twice = format!("{0},n01440764\n{0},n01443537\n", stem(0));
    refused_labels("a.csv", &twice, &["line 2", "another label further up"]);
    let odd = format!("{},n01440764\n{},tench\n", stem(0), stem(1));
    refused_labels("a.csv", &odd, &["line 2", "\"tench\" is no class"]);
    refused_labels(
        "a.csv",
        "a,n01440764\nb\n",
        &["line 2 has no second column"],
    );
    refused_labels(
        "a.txt",
        "n01440764\nb n01440764\n",
        &["line 2", "two columns"],
    );
    refused_labels(
        "a.txt",
        "b n01440764\nn01440764\n",
        &["line 2", "no second column"],
    );
    refused_labels("a.txt", "\n \n", &["it is empty"]);
    refused_labels("a.csv", "ImageId,PredictionString\n", &["no labels"]);
}

#[test]
fn a_wordnet_id_in_a_picture_name_must_agree_with_its_label() {
    let folder = Folder::new();
    folder.write("a_n01440764.JPEG", &pictures()[0].bytes);
    let labels = folder.write("labels.txt", "a_n01440764 n01443537");
    let texts = [
        "of class 1 by its label, but its name says 0",
        "another order",
    ];
    refused(
        folder.path(),
        &["--labels", labels.to_str().unwrap()],
        &texts,
    );
}

#[test]
fn names_as_the_hub_has_them_fit_labels_by_number() {
    let folder = Folder::new();
    let picture = &pictures()[0];
    let name = format!("{}_{}.JPEG", stem(2), picture.wnid);
    folder.write(&format!("val/{name}"), &picture.bytes);
    let lines = format!("n01440764\nn01440764\n{}\n", picture.wnid);
    folder.write("imagenet_2012_validation_synset_labels.txt", lines);
    evaluated(folder.path(), &[], 0).warned(&["has labels for 2 pictures that are not there"]);
}

#[test]
fn several_label_files_are_not_chosen_among() {
    let folder = flat();
    folder.write("LOC_val_solution.csv", "x");
    folder.write(GROUND_TRUTH, "x");
    refused(
        folder.path(),
        &[],
        &["several label files", "say with --labels"],
    );
}

#[test]
fn labels_where_none_are_needed_are_refused() {
    let folder = Folder::new();
    let labels = folder.write("labels.csv", "x");
    let table = folder.write("a.parquet", Table::default().write(&rows(&pictures()[..1])));
    let more = ["--labels", labels.to_str().unwrap()];
    refused(&table, &more, &["says each picture's class itself"]);
}

#[test]
fn a_label_file_that_cannot_be_read_is_named() {
    refused_labels("a.csv", "\u{0}", &["a.csv"]);
    let folder = flat();
    refused(
        folder.path(),
        &["--labels", "/no/such/file"],
        &["/no/such/file: No such file"],
    );
    let more = ["--labels", folder.path().to_str().unwrap()];
    refused(
        folder.path(),
        &more,
        &["it is a folder, and no regular file"],
    );
}

#[test]
fn two_pictures_that_a_label_file_cannot_tell_apart_are_refused() {
    let folder = Folder::new();
    folder.write("val/a/x.JPEG", "x");
    folder.write("val/b/x.png", "x");
    let labels = folder.write("labels.txt", "x n01440764");
    let more = ["--labels", labels.to_str().unwrap()];
    refused(
        folder.path(),
        &more,
        &["a/x.JPEG and b/x.png are both called x"],
    );
    // A list that tells them apart does not tell a third.
    folder.write("val/c/x.JPEG", "x");
    let labels = folder.write("labels.txt", "a/x n01440764\nb/x n01443537");
    let more = ["--labels", labels.to_str().unwrap()];
    refused(
        folder.path(),
        &more,
        &["c/x.JPEG may be any of several pictures"],
    );
}

#[test]
fn folders_in_a_list_tell_pictures_of_the_same_name_apart() {
    let pictures = pictures();
    let folder = Folder::new();
    let (first, last) = (&pictures[0], pictures.last().unwrap());
    folder.write("val/cats/0.jpg", &first.bytes);
    folder.write("val/dogs/0.jpg", &last.bytes);
    let lines = format!(
        "val/dogs/0.jpg,{}\nval/cats/0.jpg,{}\n",
        last.wnid, first.wnid
    );
    let labels = folder.write("labels.csv", lines);
    let more = ["--labels", labels.to_str().unwrap()];
    let (lines, _) = predictions(folder.path(), &Folder::new(), &more);
    assert_eq!(lines[0]["label"], first.class());
    assert_eq!(lines[1]["label"], last.class());
}

/// The labels of two flat pictures by a label file of these lines, `{0}` and `{1}` being their
/// names.
fn labels_by(name: &str, text: &str) -> Vec<u64> {
    let folder = flat();
    let text = text.replace("{0}", &stem(0)).replace("{1}", &stem(1));
    let labels = folder.write(name, text);
    let more = ["--labels", labels.to_str().unwrap()];
    let (lines, _) = predictions(folder.path(), &Folder::new(), &more);
    lines.iter().map(|l| l["label"].as_u64().unwrap()).collect()
}

#[test]
fn a_title_says_which_of_several_columns_is_the_class() {
    for (name, text) in [
        (
            "a.csv",
            "filename,fold,label\n{0},0,n01443537\n{1},1,n01440764\n",
        ),
        (
            "a.csv",
            ",ImageId,wnid,class\n0,{0},n01443537,x\n1,{1},n01440764,y\n",
        ),
        ("a.csv", "label,filename\nn01443537,{0}\nn01440764,{1}\n"),
        ("a.tsv", "path\tsize\tindex_from_0\n{0}\t5\t1\n{1}\t6\t0\n"),
        ("a.csv", "{0},n01443537,5\n{1},n01440764,0\n"),
    ] {
        assert_eq!(labels_by(name, text), [1, 0], "{text}");
    }
}

#[test]
fn columns_that_no_title_explains_are_not_guessed_at() {
    let more = format!("{},0,n01440764\n{},1,n01443537\n", stem(0), stem(1));
    refused_labels("a.csv", &more, &["more than two columns", "no title says"]);
    let unknown = format!("name,fold,label\n{more}");
    refused_labels("a.csv", &unknown, &["not which is the picture"]);
    let several = format!("filename,class,label\n{more}");
    refused_labels(
        "a.csv",
        &several,
        &["several columns of classes (label, class)"],
    );
}

#[test]
fn an_empty_line_that_shifts_those_below_it_is_refused() {
    let texts = ["line 2 is empty", "every line below it is in doubt"];
    refused_labels("val.txt", "n01440764\n\nn01443537\n", &texts);
    assert_eq!(labels_by("val.txt", "n01443537\nn01440764\n\n\n"), [1, 0]);

    let folder = flat();
    folder.write(GROUND_TRUTH, "490\n361\n");
    let list = synset_list(uta_eval::data::devkit_wnids()).replacen('\n', "\n\n", 1);
    folder.write("synsets.txt", list);
    let texts = ["synsets.txt, line 2", "the id of every line below it"];
    refused(folder.path(), &[], &texts);
}

#[test]
fn blanks_in_a_classs_name_belong_to_it() {
    let folder = flat();
    let names = folder.write("names.txt", "polar\tladybug\npolar bear\tzebra\n");
    for (name, separator) in [("a.csv", ','), ("a.tsv", '\t'), ("a.txt", ';')] {
        let lines = format!(
            "{0}{separator}polar\n{1}{separator}polar bear\n",
            stem(0),
            stem(1)
        );
        let labels = folder.write(name, lines);
        let more = [
            "--classnames",
            names.to_str().unwrap(),
            "--labels",
            labels.to_str().unwrap(),
        ];
        let (lines, _) = predictions(folder.path(), &Folder::new(), &more);
        let labels: Vec<_> = lines.iter().map(|line| line["label"].clone()).collect();
        assert_eq!(labels, [0, 1], "{name}");
    }
}

#[test]
fn labels_are_found_in_the_devkit_beside_flat_pictures_and_in_kaggles_archive() {
    let pictures = pictures();
    let lines: String = pictures[..2]
        .iter()
        .map(|p| p.wnid.clone() + "\n")
        .collect();
    let name = "imagenet_2012_validation_synset_labels.txt";
    for place in ["data", "ILSVRC2012_devkit_t12/data"] {
        let folder = Folder::new();
        for (index, picture) in pictures[..2].iter().enumerate() {
            folder.write(&flat_name(index), &picture.bytes);
        }
        folder.write(&format!("{place}/{name}"), &lines);
        evaluated(folder.path(), &[], 0).printed(&["(flat folder, labels of "]);
    }

    let kaggle = Folder::new();
    let val = "ILSVRC/Data/CLS-LOC/val";
    kaggle.write(&format!("{val}/{}", flat_name(0)), &pictures[0].bytes);
    let line = format!(
        "ImageId,PredictionString\n{},{} 1 2 3 4\n",
        stem(0),
        pictures[0].wnid
    );
    kaggle.write("LOC_val_solution.csv", line);
    for path in [
        kaggle.path(),
        &kaggle.join("ILSVRC/Data/CLS-LOC"),
        &kaggle.join(val),
    ] {
        evaluated(path, &[], 0).printed(&["LOC_val_solution.csv"]);
    }

    let packed = Folder::new();
    packed.write(&flat_name(0), "x");
    packed.write("ILSVRC2012_devkit_t12.tar.gz", "x");
    let texts = [
        "their labels are in",
        "t12.tar.gz, which is packed",
        "unpack it",
    ];
    refused(packed.path(), &[], &texts);
}

#[test]
fn a_label_file_goes_before_folders() {
    let folder = Folder::new();
    let picture = &pictures()[0];
    folder.write("val/n01443537/x.JPEG", &picture.bytes);
    let labels = folder.write("labels.txt", format!("x {}", picture.wnid));
    let ran = evaluated(folder.path(), &["--labels", labels.to_str().unwrap()], 0);
    ran.printed(&["(flat folder, labels of ", "(1/1)"]);
}

#[test]
fn a_bad_class_behind_a_title_has_its_own_line_and_is_no_title() {
    let wnid = &pictures()[0].wnid;
    let (a, b) = (flat_name(0), flat_name(1));
    for (name, text, line) in [
        (
            "a.csv",
            format!("filename,wnid\n{a},nothing\n{b},{wnid}\n"),
            2,
        ),
        (
            "a.csv",
            format!("filename,wnid\n\n\n{a},nothing\n{b},{wnid}\n"),
            4,
        ),
        (
            "a.csv",
            format!("filename,wnid\n{a},{wnid}\n\n{b},nothing\n"),
            4,
        ),
        (
            "a.csv",
            format!("file name,its class\n{a},nothing\n{b},{wnid}\n"),
            2,
        ),
        (
            "a.txt",
            format!("picture class\n{a} nothing\n{b} {wnid}\n"),
            2,
        ),
        ("a.txt", format!("{a} nothing\n{b} {wnid}\n"), 1),
    ] {
        let line = format!("line {line}: \"nothing\" is no class");
        refused_labels(name, &text, &[&line]);
    }
}

#[test]
fn names_that_look_alike_are_told_apart() {
    let folder = Folder::new();
    let picture = &pictures()[0];
    folder.write("data/cafe\u{301}/a.JPEG", &picture.bytes);
    let names = folder.write("names.txt", "caf\u{e9}\ta caf\u{e9}\nn01440764\ttench\n");
    let names = names.to_str().unwrap();
    let apart = ["\"cafe\\u{301}\"", "\"caf\\u{e9}\"", "Unicode form"];
    refused(&folder.join("data"), &["--classnames", names], &apart);
    let blank = Folder::new();
    blank.write("data/guinea\u{a0}pig/a.JPEG", &picture.bytes);
    let names = blank.write("names.txt", "guinea pig\tguinea pig\nn01440764\ttench\n");
    let names = names.to_str().unwrap();
    let apart = ["\"guinea\\u{a0}pig\"", "\"guinea pig\"", "differ in blanks"];
    refused(&blank.join("data"), &["--classnames", names], &apart);
    let labelled = flat();
    let names = labelled.write("names.txt", "guinea pig\tguinea pig\ncat\tcat\n");
    let labels = labelled.write(
        "a.csv",
        format!("{},guinea  pig\n{},cat\n", flat_name(0), flat_name(1)),
    );
    let more = [
        "--classnames",
        names.to_str().unwrap(),
        "--labels",
        labels.to_str().unwrap(),
    ];
    let apart = ["line 1: \"guinea  pig\" is no class, but \"guinea pig\" is one"];
    refused(labelled.path(), &more, &apart);
}

#[test]
fn an_accuracy_of_guessing_is_warned_of_with_likely_causes() {
    let folder = Folder::new();
    let pictures = pictures();
    // Every picture with the class of the next.
    let mut lines = String::new();
    for (index, picture) in pictures.iter().enumerate() {
        folder.write(&format!("val/{}", flat_name(index)), &picture.bytes);
        let other = &pictures[(index + 2) % pictures.len()].wnid;
        lines += &format!("{} {other}\n", stem(index));
    }
    let labels = folder.write("wrong.txt", lines);
    let labels = labels.to_str().unwrap();
    let warning = "no more than guessing among 1000 classes gives";
    let causes = [warning, "--labels", "--classnames", "--weights"];
    let json = folder.join("wrong.json");
    let more = ["--labels", labels, "--json", json.to_str().unwrap()];
    evaluated(folder.path(), &more, 0).warned(&causes);
    let text = std::fs::read_to_string(json).unwrap();
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["top1"]["correct"], 0);
    let warnings = document["warnings"].as_array().unwrap();
    let has = |w: &serde_json::Value| w.as_str().unwrap().contains(warning);
    assert_eq!(warnings.iter().filter(|w| has(w)).count(), 1);
    // Of few pictures none may be right, and right ones need no warning.
    let more = ["--labels", labels, "--limit", "19"];
    let few = evaluated(folder.path(), &more, 0);
    assert!(!few.stderr.contains(warning), "{}", few.stderr);
    let right = evaluated(&crate::support::demo("imagenet"), &["--limit", "40"], 0);
    assert!(!right.stderr.contains(warning), "{}", right.stderr);
}
