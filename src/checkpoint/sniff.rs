//! Tells from a file's first bytes which format it has, or what was saved in its place.
//!
//! Endings are not looked at, and nothing is checked beyond what chooses the reader.

use std::fmt;

use super::Format;
use super::torch_legacy::MAGIC;

/// What a file that is no checkpoint seems to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    Empty,
    Html,
    LfsPointer,
    Json,
    Text,
    Pickle,
    OtherZip,
    Compressed,
    Unknown,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the file is empty",
            Self::Html => "it is an HTML page",
            Self::LfsPointer => {
                "it is a Git LFS pointer, a stand-in of a few lines for the real file"
            }
            Self::Json => "it is a JSON document",
            Self::Text => "it is a text file",
            Self::Pickle => "it is a pickle, but none of torch.save",
            Self::OtherZip => "it is a zip archive without PyTorch's data.pkl",
            Self::Compressed => "it is a compressed archive",
            Self::Unknown => "it is neither safetensors nor a file of torch.save",
        })
    }
}

impl Found {
    /// What to do next.
    pub(super) fn hint(self) -> &'static str {
        match self {
            Self::Empty => "the download or copy was cut off; fetch it again",
            Self::Html => {
                "the download saved an error or login page; use the file's direct link, or open it in a browser to see why"
            }
            Self::LfsPointer => "fetch the real file: git lfs pull",
            Self::Json => {
                "a configuration or an index may accompany the weights; name the weight file itself"
            }
            Self::Pickle => super::error::RESAVE,
            Self::OtherZip | Self::Compressed => {
                "if the checkpoint was packed for transport, unpack it and name the file inside"
            }
            Self::Text | Self::Unknown => {
                "expected a .safetensors file, or a .pt, .pth or .bin file written by torch.save"
            }
        }
    }
}

/// How many bytes are looked at.
pub(super) const HEAD: usize = 4096;
/// Bytes of the header length that starts a safetensors file.
const LENGTH_BYTES: usize = 8;

/// The format of a file whose first [`HEAD`] bytes are these, or what it is instead.
pub(super) fn sniff(head: &[u8]) -> Result<Format, Found> {
    // A member, or the end of an archive without members.
    if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
        return Ok(Format::PyTorch);
    }
    // Their magic numbers would be header lengths of gigabytes.
    let packed: [&[u8]; 4] = [b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"BZh", b"7z\xbc\xaf"];
    if packed.iter().any(|magic| head.starts_with(magic)) {
        return Err(Found::Compressed);
    }
    // Before pickles: a header length of 640 begins like a pickle, one of 35615 like gzip.
    let old = begins_as_old_torch(head);
    if looks_like_safetensors(head) && !(old && head.len() == LENGTH_BYTES) {
        return Ok(Format::Safetensors);
    }
    if head.starts_with(b"\x1f\x8b") || head.get(257..262) == Some(b"ustar") {
        return Err(Found::Compressed);
    }
    if old {
        return Ok(Format::PyTorchLegacy);
    }
    if matches!(head, [0x80, 2..=5, ..]) {
        return Err(Found::Pickle);
    }
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let text = text.trim_ascii_start();
    Err(match text.first() {
        _ if !is_text(text) => Found::Unknown,
        Some(b'<') => Found::Html,
        Some(b'{' | b'[') => Found::Json,
        _ if text.starts_with(b"version https://git-lfs") => Found::LfsPointer,
        _ => Found::Text,
    })
}

/// The pickled magic number of PyTorch's old format, or as much of it as there is.
fn begins_as_old_torch(head: &[u8]) -> bool {
    let [0x80, 2..=5, pickled @ ..] = head else {
        return false;
    };
    // Later protocols put a frame's length of eight bytes in front.
    let pickled = match pickled {
        [0x95, frame @ ..] => frame.get(8..).unwrap_or_default(),
        pickled => pickled,
    };
    let most = pickled.len().min(MAGIC.len());
    pickled[..most] == MAGIC[..most]
}

/// A header's length and the start of its JSON object; the object is missing where the file is
/// cut. A file too short for the length is called safetensors too: that reader says it is cut.
fn looks_like_safetensors(head: &[u8]) -> bool {
    let Some((length, header)) = head.split_first_chunk::<LENGTH_BYTES>() else {
        return true;
    };
    match header.first() {
        Some(first) => *first == b'{' && !is_text(length),
        // The length of a real header is far below 2^32.
        None => length.ends_with(&[0; 4]),
    }
}

/// UTF-8 without control characters; the last character may be cut.
fn is_text(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).map_or_else(|e| e.error_len().is_none(), |_| true)
        && !bytes
            .iter()
            .any(|b| b.is_ascii_control() && !b.is_ascii_whitespace())
}
