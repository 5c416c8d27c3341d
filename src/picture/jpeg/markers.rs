//! The markers of a JPEG, without decoding it.

/// The byte that starts every marker.
const MARKER: u8 = 0xff;
const START_OF_SCAN: u8 = 0xda;
const END_OF_IMAGE: u8 = 0xd9;

/// Whether the file is, marker by marker, a sequential Huffman-coded picture, gray or coloured,
/// with all its parts: one frame, at least one scan, nothing between segments, and an end.
///
/// It says nothing about the coded data. Whatever follows the end is ignored, as Pillow does.
pub(super) fn is_sound_sequential(bytes: &[u8]) -> bool {
    let (mut frames, mut scans) = (0, 0);
    let mut at = 2;
    loop {
        let Some(&[MARKER, kind]) = bytes.get(at..at + 2) else {
            return false;
        };
        if kind == END_OF_IMAGE {
            return frames == 1 && scans > 0;
        }
        let Some(&[high, low]) = bytes.get(at + 2..at + 4) else {
            return false;
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        if length < 2 {
            return false;
        }
        let segment = at;
        at += 2 + length;
        match kind {
            // Baseline and extended sequential frames, gray or of three components: precision and
            // size stand before their number.
            0xc0 | 0xc1 if scans == 0 && matches!(bytes.get(segment + 9), Some(1 | 3)) => {
                frames += 1;
            }
            // Huffman and quantisation tables, restart interval, application data, comment.
            0xc4 | 0xdb | 0xdd | 0xe0..=0xef | 0xfe => {}
            // As many scans as there may be components.
            START_OF_SCAN if frames == 1 && scans < 4 => {
                scans += 1;
                let Some(coded) = bytes.get(at..).and_then(coded_length) else {
                    return false;
                };
                at += coded;
            }
            _ => return false,
        }
    }
}

/// Bytes of coded data before the next marker that is no restart marker. The restart markers must
/// be numbered in turn.
fn coded_length(bytes: &[u8]) -> Option<usize> {
    let (mut at, mut restarts) = (0, 0);
    loop {
        at += memchr::memchr(MARKER, bytes.get(at..)?)?;
        match bytes.get(at + 1)? {
            0x00 => at += 2,
            kind @ 0xd0..=0xd7 => {
                if *kind != 0xd0 + restarts {
                    return None;
                }
                restarts = (restarts + 1) % 8;
                at += 2;
            }
            _ => return Some(at),
        }
    }
}

/// What stands before the coded data.
pub struct Frame<'a> {
    pub width: usize,
    pub height: usize,
    pub components: usize,
    /// The EXIF block, a TIFF file without pictures.
    pub exif: Option<&'a [u8]>,
}

/// Reads the segments up to the first scan, or as far as `bytes` go; `None` without a frame.
pub fn frame(bytes: &[u8]) -> Option<Frame<'_>> {
    let (mut frame, mut exif) = (None, None);
    let mut at = 2;
    while let Some(&[MARKER, kind]) = bytes.get(at..at + 2) {
        // Before a marker there may be any number of fill bytes.
        if kind == MARKER {
            at += 1;
            continue;
        }
        let Some(&[high, low]) = bytes.get(at + 2..at + 4) else {
            break;
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        if kind == START_OF_SCAN || kind == END_OF_IMAGE || length < 2 {
            break;
        }
        let segment = bytes.get(at + 4..at + 2 + length);
        match (kind, segment) {
            (0xe1, Some(segment)) if exif.is_none() => {
                exif = segment.strip_prefix(b"Exif\0\0");
            }
            // All frames but those of tables and arithmetic conditioning.
            (0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf, Some(segment)) => {
                let &[_, h1, h0, w1, w0, components, ..] = segment else {
                    break;
                };
                let side = |high, low| usize::from(u16::from_be_bytes([high, low]));
                frame.get_or_insert((side(w1, w0), side(h1, h0), usize::from(components)));
            }
            _ => {}
        }
        at += 2 + length;
    }
    let (width, height, components) = frame?;
    Some(Frame {
        width,
        height,
        components,
        exif,
    })
}

/// How many scans the file can have at most.
pub(super) fn count_scans(bytes: &[u8]) -> usize {
    memchr::memchr_iter(MARKER, bytes)
        .filter(|at| bytes.get(at + 1) == Some(&START_OF_SCAN))
        .count()
}

#[cfg(test)]
mod tests {
    use super::is_sound_sequential;

    /// A frame, a scan with one stuffed byte and one restart marker, and the end.
    const SOUND: [u8; 25] = [
        0xff, 0xd8, 0xff, 0xc0, 0, 8, 8, 0, 16, 0, 16, 1, 0xff, 0xda, 0, 2, 1, 0xff, 0, 2, 0xff,
        0xd0, 3, 0xff, 0xd9,
    ];

    #[test]
    fn a_complete_sequential_file_is_sound() {
        assert!(is_sound_sequential(&SOUND));
        assert!(is_sound_sequential(&[&SOUND[..], b"trailer"].concat()));
    }

    #[test]
    fn a_file_cut_anywhere_is_not_sound() {
        for length in 0..SOUND.len() {
            assert!(!is_sound_sequential(&SOUND[..length]), "{length} bytes");
        }
    }

    #[test]
    fn a_foreign_marker_or_an_impossible_length_is_not_sound() {
        for (at, value) in [
            (3, 0xc2),
            (5, 1),
            (5, 200),
            (11, 4),
            (18, 0xff),
            (21, 0x02),
            (21, 0xd1),
        ] {
            let mut bytes = SOUND;
            bytes[at] = value;
            assert!(!is_sound_sequential(&bytes), "byte {at} as {value:#x}");
        }
    }
}
