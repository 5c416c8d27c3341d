//! The markers of a JPEG, without decoding it.

/// The byte that starts every marker.
const MARKER: u8 = 0xff;
const START_OF_SCAN: u8 = 0xda;
const END_OF_IMAGE: u8 = 0xd9;

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
