//! The guides, inside the program: the files of `assets/guide`, as they are.

use include_dir::{Dir, include_dir};

static FOLDER: Dir = include_dir!("$CARGO_MANIFEST_DIR/assets/guide");

/// A guide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guide {
    /// The name of its file, without the ending.
    pub topic: &'static str,
    /// What it is about, in one line: its second paragraph, which follows the title.
    pub summary: &'static str,
    /// Markdown.
    pub text: &'static str,
}

/// All guides, by topic.
pub fn all() -> Vec<Guide> {
    let mut guides: Vec<Guide> = FOLDER
        .files()
        .filter_map(|file| {
            let text = file.contents_utf8()?;
            Some(Guide {
                topic: file.path().file_stem()?.to_str()?,
                summary: text.split("\n\n").nth(1)?,
                text,
            })
        })
        .collect();
    guides.sort_by_key(|guide| guide.topic);
    guides
}

/// The guide to a topic.
pub fn find(topic: &str) -> Option<Guide> {
    all().into_iter().find(|guide| guide.topic == topic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_a_guide_with_a_title_and_a_summary_of_one_line() {
        let guides = all();
        assert_eq!(guides.len(), FOLDER.files().count());
        assert!(FOLDER.dirs().next().is_none());
        for guide in guides {
            assert!(guide.text.starts_with("# "), "{}", guide.topic);
            let summary = guide.summary;
            assert!(
                !summary.contains('\n') && summary.ends_with('.'),
                "{summary}"
            );
            assert!(summary.len() <= 80, "{summary}");
        }
    }
}
