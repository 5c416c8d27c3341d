//! Patterns that stand for several files: `name-{000..049}.tar`, `{a,b}.tar`, `name-*.tar`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::data::containers::file_names::Ignored;
use crate::data::containers::folder::Contents;

/// Files that a pattern may stand for; more than any data set has.
const MOST: u64 = 1 << 20;

/// Whether a path is a pattern of several.
pub fn is_pattern(path: &Path) -> bool {
    pattern(path).is_some()
}

/// The files that `name-{000..049}.tar`, `{a,b}.tar` or `name-*.tar` stands for; `*` and `?` are
/// looked for in the folder.
pub fn pattern(path: &Path) -> Option<Vec<PathBuf>> {
    let text = path.to_str()?;
    let braces = braces(text);
    if text.contains('{') && braces.is_none() {
        return None;
    }
    let names = braces.unwrap_or_else(|| vec![text.into()]);
    let wild = |name: &str| name.contains(['*', '?']);
    if !names.iter().any(|name| wild(name)) {
        return text
            .contains('{')
            .then(|| names.into_iter().map(Into::into).collect());
    }
    let mut files = BTreeSet::new();
    for name in names.iter().map(Path::new) {
        let folder = match name.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let wanted = name.file_name()?.to_str()?;
        let contents = Contents::of_folder(folder, &mut Ignored::default()).ok()?;
        let fitting = contents.files.iter().filter(|file| fits(wanted, file));
        files.extend(fitting.map(|file| name.with_file_name(file)));
    }
    (!files.is_empty()).then(|| files.into_iter().collect())
}

/// What ranges and lists in braces stand for.
fn braces(text: &str) -> Option<Vec<String>> {
    let (before, rest) = text.split_once('{')?;
    let (inside, after) = rest.split_once('}')?;
    let words: Vec<String> = match inside.split_once("..") {
        Some((first, last)) => {
            let (from, to): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
            if from > to || to - from >= MOST {
                return None;
            }
            let width = first.len();
            (from..=to)
                .map(|number| format!("{number:0width$}"))
                .collect()
        }
        None => inside.split(',').map(Into::into).collect(),
    };
    let afters = if after.contains('{') {
        braces(after)?
    } else {
        vec![after.to_string()]
    };
    if words.len().saturating_mul(afters.len()) as u64 > MOST {
        return None;
    }
    let each = words
        .iter()
        .flat_map(|word| afters.iter().map(move |after| (word, after)));
    Some(
        each.map(|(word, after)| format!("{before}{word}{after}"))
            .collect(),
    )
}

/// Whether a name fits one with `*` for any characters and `?` for one.
fn fits(wanted: &str, name: &str) -> bool {
    let mut rest = wanted.chars();
    match rest.next() {
        None => name.is_empty(),
        Some('*') => {
            let mut ends = name.char_indices().map(|(at, _)| at).chain([name.len()]);
            ends.any(|at| fits(rest.as_str(), &name[at..]))
        }
        Some(c) => {
            let mut left = name.chars();
            left.next().is_some_and(|n| c == '?' || c == n) && fits(rest.as_str(), left.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_stands_for_its_range_and_anything_else_for_none() {
        let names = |text: &str| pattern(Path::new(text)).map(|names| names.len());
        assert_eq!(names("a-{000..049}.tar"), Some(50));
        assert_eq!(names("{a,b}-{0..2}.tar"), Some(6));
        assert!(fits("a-*.tar", "a-00.tar") && fits("?-*", "a-") && !fits("a-*.tar", "b-0.tar"));
        let last = pattern(Path::new("a-{08..10}.tar")).unwrap();
        assert_eq!(
            last,
            ["a-08.tar", "a-09.tar", "a-10.tar"].map(PathBuf::from)
        );
        for odd in [
            "a.tar",
            "a-{3..1}.tar",
            "a-{0..99999999999}.tar",
            "a-{x..y}",
            "}{",
        ] {
            assert_eq!(names(odd), None, "{odd}");
        }
    }
}
