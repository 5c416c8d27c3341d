//! What long work tells its user while it goes on.

use crate::util::warning::Warning;

/// Work whose progress can be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Work without a countable end.
    Waiting(&'static str),
    /// A download of so many bytes.
    Download(usize),
    /// Building a classifier of so many token positions.
    Classifier(usize),
}

/// Is told what long work does.
pub trait Progress {
    /// Work begins; what was under way is done.
    fn start(&mut self, work: Work);
    /// So many of the work's units are done.
    fn advance(&mut self, done: usize);
    /// The work is done.
    fn finish(&mut self);
    /// Something worth knowing.
    fn say(&mut self, line: &str);
    /// Something that may be wrong.
    fn warn(&mut self, warning: &Warning);
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn start(&mut self, _: Work) {}
    fn advance(&mut self, _: usize) {}
    fn finish(&mut self) {}
    fn say(&mut self, _: &str) {}
    fn warn(&mut self, _: &Warning) {}
}
