//! Names in results and messages.

use std::fmt;
use std::path::{MAIN_SEPARATOR, Path, is_separator};
use std::sync::Arc;

use crate::util::escape;

/// Names that a message lists before it abridges.
const LISTED: usize = 5;

/// The display name of a picture, made once, when the picture is found.
///
/// It is text for people and for result files: bytes that are no UTF-8 show as `\xE9`. The program
/// never turns it back into a path; [`Storage`](super::Storage) says where the picture's bytes are.
///
/// The name has two parts: the folder or archive of the data set, and the picture's path in it.
/// Cloning it copies no text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Name {
    whole: Arc<str>,
    /// Bytes of the first part, with the separator at its end.
    root: usize,
}

impl Name {
    /// The name of a picture that belongs to no data set.
    pub fn alone(path: &Path) -> Self {
        Self {
            whole: escape::name(path.as_os_str()).into(),
            root: 0,
        }
    }

    /// The name of a path in the data set at `root`.
    pub fn of(path: &Path, root: &Path) -> Self {
        let Ok(below) = path.strip_prefix(root) else {
            return Self::alone(path);
        };
        let parts: Vec<_> = below.iter().map(escape::name).collect();
        Self::below(root, &parts.join("/"))
    }

    /// The name of what the data set at `root` calls `below`, with `/` between its parts.
    pub fn below(root: &Path, below: &str) -> Self {
        let mut whole = escape::name(root.as_os_str()).into_owned();
        if !whole.is_empty() && !whole.ends_with(is_separator) {
            whole.push(MAIN_SEPARATOR);
        }
        let root = whole.len();
        whole += below;
        Self {
            whole: whole.into(),
            root,
        }
    }

    /// The whole name, with the folder or archive of the data set in front.
    pub fn whole(&self) -> &Arc<str> {
        &self.whole
    }

    /// The picture's path in the data set, with `/` between its parts on every system.
    pub fn in_set(&self) -> &str {
        &self.whole[self.root..]
    }

    /// The last part of the path.
    pub fn file(&self) -> &str {
        self.in_set().rsplit('/').next().unwrap_or_default()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.whole)
    }
}

/// The first names of a list, with `…` at the end where there are more.
pub fn abridged(names: impl ExactSizeIterator<Item = String>) -> String {
    let more = names.len() > LISTED;
    let mut text = names.take(LISTED).collect::<Vec<_>>().join(", ");
    if more {
        text += ", …";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_the_whole_path_and_the_path_in_the_data_set() {
        let name = Name::of(Path::new("set/val/n01440764/a.jpg"), Path::new("set/val"));
        assert_eq!(name.in_set(), "n01440764/a.jpg");
        assert_eq!(name.file(), "a.jpg");
        assert_eq!(
            Name::below(Path::new("val.tar"), "a/b.jpg").in_set(),
            "a/b.jpg"
        );
        let outside = Name::of(Path::new("a.tar/b.jpg"), Path::new("c"));
        assert_eq!(outside.in_set(), "a.tar/b.jpg");
        for root in ["", "a", "a/", "./a", "a//b"] {
            let path = Path::new(root).join("n01440764").join("c.jpg");
            let name = Name::of(&path, Path::new(root));
            assert_eq!(name.to_string(), path.display().to_string());
            assert_eq!(name.in_set(), "n01440764/c.jpg");
        }
    }

    #[cfg(unix)]
    #[test]
    fn bytes_that_are_no_text_are_shown_as_escapes() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt;
        let root = Path::new(OsStr::from_bytes(b"caf\xe9"));
        let path = root.join(OsStr::from_bytes(b"na\xefve/\xff.jpg"));
        let name = Name::of(&path, root);
        assert_eq!(name.to_string(), "caf\\xE9/na\\xEFve/\\xFF.jpg");
        assert_eq!(name.in_set(), "na\\xEFve/\\xFF.jpg");
    }
}
