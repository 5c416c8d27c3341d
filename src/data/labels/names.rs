//! Finding a picture in a list: by its path, or the longest end of it that is there.

use std::collections::HashMap;

use crate::data::containers::file_names::stem;

/// Labels by the paths of pictures, without endings.
#[derive(Debug, Default)]
pub struct Names {
    /// Each line's path and class.
    lines: Vec<(String, usize)>,
    /// Lines by their path and by each end of it, down to the bare name; `None` where several have
    /// the same end.
    ends: HashMap<String, Option<usize>>,
}

/// What a file says of a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// The picture's class, and the number of the entry that says so.
    Label { class: usize, entry: usize },
    /// The file does not have the picture.
    Absent,
    /// The picture may be any of several that the file has.
    Ambiguous,
}

impl Names {
    /// Adds a line. Returns whether another line said otherwise of the same path.
    pub fn add(&mut self, picture: &str, class: usize) -> bool {
        let path = plain(picture);
        if let Some(Some(line)) = self.ends.get(&path)
            && self.lines[*line].0 == path
        {
            return self.lines[*line].1 != class;
        }
        let line = self.lines.len();
        for end in ends(&path) {
            let is_whole = end.len() == path.len();
            let sharing = self.ends.entry(end.into()).or_insert(Some(line));
            // A whole path goes before the end of another.
            let whole = |line: &usize| self.lines.get(*line).is_some_and(|(path, _)| path == end);
            match sharing {
                Some(other) if *other != line && is_whole => *sharing = Some(line),
                Some(other) if *other != line && !whole(other) => *sharing = None,
                None if is_whole => *sharing = Some(line),
                _ => {}
            }
        }
        self.lines.push((path, class));
        false
    }

    /// Looks a picture up by the longest end of its path that a line has.
    pub fn find(&self, picture: &str) -> Lookup {
        let path = plain(picture);
        match ends(&path).find_map(|end| self.ends.get(end)) {
            Some(Some(line)) => Lookup::Label {
                class: self.lines[*line].1,
                entry: *line,
            },
            Some(None) => Lookup::Ambiguous,
            None => Lookup::Absent,
        }
    }

    /// How many pictures have a label.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
}

/// A path with `/` between its parts, without a picture's ending and without parts that say
/// nothing.
fn plain(picture: &str) -> String {
    let mut parts: Vec<&str> = picture.split(['/', '\\']).collect();
    parts.retain(|part| !part.is_empty() && *part != ".");
    let name = stem(parts.pop().unwrap_or_default());
    parts.push(name);
    parts.join("/")
}

/// A path and its ends, down to the bare name.
fn ends(path: &str) -> impl Iterator<Item = &str> {
    let after = path.match_indices('/').map(|(slash, _)| &path[slash + 1..]);
    std::iter::once(path).chain(after)
}
