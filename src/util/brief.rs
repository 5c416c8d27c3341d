//! Short forms of what may be long: no line grows with what it tells of.

use std::borrow::Cow;

use super::escape::Shown;

/// Most things that are named one by one.
const MOST: usize = 10;
/// Things that are named as examples.
const FEW: usize = 4;
/// Most characters of a text that somebody else wrote.
const LONGEST: usize = 200;

/// The first ten of some names, and how many more there are.
pub fn list<S: AsRef<str>>(names: &[S]) -> String {
    list_by(names, ", ")
}

/// As [`list`], with other text between the names.
pub fn list_by<S: AsRef<str>>(names: &[S], between: &str) -> String {
    first(names, MOST, between)
}

/// As [`list`], but the first four: examples of what the names are like.
pub fn few<S: AsRef<str>>(names: &[S]) -> String {
    first(names, FEW, ", ")
}

fn first<S: AsRef<str>>(names: &[S], most: usize, between: &str) -> String {
    let shown: Vec<_> = names
        .iter()
        .take(most)
        .map(|name| excerpt(&name.as_ref().shown()).into_owned())
        .collect();
    let shown = shown.join(between);
    match names.len().saturating_sub(most) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// The beginning of a text, with dots where it is longer.
pub fn excerpt(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}

/// Most characters of a line: more than any path has.
const LONGEST_LINE: usize = 5000;

/// A text for people without lines that nobody reads to their end.
pub fn lines(text: &str) -> Cow<'_, str> {
    // Bytes are at least as many as characters.
    if text.split('\n').all(|line| line.len() <= LONGEST_LINE) {
        return text.into();
    }
    let cut = |line: &str| match line.char_indices().nth(LONGEST_LINE) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_string(),
    };
    let lines: Vec<String> = text.split('\n').map(cut).collect();
    lines.join("\n").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_and_texts_end_with_what_is_left_out() {
        let names: Vec<String> = (0..12).map(|i| i.to_string()).collect();
        assert_eq!(list(&names[..2]), "0, 1");
        assert_eq!(list(&names), "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more");
        assert_eq!(list_by(&names[..2], " and "), "0 and 1");
        assert_eq!(few(&names), "0, 1, 2, 3 and 8 more");
        let long = "é".repeat(201);
        assert_eq!(excerpt(&long).chars().count(), 201);
        assert!(excerpt(&long).ends_with("é…"));
        assert_eq!(excerpt(&long[2..]), &long[2..]);
    }

    #[test]
    fn only_lines_beyond_all_paths_are_cut() {
        let line = "é".repeat(LONGEST_LINE);
        let text = format!("a\n{line}\n");
        assert_eq!(lines(&text), text);
        assert_eq!(lines(&format!("a\n{line}b\nc")), format!("a\n{line}…\nc"));
    }
}
