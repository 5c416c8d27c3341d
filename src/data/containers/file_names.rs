//! What a file's name tells: whether it is a picture, and whether it is hidden.

use std::path::Path;

/// Endings of pictures' names, those that torchvision's `ImageFolder` reads.
pub const PICTURE_EXTENSIONS: [&str; 9] = [
    "jpg", "jpeg", "png", "webp", "bmp", "ppm", "pgm", "tif", "tiff",
];

/// Numbers of files and folders that a data set leaves out.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
pub struct Ignored {
    /// Names that start with a dot.
    pub hidden: usize,
    /// Files whose name has no picture's ending.
    pub not_pictures: usize,
    /// Class folders that the data set has, but that show nothing of the classes.
    pub other_folders: usize,
}

impl Ignored {
    /// Whether a file is a picture that is not hidden. Counts it if it is not.
    pub fn admits(&mut self, name: &str) -> bool {
        if is_hidden(name) {
            self.hidden += 1;
            return false;
        }
        let picture = is_picture(Path::new(name));
        self.not_pictures += usize::from(!picture);
        picture
    }
}

/// Whether a file is a picture by its name.
pub fn is_picture(path: &Path) -> bool {
    PICTURE_EXTENSIONS
        .iter()
        .any(|extension| has_ending(path, extension))
}

/// Whether a path or a folder in it is hidden, as `._name` that macOS adds.
pub fn is_hidden(path: &str) -> bool {
    path.split('/').any(|part| part.starts_with('.'))
}

/// Whether a file's name has an ending, in any case.
pub fn has_ending(path: &Path, ending: &str) -> bool {
    path.extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case(ending))
}

/// A picture's name without folders and without a picture's ending.
pub fn stem(picture: &str) -> &str {
    let name = picture.rsplit(['/', '\\']).next().unwrap_or(picture);
    match name.rsplit_once('.') {
        Some((stem, _)) if is_picture(Path::new(name)) => stem,
        _ => name,
    }
}
