use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// The README or a guide.
pub struct Document {
    /// Below the project's folder.
    pub path: PathBuf,
    pub text: String,
}

/// A fenced block.
pub struct Block {
    pub language: String,
    /// The number of its first line in the document, from 1.
    pub line: usize,
    pub text: String,
}

/// The project's folder.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The guides, by name.
pub fn guides() -> Vec<Document> {
    let folder = root().join("assets/guide");
    let entries = folder
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> = entries.collect();
    paths.sort();
    let below = |path: &PathBuf| Document::read(path.strip_prefix(root()).unwrap());
    paths.iter().map(below).collect()
}

pub fn readme() -> Document {
    Document::read(Path::new("README.md"))
}

/// The README and the guides.
pub fn documents() -> Vec<Document> {
    std::iter::once(readme()).chain(guides()).collect()
}

impl Document {
    pub fn read(path: &Path) -> Self {
        Self {
            path: path.into(),
            text: std::fs::read_to_string(root().join(path)).unwrap(),
        }
    }

    /// A place, as compilers write it.
    pub fn at(&self, line: usize) -> String {
        format!("{}:{line}", self.path.display())
    }

    pub fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut open: Option<Block> = None;
        for (line, text) in self.lines() {
            match (text.strip_prefix("```"), open.take()) {
                (Some(language), None) => {
                    let (language, line) = (language.into(), line + 1);
                    let text = String::new();
                    open = Some(Block {
                        language,
                        line,
                        text,
                    });
                }
                (Some(_), Some(block)) => blocks.push(block),
                (None, Some(mut block)) => {
                    block.text += text;
                    block.text += "\n";
                    open = Some(block);
                }
                (None, None) => {}
            }
        }
        assert!(
            open.is_none(),
            "{}: a block has no end",
            self.path.display()
        );
        blocks
    }

    /// The only block of a language.
    pub fn block(&self, language: &str) -> Block {
        let mut blocks = self.blocks();
        blocks.retain(|block| block.language == language);
        assert_eq!(blocks.len(), 1, "{}: {language}", self.path.display());
        blocks.remove(0)
    }

    /// Numbered lines outside of blocks.
    pub fn prose(&self) -> Vec<(usize, &str)> {
        let mut inside = false;
        let mut lines = self.lines();
        lines.retain(|(_, text)| {
            let fence = text.starts_with("```");
            inside ^= fence;
            !inside && !fence
        });
        lines
    }

    /// Numbered code spans in the prose. A span that goes on in the next line is an error.
    pub fn spans(&self) -> Vec<(usize, &str)> {
        let mut spans = Vec::new();
        for (line, text) in self.prose() {
            let parts: Vec<&str> = text.split('`').collect();
            assert!(parts.len() % 2 == 1, "{}: an odd backtick", self.at(line));
            spans.extend(
                parts
                    .into_iter()
                    .skip(1)
                    .step_by(2)
                    .map(|span| (line, span)),
            );
        }
        spans
    }

    /// What links to its headings are called, as GitHub forms it.
    pub fn anchors(&self) -> HashSet<String> {
        let headings = self
            .prose()
            .into_iter()
            .filter(|(_, text)| text.starts_with('#'));
        let mut anchors = HashSet::new();
        for (line, heading) in headings {
            let words = heading.trim_start_matches('#').trim().to_lowercase();
            let words = words.replace(' ', "-");
            let kept = |c: &char| c.is_alphanumeric() || matches!(c, '-' | '_');
            let anchor = words.chars().filter(kept).collect();
            assert!(anchors.insert(anchor), "{}: a second one", self.at(line));
        }
        anchors
    }

    fn lines(&self) -> Vec<(usize, &str)> {
        (1..).zip(self.text.lines()).collect()
    }
}
