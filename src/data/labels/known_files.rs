//! Label files with known names, looked for beside the pictures.

use std::path::{Path, PathBuf};

use super::devkit;

/// The names of label files that are looked for; no other file has these names.
pub const KNOWN: [&str; 3] = [
    "LOC_val_solution.csv",
    "imagenet_2012_validation_synset_labels.txt",
    devkit::GROUND_TRUTH,
];

/// Kaggle's label file, one of [`KNOWN`].
const KAGGLE: &str = KNOWN[0];

/// Folders up from the pictures in which Kaggle's archive has its label file.
const KAGGLE_UP: usize = 4;

/// Folders in which the devkit's files may lie.
const DEVKIT_FOLDERS: [&str; 3] = ["", "data", "ILSVRC2012_devkit_t12/data"];

/// The devkit as it is published.
const PACKED_DEVKIT: &str = "ILSVRC2012_devkit_t12.tar.gz";

/// Label files with known names in a folder, its parent, and a `data` or devkit folder in either.
/// Kaggle's is looked for further up as well, where its archive has it.
pub fn beside(folder: &Path) -> Vec<PathBuf> {
    let folders = near(folder).flat_map(|base| DEVKIT_FOLDERS.map(|inner| base.join(inner)));
    let known = folders.flat_map(|folder| KNOWN.map(|name| folder.join(name)));
    let up = folder.ancestors().take(KAGGLE_UP + 1);
    let kaggle = up.map(|base| base.join(KAGGLE));
    let mut files = Vec::new();
    for path in known.chain(kaggle) {
        if path.is_file() && !files.contains(&path) {
            files.push(path);
        }
    }
    files
}

/// The devkit's archive beside the pictures, which has to be unpacked.
pub fn packed_devkit(folder: &Path) -> Option<PathBuf> {
    let mut paths = near(folder).map(|base| base.join(PACKED_DEVKIT));
    paths.find(|path| path.is_file())
}

/// A folder and its parent.
fn near(folder: &Path) -> impl Iterator<Item = &Path> {
    [Some(folder), folder.parent()].into_iter().flatten()
}
