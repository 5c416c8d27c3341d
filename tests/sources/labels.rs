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
fn devkit_ids_without_an_explanation_are_refused() {
    let texts = [
        "devkit ids",
        "not that of the classes",
        "meta.mat",
        "synsets.txt",
    ];
    refused_labels(GROUND_TRUTH, "490\n361\n", &texts);
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
    let folder = flat();
    let (order, _) = devkit();
    folder.write("meta.mat", meta_mat(&order));
    folder.write(GROUND_TRUTH, "1000\n1001\n");
    refused(
        folder.path(),
        &[],
        &["ground_truth.txt, line 2", "\"1001\" is no class"],
    );
}

#[test]
fn incomplete_and_damaged_synsets_are_refused() {
    let (order, _) = devkit();
    let mut twice = order.clone();
    twice[5] = twice[6];
    for (name, bytes, text) in [
        (
            "synsets.txt",
            synset_list(&order[..999]).into_bytes(),
            "999 synsets",
        ),
        (
            "synsets.txt",
            synset_list(&twice).into_bytes(),
            "999 different",
        ),
        (
            "map_clsloc.txt",
            b"n01440764 7 x".to_vec(),
            "the id is 7, but 1 is next",
        ),
        ("synsets.txt", b"tench".to_vec(), "\"tench\" is no class"),
        (
            "meta.mat",
            meta_mat(&order)[..500].to_vec(),
            "damaged or cut short",
        ),
        ("meta.mat", meta_mat(&twice), "999 different"),
        ("meta.mat", b"MATLAB 7.3".to_vec(), "7.3"),
        ("meta.mat", vec![0; 300], "no MATLAB file"),
    ] {
        let folder = flat();
        folder.write(GROUND_TRUTH, "490\n361\n");
        folder.write(name, bytes);
        refused(folder.path(), &[], &[name, text]);
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
        &["no label for 1 pictures", &flat_name(1)],
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
    refused(folder.path(), &more, &["it is no label file"]);
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
