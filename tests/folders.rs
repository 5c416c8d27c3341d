use crate::support::{Folder, demo, demo_on, quick_demo_on, run};

const LAYOUT: &str = "PATH/val/<wnid>/*.JPEG";

/// Evaluates `pictures` below the folder, which must be refused.
fn refused(folder: &Folder, texts: &[&str]) {
    run(&demo_on(folder.path())).ended_with(3).said(texts);
}

#[test]
fn a_path_that_does_not_exist() {
    let folder = Folder::new();
    run(&demo_on(&folder.join("nowhere")))
        .ended_with(3)
        .said(&["nowhere does not exist", "check --imagenet-path"]);
}

#[test]
fn a_file_that_is_no_archive_instead_of_a_folder() {
    let folder = Folder::new();
    let archive = folder.write("val.zip", "x");
    run(&demo_on(&archive))
        .ended_with(3)
        .said(&["val.zip is a file, not a folder", "plain tar archives"]);
}

#[test]
fn an_empty_folder() {
    let folder = Folder::new();
    refused(&folder, &["is empty", LAYOUT]);
}

#[test]
fn a_folder_with_only_hidden_files_is_empty_too() {
    let folder = Folder::new();
    folder.write(".DS_Store", "x");
    refused(&folder, &["is empty", LAYOUT]);
}

#[test]
fn flat_pictures_without_class_folders() {
    let folder = Folder::new();
    folder.write("val/ILSVRC2012_val_00000001.JPEG", "x");
    folder.write("val/ILSVRC2012_val_00000002.JPEG", "x");
    refused(
        &folder,
        &[
            "holds 2 pictures but no class folders",
            "flat layout",
            LAYOUT,
        ],
    );
}

#[test]
fn pictures_beside_class_folders_have_no_label() {
    let folder = Folder::new();
    folder.write("n01440764/a.JPEG", "x");
    folder.write("b.JPEG", "x");
    refused(&folder, &["1 picture ", LAYOUT]);
}

#[test]
fn folders_named_by_plain_numbers() {
    let folder = Folder::new();
    for class in ["0", "1", "10", "2"] {
        folder.write(&format!("val/{class}/a.JPEG"), "x");
    }
    refused(
        &folder,
        &[
            "plain numbers",
            "(0, 1, 2, 10)",
            "devkit ids",
            "\"100\" sorts before \"2\"",
        ],
    );
}

#[test]
fn folders_named_by_class() {
    let folder = Folder::new();
    for class in ["tench", "goldfish"] {
        folder.write(&format!("{class}/a.JPEG"), "x");
    }
    refused(
        &folder,
        &[
            "2 folders that belong to no class (goldfish, tench)",
            "WordNet id",
        ],
    );
}

#[test]
fn wordnet_ids_of_other_classes() {
    let folder = Folder::new();
    folder.write("n01440764/a.JPEG", "x");
    folder.write("n00000001/a.JPEG", "x");
    refused(
        &folder,
        &[
            "1 folder that belongs to no class (n00000001)",
            "ILSVRC2012",
        ],
    );
}

#[test]
fn the_parent_of_the_splits_without_a_val() {
    let folder = Folder::new();
    folder.write("train/n01440764/a.JPEG", "x");
    refused(&folder, &["(train)", "give the folder whose class folders"]);
}

#[test]
fn a_folder_of_text_files() {
    let folder = Folder::new();
    folder.write("readme.txt", "x");
    folder.write("labels.csv", "x");
    refused(
        &folder,
        &[
            "no class folders, only 2 files that are no pictures",
            LAYOUT,
        ],
    );
}

#[test]
fn class_folders_of_text_files() {
    let folder = Folder::new();
    folder.write("val/n01440764/a.txt", "x");
    refused(
        &folder,
        &["holds no pictures, only 1 other file", "end in .jpg"],
    );
}

#[test]
fn hidden_files_and_other_files_are_ignored_and_counted() {
    let folder = Folder::new();
    let picture = demo("imagenet/val/n02165456/n02165456_000.jpg");
    folder.copy(&picture, "val/n02165456/deeper/a.PNG");
    folder.write("val/n02165456/._a.jpg", "x");
    folder.write("val/.DS_Store", "x");
    folder.write("val/n02165456/notes.txt", "x");
    let ran = run(&quick_demo_on(folder.path(), &folder))
        .ended_with(0)
        .printed(&["(1/1)"]);
    let expected = "ignored 2 hidden files and 1 file without a picture's ending";
    assert!(ran.stderr.contains(expected), "{}", ran.stderr);
}

#[test]
#[cfg(unix)]
fn a_link_that_leads_nowhere_is_a_picture_that_cannot_be_read() {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.join("val/n02165456")).unwrap();
    std::os::unix::fs::symlink("/no/such/file", folder.join("val/n02165456/a.jpg")).unwrap();
    let ran = run(&quick_demo_on(folder.path(), &folder)).ended_with(6);
    assert!(ran.stderr.contains("a.jpg: No such file"), "{}", ran.stderr);
}
