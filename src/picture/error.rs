//! Why a picture cannot be used.

/// An error about one picture; the caller adds the path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    #[error("the file is empty")]
    Empty,
    #[error("it is no picture: {found}")]
    NotAPicture { found: &'static str },
    #[error("{what} is not supported")]
    Unsupported { what: String },
    #[error(
        "it declares {width} x {height} pixels, more than the limit of {}",
        super::MAX_PIXELS
    )]
    TooLarge { width: usize, height: usize },
    #[error("it is truncated: the data ends before the last row")]
    Truncated,
    #[error("it is damaged: {reason}")]
    Corrupt { reason: String },
}

impl PictureError {
    /// For a decoder that panicked.
    pub(super) fn failed_decoder() -> Self {
        Self::Corrupt {
            reason: "its decoder failed".into(),
        }
    }

    /// Says what bytes of no known picture format seem to be.
    pub(super) fn not_a_picture(bytes: &[u8]) -> Self {
        let start = &bytes[..bytes.len().min(512)];
        let text = String::from_utf8_lossy(start);
        let visible = text.trim_start_matches('\u{feff}').trim_start();
        let found = if visible.starts_with("version https://git-lfs") {
            "it is a Git LFS pointer; fetch the real file with git lfs pull"
        } else if visible.starts_with('<') {
            "it looks like HTML or XML"
        } else if std::str::from_utf8(start).is_ok_and(|text| !text.contains('\0')) {
            "it looks like text"
        } else {
            "its content is of no known format"
        };
        Self::NotAPicture { found }
    }
}
