//! How the program ends.

/// How the program ends. The numbers are part of its interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitCode {
    /// Everything asked for was done.
    Success = 0,
    /// The result was computed and written, but is not the expected one; or a data set is not whole.
    Unexpected = 1,
    /// Flags that make no sense, or a model, template, class-name, classifier or result file that cannot be used.
    Usage = 2,
    /// The pictures' folder cannot be evaluated, or (with `--strict`) a picture cannot be read.
    Data = 3,
    /// The checkpoint cannot be used.
    Checkpoint = 4,
    /// A result cannot be written.
    Output = 5,
    /// The evaluation ended, but pictures could not be read and are not counted.
    SkippedPictures = 6,
    /// The computation failed: out of memory, a defect.
    Failure = 7,
    /// Some evaluations of a sweep or suite failed, or a set of a suite cannot be evaluated; the others
    /// are done.
    PartOfSweep = 8,
    /// The user ended it, as shells number it.
    Interrupted = 130,
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code as u8)
    }
}
